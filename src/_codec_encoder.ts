/**
 * The encoding half of `_codec.ts`, which says what the format is.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** Thrown when a value is of no class that the encoder knows. */
export const UNFAMILIAR = Symbol("unfamiliar");

/** The errors that structured clone knows, by name. */
export const ERRORS: ReadonlyMap<string, ErrorConstructor> = new Map(
  [
    Error,
    EvalError,
    RangeError,
    ReferenceError,
    SyntaxError,
    TypeError,
    URIError,
  ].map((constructor) => [constructor.name, constructor]),
);

/** Makes a view of part of a buffer. */
export type ViewConstructor = new (
  buffer: ArrayBuffer,
  byteOffset?: number,
  length?: number,
) => ArrayBufferView;

/** The typed arrays that the platform has, and `DataView`, by name. */
export const VIEWS: ReadonlyMap<string, ViewConstructor> = new Map(
  Object.getOwnPropertyNames(globalThis)
    .filter((name) =>
      /^(?:Big)?(?:Int|Uint|Float)\d+(?:Clamped)?Array$|^DataView$/.test(name)
    )
    .map((name) => [name, Reflect.get(globalThis, name)]),
);

type Kind =
  | "object"
  | "array"
  | "map"
  | "set"
  | "date"
  | "view"
  | "buffer"
  | "error"
  | "regexp"
  | "boxed";

/** What an object is, by its prototype. */
const KINDS: ReadonlyMap<object | null, Kind> = new Map<object | null, Kind>([
  [Object.prototype, "object"],
  [null, "object"],
  [Array.prototype, "array"],
  [Map.prototype, "map"],
  [Set.prototype, "set"],
  [Date.prototype, "date"],
  [ArrayBuffer.prototype, "buffer"],
  [RegExp.prototype, "regexp"],
  [Number.prototype, "boxed"],
  [String.prototype, "boxed"],
  [Boolean.prototype, "boxed"],
  [BigInt.prototype, "boxed"],
  ...[...VIEWS.values()].map(({ prototype }) => [prototype, "view"] as const),
  ...[...ERRORS.values()].map(({ prototype }) => [prototype, "error"] as const),
]);

/**
 * Encodes a value.
 *
 * @param value The value.
 * @returns JSON text.
 * @throws {typeof UNFAMILIAR} If it holds an object of an unknown class.
 * @throws {TypeError} If it holds what cannot be encoded.
 */
export function encode(value: unknown): string {
  return isObject(value)
    ? new Encoder(value).encode(value)
    : encodePrimitive(value);
}

class Encoder {
  readonly #seen = new Set<object>();
  /** The objects that occur more than once; 0 until they are written. */
  readonly #shared = new Map<object, number>();
  #count = 0;

  /** Looks for objects that occur more than once in a value. */
  constructor(value: object) {
    this.#scan(value);
  }

  encode(value: unknown): string {
    if (!isObject(value)) return encodePrimitive(value);
    if (this.#shared.size === 0) return this.#object(value);
    const known = this.#shared.get(value);
    if (known === undefined) return this.#object(value);
    if (known > 0) return `{"$ref":${known}}`;
    const n = ++this.#count;
    this.#shared.set(value, n);
    return `{"$shared":[${n},${this.#object(value)}]}`;
  }

  #scan(value: object): void {
    if (this.#seen.has(value)) {
      this.#shared.set(value, 0);
      return;
    }
    this.#seen.add(value);
    switch (kindOf(value)) {
      case "map":
        for (const [key, item] of value as Map<unknown, unknown>) {
          if (isObject(key)) this.#scan(key);
          if (isObject(item)) this.#scan(item);
        }
        return;
      case "set":
        for (const item of value as Set<unknown>) {
          if (isObject(item)) this.#scan(item);
        }
        return;
      case "object":
      case "array":
        for (const key of Object.keys(value)) {
          const item = Reflect.get(value, key);
          if (isObject(item)) this.#scan(item);
        }
        return;
      case "view":
        return this.#scan((value as ArrayBufferView).buffer);
      case "error": {
        const { cause } = value as Error;
        if (isObject(cause)) this.#scan(cause);
      }
    }
  }

