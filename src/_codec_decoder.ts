/**
 * The decoding half of `_codec.ts`, which says what the format is.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { ERRORS, isObject, VIEWS } from "./_codec_kinds.ts";

/** An object that is there, and what is to be put into it. */
interface Filling {
  readonly items: readonly unknown[];
  /** How many of the items are done. */
  done: number;
  readonly put: (value: unknown, index: number) => void;
}

/** Decodes one record, without recursion: however deep, the stack is enough. */
export class Decoder {
  /** The objects that occur more than once, by number. */
  readonly #shared = new Map<number, object>();
  /** The objects that are being filled, from the outside in. */
  readonly #fillings: Filling[] = [];

  /**
   * Decodes a record; may make use of what it is given.
   *
   * @param json What `JSON.parse` returned.
   * @returns The record.
   * @throws {Error} If it is not of the format.
   */
  decode(json: unknown): unknown {
    const record = this.#create(json);
    // in the order of the text: an object comes before references to it
    for (
      let filling = this.#fillings.at(-1);
      filling !== undefined;
      filling = this.#fillings.at(-1)
    ) {
      const index = filling.done++;
      if (index === filling.items.length) this.#fillings.pop();
      else filling.put(this.#create(filling.items[index]), index);
    }
    return record;
  }

  /** Creates a value; what is in it comes later. */
  #create(json: unknown, n?: number): unknown {
    if (!isObject(json)) return json;
    if (Array.isArray(json)) {
      return this.#fill(json, n, json, (value, index) => json[index] = value);
    }
    const keys = Object.keys(json);
    const [key = ""] = keys;
    if (keys.length === 1 && key.startsWith("$")) {
      return this.#tag(key.slice(1), Reflect.get(json, key), n);
    }
    // `JSON.parse` defined the properties, so even `__proto__` is assigned.
    return this.#fill(
      json,
      n,
      Object.values(json),
      (value, index) => Reflect.set(json, keys[index] as string, value),
    );
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
      case "map":
        return this.#map(json as [unknown, unknown][], n);
      case "set": {
        const set = new Set();
        return this.#fill(set, n, [...json as unknown[]], (it) => set.add(it));
      }
      case "regexp": {
        const [source, flags] = json as [string, string];
        return this.#keep(new RegExp(source, flags), n);
      }
      case "boxed":
        return this.#keep(Object(this.#create(json)), n);
      case "error":
        return this.#error(json as Record<string, unknown>, n);
      case "ArrayBuffer":
        return this.#keep(toBuffer(json), n);
      case "array": {
        const [length, items] = json as [number, unknown];
        return this.#properties(new Array(length), n, items);
      }
      case "object":
        return this.#properties({}, n, json);
      case "shared": {
        const [number, value] = json as [number, unknown];
        return this.#create(value, number);
      }
      case "ref":
        return this.#find(json as number);
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

  #fill<T extends object>(
    target: T,
    n: number | undefined,
    items: readonly unknown[],
    put: Filling["put"],
  ): T {
    this.#fillings.push({ items, done: 0, put });
    return this.#keep(target, n);
  }

  #map(json: [unknown, unknown][], n: number | undefined): object {
    const map = new Map();
    const items: unknown[] = [];
    for (const [key, item] of json) items.push(key, item);
    let key: unknown;
    return this.#fill(map, n, items, (value, index) => {
      if (index % 2 === 0) key = value;
      else map.set(key, value);
    });
  }

  /** Decodes properties that are an object, or pairs of key and value. */
  #properties(target: object, n: number | undefined, json: unknown): object {
    if (!isObject(json)) throw new SyntaxError("No properties");
    const entries = Array.isArray(json)
      ? json as [string, unknown][]
      : Object.entries(json);
    const keys = entries.map(([key]) => key);
    return this.#fill(
      target,
      n,
      entries.map(([, item]) => item),
      (value, index) => define(target, keys[index] as string, value, true),
    );
  }

  #error(json: Record<string, unknown>, n: number | undefined): Error {
    const constructor = ERRORS.get(json.name as string) ?? Error;
    const error = new constructor();
    for (const key of ["message", "stack"]) {
      if (Object.hasOwn(json, key)) define(error, key, json[key], false);
    }
    if (!Object.hasOwn(json, "stack")) delete error.stack;
    if (!Object.hasOwn(json, "cause")) return this.#keep(error, n);
    return this.#fill(
      error,
      n,
      [json.cause],
      (cause) => define(error, "cause", cause, false),
    );
  }

  #view(name: string, json: unknown, n: number | undefined): ArrayBufferView {
    const View = VIEWS.get(name);
    if (View === undefined) throw new SyntaxError(`No tag ${name}`);
    if (typeof json === "string") {
      return this.#keep(new View(toBuffer(json)), n);
    }
    const [inner, byteOffset, length] = json as [unknown, number, number];
    const buffer = this.#create(inner);
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
