/**
 * Session values: what structured clone carries, copied and compared.
 *
 * Unlike `structuredClone`, the copy refuses what would silently become
 * something else (class instances, symbol keys), and costs next to nothing for
 * the small values that sessions hold.
 *
 * @module
 */

import {
  describe,
  equalBytes,
  hasProperties,
  isBuiltIn,
} from "./_value_kinds.ts";

/** Levels of nesting that a value may have; engines overflow at some thousands. */
const MAX_DEPTH = 1_000;

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
    if (!isBuiltIn(prototype)) throw new Unstorable(describe(prototype));
    if (hasProperties(value)) {
      throw new Unstorable(
        `${describe(prototype)} with properties of its own`,
      );
    }
    if (prototype === Map.prototype) {
      const copy = this.#keep(value, new Map());
      for (const [key, item] of value as Map<unknown, unknown>) {
        copy.set(this.clone(key, depth), this.clone(item, depth));
      }
      return copy;
    }
    if (prototype === Set.prototype) {
      const copy = this.#keep(value, new Set());
      for (const item of value as Set<unknown>) {
        copy.add(this.clone(item, depth));
      }
      return copy;
    }
    if (prototype === Date.prototype) {
      return this.#keep(value, new Date((value as Date).getTime()));
    }
    if (ArrayBuffer.isView(value)) return this.#view(value, depth);
    const copy = this.#keep(value, structuredClone(value));
    // refuses what it would change
    if (value instanceof Error) this.clone(value.cause, depth);
    return copy;
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

  #view(value: ArrayBufferView, depth: number): object {
    if (!(value.buffer instanceof ArrayBuffer)) {
      throw new Unstorable("shared memory");
    }
    const buffer = this.clone(value.buffer, depth) as ArrayBuffer;
    const View = Object.getPrototypeOf(value)
      .constructor as DataViewConstructor;
    const length = "length" in value
      ? value.length as number
      : value.byteLength;
    return this.#keep(value, new View(buffer, value.byteOffset, length));
  }
}

/**
 * Says whether two values are the same to the letter, deeply.
 *
 * Order counts (of keys, Map and Set entries), `-0` is not `0`, `NaN` is `NaN`.
 *
 * @param a One value, of those that {@linkcode cloneValue} copies.
 * @param b The other, which may meanwhile hold anything.
 * @param seen The objects that are being compared; none from outside.
 * @returns Whether nothing distinguishes them.
 */
export function equalValues(
  a: unknown,
  b: unknown,
  seen?: Map<object, object>,
): boolean {
  return Object.is(a, b) ||
    (isCompound(a) && isCompound(b) && equalObjects(a, b, seen ?? new Map()));
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
  if (!isBuiltIn(prototype)) return equalProperties(a, b, seen);
  if (hasProperties(b)) return false;
  if (a instanceof Map) {
    return b instanceof Map &&
      equalSequences([...a].flat(1), [...b].flat(1), seen);
  }
  if (a instanceof Set) {
    return equalSequences([...a], [...b as Set<unknown>], seen);
  }
  if (a instanceof Date) return Object.is(a.getTime(), (b as Date).getTime());
  // lastIndex is not carried, so it is no change
  if (a instanceof RegExp) return String(a) === String(b);
  if (a instanceof Error) {
    const error = b as Error;
    return a.name === error.name && a.message === error.message &&
      a.stack === error.stack &&
      equalValues(a.cause, error.cause, seen);
  }
  if (ArrayBuffer.isView(a)) {
    const view = b as ArrayBufferView;
    return a.byteOffset === view.byteOffset &&
      a.byteLength === view.byteLength &&
      equalValues(a.buffer, view.buffer, seen);
  }
  if (a instanceof ArrayBuffer) {
    return equalBytes(new Uint8Array(a), new Uint8Array(b as ArrayBuffer));
  }
  return Object.is(a.valueOf(), b.valueOf());
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
    equalValues(Reflect.get(a, key), Reflect.get(b, key), seen)
  );
}

function equalSequences(
  a: unknown[],
  b: unknown[],
  seen: Map<object, object>,
): boolean {
  return a.length === b.length &&
    a.every((item, index) => equalValues(item, b[index], seen));
}