  #object(value: object): string {
    switch (kindOf(value)) {
      case "object":
        return this.#plain(value);
      case "array":
        return this.#array(value as unknown[]);
      case "map": {
        let text = "";
        for (const [key, item] of value as Map<unknown, unknown>) {
          text += `${text && ","}[${this.encode(key)},${this.encode(item)}]`;
        }
        return `{"$map":[${text}]}`;
      }
      case "set": {
        let text = "";
        for (const item of value as Set<unknown>) {
          text += `${text && ","}${this.encode(item)}`;
        }
        return `{"$set":[${text}]}`;
      }
      case "date": {
        const time = (value as Date).getTime();
        return Number.isNaN(time)
          ? '{"$date":null}'
          : `{"$date":"${new Date(time).toISOString()}"}`;
      }
      case "view":
        return this.#view(value as ArrayBufferView);
      case "buffer":
        return encodeBuffer(value as ArrayBuffer);
      case "error":
        return this.#error(value as Error);
      case "regexp": {
        const { source, flags } = value as RegExp;
        return `{"$regexp":${JSON.stringify([source, flags])}}`;
      }
      case "boxed":
        return `{"$boxed":${encodePrimitive(value.valueOf())}}`;
    }
  }

  #plain(value: object): string {
    const keys = Object.keys(value);
    const text = this.#properties(value, keys);
    return keys.length === 1 && keys[0]?.startsWith("$")
      ? `{"$object":${text}}`
      : text;
  }

  #properties(value: object, keys: string[]): string {
    let text = "";
    for (const key of keys) {
      const item = this.encode(Reflect.get(value, key));
      text += `${text && ","}${JSON.stringify(key)}:${item}`;
    }
    return `{${text}}`;
  }

  #array(value: unknown[]): string {
    const keys = Object.keys(value);
    // An array's own keys begin with its indices, in order.
    if (
      keys.length !== value.length ||
      keys.length > 0 && keys.at(-1) !== String(value.length - 1)
    ) {
      return `{"$array":[${value.length},${this.#properties(value, keys)}]}`;
    }
    let text = "";
    for (const item of value) text += `${text && ","}${this.encode(item)}`;
    return `[${text}]`;
  }

  #view(value: ArrayBufferView): string {
    const { buffer, byteOffset, byteLength } = value;
    const { name } = value.constructor;
    if (!(buffer instanceof ArrayBuffer)) throw unencodable("shared memory");
    if (
      byteLength === buffer.byteLength && !buffer.resizable &&
      !this.#shared.has(buffer)
    ) {
      return `{"$${name}":"${toBase64(buffer)}"}`;
    }
    const length = "length" in value ? value.length : byteLength;
    return `{"$${name}":[${this.encode(buffer)},${byteOffset},${length}]}`;
  }

  #error(value: Error): string {
    const name = ERRORS.has(value.name) ? value.name : "Error";
    let text = `"name":"${name}"`;
    if (Object.hasOwn(value, "message")) {
      text += `,"message":${JSON.stringify(String(value.message))}`;
    }
    if (typeof value.stack === "string") {
      text += `,"stack":${JSON.stringify(value.stack)}`;
    }
    if (Object.hasOwn(value, "cause")) {
      text += `,"cause":${this.encode(value.cause)}`;
    }
    return `{"$error":{${text}}}`;
  }
}

function encodePrimitive(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0)
        ? String(value)
        : `{"$number":"${Object.is(value, -0) ? "-0" : value}"}`;
    case "boolean":
      return value ? "true" : "false";
    case "undefined":
      return '{"$undefined":true}';
    case "bigint":
      return `{"$bigint":"${value}"}`;
    case "object":
      if (value === null) return "null";
  }
  throw unencodable(`a ${typeof value}`);
}

function encodeBuffer(value: ArrayBuffer): string {
  const text = `"${toBase64(value)}"`;
  return value.resizable
    ? `{"$ArrayBuffer":[${text},${value.maxByteLength}]}`
    : `{"$ArrayBuffer":${text}}`;
}

function toBase64(value: ArrayBuffer): string {
  if (value.detached) throw unencodable("a detached ArrayBuffer");
  return Buffer.from(value).toString("base64");
}

/** Says whether a value is an object of any kind. */
export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function kindOf(value: object): Kind {
  const kind = KINDS.get(Object.getPrototypeOf(value));
  if (kind === undefined) throw UNFAMILIAR;
  return kind;
}

function unencodable(what: string): TypeError {
  return new TypeError(`Cannot encode a record: received ${what}`);
}
