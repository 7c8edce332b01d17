/**
 * Bytes of records that `npm:@deno/kv` has read: views of the memory in which a
 * whole answer came, other records included.
 *
 * @module
 */

/**
 * Gives every typed array of a record memory of its own.
 *
 * @param record The record, changed in place.
 * @returns The record; a copy if it is a typed array itself.
 */
export function ownBytes(record: unknown): unknown {
  const owned = new Map<ArrayBufferView, ArrayBufferView>();
  const seen = new Set<object>();
  const todo: object[] = [];
  const own = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null) return value;
    if (ArrayBuffer.isView(value)) {
      const known = owned.get(value);
      if (known !== undefined) return known;
      const copy = ownView(value);
      owned.set(value, copy);
      return copy;
    }
    if (!seen.has(value)) {
      seen.add(value);
      todo.push(value);
    }
    return value;
  };
  const result = own(record);
  for (let value = todo.pop(); value !== undefined; value = todo.pop()) {
    if (value instanceof Map) ownEntries(value, own);
    else if (value instanceof Set) ownItems(value, own);
    else ownProperties(value, own);
  }
  return result;
}

function ownProperties(
  value: object,
  own: (item: unknown) => unknown,
): void {
  for (const key of Object.keys(value)) {
    const item: unknown = Reflect.get(value, key);
    const copy = own(item);
    // a plain assignment could change the prototype
    if (copy !== item) Object.defineProperty(value, key, { value: copy });
  }
}

function ownEntries(
  map: Map<unknown, unknown>,
  own: (item: unknown) => unknown,
): void {
  const entries = [...map];
  const copies = entries.map(([key, item]) => [own(key), own(item)] as const);
  if (
    copies.every(([key, item], i) =>
      key === entries[i]?.[0] && item === entries[i]?.[1]
    )
  ) return;
  map.clear();
  for (const [key, item] of copies) map.set(key, item);
}

function ownItems(
  set: Set<unknown>,
  own: (item: unknown) => unknown,
): void {
  const items = [...set];
  const copies = items.map(own);
  if (copies.every((item, i) => item === items[i])) return;
  set.clear();
  for (const item of copies) set.add(item);
}

/** Copies a view, unless it has its memory to itself; a `Buffer` becomes what was stored. */
function ownView(view: ArrayBufferView): ArrayBufferView {
  const { buffer, byteOffset, byteLength } = view;
  const View = view instanceof Uint8Array
    ? Uint8Array
    : Object.getPrototypeOf(view).constructor as Uint8ArrayConstructor;
  return buffer.byteLength === byteLength &&
      Object.getPrototypeOf(view) === View.prototype
    ? view
    : new View(buffer.slice(byteOffset, byteOffset + byteLength));
}
