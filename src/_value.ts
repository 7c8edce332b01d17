/**
 * Session values: what structured clone carries, copied and compared.
 *
 * Unlike `structuredClone`, the copy refuses what would silently become
 * something else (class instances, symbol keys), and costs next to nothing for
 * the small values that sessions hold.
 *
 * @module
 */

/** Levels of nesting that a value may have; engines overflow at some thousands. */
const MAX_DEPTH = 1_000;

/** Prototypes of the typed arrays and of `DataView`. */
const VIEW_PROTOTYPES = new Set<object | null>([
  DataView.prototype,
  ...Object.getOwnPropertyNames(globalThis)
    .filter((name) =>
      /^(?:Big)?(?:Int|Uint|Float)\d+(?:Clamped)?Array$/.test(name)
    )
    .map((name) => Reflect.get(globalThis, name).prototype),
]);

/** Prototypes of what `structuredClone` copies truly and that holds no other value. */
const LEAF_PROTOTYPES = new Set<object | null>([
  RegExp.prototype,
  ArrayBuffer.prototype,
  Boolean.prototype,
  Number.prototype,
  String.prototype,
  BigInt.prototype,
]);

/** Prototypes of the errors that structured clone knows. */
const ERROR_PROTOTYPES = new Set<object | null>([
  Error.prototype,
  EvalError.prototype,
  RangeError.prototype,
  ReferenceError.prototype,
  SyntaxError.prototype,
  TypeError.prototype,
  URIError.prototype,
]);

/** Says whether a value can be changed in place, so that it must be tracked. */
export function isCompound(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/**
 * Copies a value deeply, cycles and shared references included.
 *
 * @param value The value to copy.
 * @param action What is being done, for the message: `set session value`.
 * @param key The key of the value, for the message.
 * @returns The copy; a primitive is its own copy.
 * @throws {TypeError} If the value holds something that cannot be stored.
 */
export function cloneValue(
  value: unknown,
  action: string,
  key: string,
): unknown {
  if (
    !isCompound(value) && typeof value !== "symbol" &&
    typeof value !== "function"
  ) {
    return value;
  }
  try {
    return new Cloner().clone(value, 0);
  } catch (error) {
    const found = error instanceof Unstorable
      ? error.message
      : "a value that throws when it is read";
    throw new TypeError(
      `Cannot ${action} ${
        JSON.stringify(key)
      }: want a value that structured clone carries as it is: received ${found}`,
      error instanceof Unstorable ? undefined : { cause: error },
    );
  }
}

/** Thrown within a copy, with what was found in place of a storable value. */
class Unstorable extends Error {}

class Cloner {
  readonly #copies = new Map<object, object>();

  clone(value: unknown, depth: number): unknown {
    if (typeof value === "function") throw new Unstorable("a function");
    if (typeof value === "symbol") throw new Unstorable("a symbol");
    if (!isCompound(value)) return value;
    const known = this.#copies.get(value);
    if (known !== undefined) return known;
    if (depth >= MAX_DEPTH) {
      throw new Unstorable(`more than ${MAX_DEPTH} levels of nesting`);
    }
    return this.#copy(value, depth + 1);
  }

  #copy(value: object, depth: number): object {
    const prototype = Object.getPrototypeOf(value);
    if (Array.isArray(value)) {
      if (prototype !== Array.prototype) {
        throw new Unstorable(describe(prototype));
      }
      return this.#properties(
        value,
        this.#keep(value, new Array(value.length)),
        depth,
      );
    }
    if (prototype === Object.prototype || prototype === null) {
      return this.#properties(value, this.#keep(value, {}), depth);
    }
    if (prototype === Map.prototype && hasNoProperties(value)) {
      const copy = this.#keep(value, new Map());
      for (const [key, item] of value as Map<unknown, unknown>) {
        copy.set(this.clone(key, depth), this.clone(item, depth));
      }
      return copy;
    }
    if (prototype === Set.prototype && hasNoProperties(value)) {
      const copy = this.#keep(value, new Set());
      for (const item of value as Set<unknown>) {
        copy.add(this.clone(item, depth));
      }
      return copy;
    }
    if (prototype === Date.prototype && hasNoProperties(value)) {
      return this.#keep(value, new Date((value as Date).getTime()));
    }
    if (VIEW_PROTOTYPES.has(prototype)) {
      return this.#view(value as DataView, depth);
    }
    if (
      LEAF_PROTOTYPES.has(prototype) &&
      Object.keys(value).length === indexCount(value)
    ) {
      return this.#keep(value, structuredClone(value));
    }
    if (ERROR_PROTOTYPES.has(prototype) && hasNoProperties(value)) {
      const copy = this.#keep(value, structuredClone(value));
      this.clone((value as Error).cause, depth); // refuses what it would change
      return copy;
    }
    throw new Unstorable(describe(prototype));
  }

  #keep<T extends object>(value: object, copy: T): T {
    this.#copies.set(value, copy);
    return copy;
  }

  #properties(value: object, copy: object, depth: number): object {
    if (Object.getOwnPropertySymbols(value).length > 0) {
      throw new Unstorable("an object with a symbol as a key");
    }
    for (const key of Object.keys(value)) {
      const item = this.clone(Reflect.get(value, key), depth);
      // plain assignment would change the prototype where __proto__ is an accessor
      if (key === "__proto__") {
        Object.defineProperty(copy, key, {
          value: item,
          configurable: true,
          enumerable: true,
          writable: true,
        });
      } else {
        Reflect.set(copy, key, item);
      }
    }
    return copy;
  }

  #view(value: DataView, depth: number): object {
    if (!(value.buffer instanceof ArrayBuffer)) {
      throw new Unstorable("shared memory");
    }
    const buffer = this.clone(value.buffer, depth) as ArrayBuffer;
    const View = Object.getPrototypeOf(value)
      .constructor as DataViewConstructor;
    const length = (value as unknown as { length?: number }).length ??
      value.byteLength;
    return this.#keep(value, new View(buffer, value.byteOffset, length));
  }
}

