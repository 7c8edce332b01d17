/**
 * The decoding half of `_codec.ts`, which says what the format is.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { ERRORS, isObject, VIEWS } from "./_codec_encoder.ts";

/** Decodes one record. */
export class Decoder {
  /** The objects that occur more than once, by number. */
  readonly #shared = new Map<number, object>();

  /**
   * Decodes a value; may make use of what it is given.
   *
   * @param json What `JSON.parse` returned.
   * @param n The number of the object, if it occurs more than once.
   * @returns The value.
   * @throws {Error} If it is not of the format.
   */
  decode(json: unknown, n?: number): unknown {
    if (!isObject(json)) return json;
    if (Array.isArray(json)) {
      this.#keep(json, n);
      for (let i = 0; i < json.length; i++) {
        if (typeof json[i] === "object") json[i] = this.decode(json[i]);
      }
      return json;
    }
    const keys = Object.keys(json);
    const [key = ""] = keys;
    if (keys.length === 1 && key.startsWith("$")) {
      return this.#tag(key.slice(1), Reflect.get(json, key), n);
    }
    return this.#properties(json, this.#keep(json, n), keys);
  }

  #tag(tag: string, json: unknown, n: number | undefined): unknown {
    switch (tag) {
      case "undefined":
        return undefined;
      case "number":
        return Number(json);
      case "bigint":
        return BigInt(json as string);
      case "date":
        return this.#keep(new Date(json === null ? NaN : json as string), n);
      case "map": {
        const map = this.#keep(new Map(), n);
        for (const [key, item] of json as [unknown, unknown][]) {
          map.set(this.decode(key), this.decode(item));
        }
        return map;
      }
      case "set": {
        const set = this.#keep(new Set(), n);
        for (const item of json as unknown[]) set.add(this.decode(item));
        return set;
      }
      case "regexp": {
        const [source, flags] = json as [string, string];
        return this.#keep(new RegExp(source, flags), n);
      }
      case "boxed":
        return this.#keep(Object(this.decode(json)), n);
      case "error":
        return this.#error(json as Record<string, unknown>, n);
      case "ArrayBuffer":
        return this.#keep(toBuffer(json), n);
      case "array": {
        const [length, items] = json as [number, object];
        const array = this.#keep(new Array(length), n);
        return this.#properties(items, array, Object.keys(items));
      }
      case "shared": {
        const [number, value] = json as [number, unknown];
        return this.decode(value, number);
      }
      case "ref":
        return this.#find(json as number);
      case "object": {
        if (!isObject(json)) throw new SyntaxError("No object");
        return this.#properties(json, this.#keep(json, n), Object.keys(json));
      }
      default:
        return this.#view(tag, json, n);
    }
  }

  #keep<T extends object>(value: T, n: number | undefined): T {
    if (n !== undefined) this.#shared.set(n, value);
    return value;
  }

  #find(n: number): object {
    const value = this.#shared.get(n);
    if (value === undefined) throw new SyntaxError(`No object ${n}`);
    return value;
  }

  #properties(json: object, target: object, keys: string[]): object {
    for (const key of keys) {
      const item = Reflect.get(json, key);
      // `JSON.parse` defined the properties of its own objects, so that even
      // `__proto__` can be assigned.
      if (json !== target) define(target, key, this.decode(item), true);
      else if (typeof item === "object") {
        Reflect.set(json, key, this.decode(item));
      }
    }
    return target;
  }

  #error(json: Record<string, unknown>, n: number | undefined): Error {
    const constructor = ERRORS.get(json.name as string) ?? Error;
    const error = this.#keep(new constructor(), n);
    for (const key of ["message", "stack"]) {
      if (Object.hasOwn(json, key)) define(error, key, json[key], false);
    }
    if (!Object.hasOwn(json, "stack")) delete error.stack;
    if (Object.hasOwn(json, "cause")) {
      define(error, "cause", this.decode(json.cause), false);
    }
    return error;
  }

  #view(name: string, json: unknown, n: number | undefined): ArrayBufferView {
    const View = VIEWS.get(name);
    if (View === undefined) throw new SyntaxError(`No tag ${name}`);
    if (typeof json === "string") {
      return this.#keep(new View(toBuffer(json)), n);
    }
    const [inner, byteOffset, length] = json as [unknown, number, number];
    const buffer = this.decode(inner);
    if (!(buffer instanceof ArrayBuffer)) throw new SyntaxError("No buffer");
    return this.#keep(new View(buffer, byteOffset, length), n);
  }
}

function toBuffer(json: unknown): ArrayBuffer {
  const [text, maxByteLength] = (Array.isArray(json) ? json : [json]) as [
    string,
    number?,
  ];
  const bytes = Buffer.from(text, "base64");
  const buffer = maxByteLength === undefined
    ? new ArrayBuffer(bytes.length)
    : new ArrayBuffer(bytes.length, { maxByteLength });
  new Uint8Array(buffer).set(bytes);
  return buffer;
}

function define(
  target: object,
  key: string,
  value: unknown,
  enumerable: boolean,
): void {
  Object.defineProperty(target, key, {
    value,
    enumerable,
    configurable: true,
    writable: true,
  });
}