/** Says whether nothing of an app's is on an object, where it would get lost. */
function hasNoProperties(value: object): boolean {
  return Object.keys(value).length === 0;
}

/** A boxed string's own keys are its indices: they are no properties of an app's. */
function indexCount(value: object): number {
  return value instanceof String ? value.length : 0;
}

function describe(prototype: object | null): string {
  const name = (prototype as { constructor?: { name?: unknown } } | null)
    ?.constructor?.name;
  return typeof name === "string" && name !== ""
    ? `an instance of ${name}`
    : "a class instance";
}

/**
 * Says whether two values are the same to the letter, deeply.
 *
 * Order counts (of keys, Map and Set entries), `-0` is not `0`, `NaN` is `NaN`.
 *
 * @param a One value, of those that {@linkcode cloneValue} copies.
 * @param b The other, which may meanwhile hold anything.
 * @returns Whether nothing distinguishes them.
 */
export function equalValues(a: unknown, b: unknown): boolean {
  return Object.is(a, b) ||
    (isCompound(a) && isCompound(b) && equalObjects(a, b, new Map()));
}

function equalItems(
  a: unknown,
  b: unknown,
  seen: Map<object, object>,
): boolean {
  return Object.is(a, b) ||
    (isCompound(a) && isCompound(b) && equalObjects(a, b, seen));
}

function equalObjects(
  a: object,
  b: object,
  seen: Map<object, object>,
): boolean {
  const known = seen.get(a);
  if (known !== undefined) return known === b;
  const prototype = Object.getPrototypeOf(a);
  const other = Object.getPrototypeOf(b);
  if (
    prototype !== other &&
    (prototype ?? Object.prototype) !== (other ?? Object.prototype)
  ) {
    return false;
  }
  seen.set(a, b);
  if (a instanceof Map) {
    return b instanceof Map &&
      equalSequences([...a].flat(1), [...b].flat(1), seen);
  }
  if (a instanceof Set) {
    return equalSequences([...a], [...b as Set<unknown>], seen);
  }
  if (a instanceof Date) return Object.is(a.getTime(), (b as Date).getTime());
  if (a instanceof RegExp) {
    return String(a) === String(b) && a.lastIndex === (b as RegExp).lastIndex;
  }
  if (a instanceof Error) {
    const error = b as Error;
    return a.name === error.name && a.message === error.message &&
      a.stack === error.stack &&
      equalItems(a.cause, error.cause, seen) && Object.keys(error).length === 0;
  }
  if (ArrayBuffer.isView(a)) {
    const view = b as ArrayBufferView;
    return a.byteOffset === view.byteOffset &&
      a.byteLength === view.byteLength &&
      equalItems(a.buffer, view.buffer, seen);
  }
  if (a instanceof ArrayBuffer) {
    return equalBytes(new Uint8Array(a), new Uint8Array(b as ArrayBuffer));
  }
  if (LEAF_PROTOTYPES.has(prototype)) {
    return Object.is(a.valueOf(), b.valueOf());
  }
  return equalProperties(a, b, seen);
}

function equalProperties(
  a: object,
  b: object,
  seen: Map<object, object>,
): boolean {
  const keys = Object.keys(a);
  const others = Object.keys(b);
  if (
    keys.length !== others.length || Object.getOwnPropertySymbols(b).length > 0
  ) return false;
  if (Array.isArray(a) && a.length !== (b as unknown[]).length) return false;
  return keys.every((key, index) =>
    key === others[index] &&
    equalItems(Reflect.get(a, key), Reflect.get(b, key), seen)
  );
}

function equalSequences(
  a: unknown[],
  b: unknown[],
  seen: Map<object, object>,
): boolean {
  return a.length === b.length &&
    a.every((item, index) => equalItems(item, b[index], seen));
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
