/**
 * The encoding half of `_codec.ts`, which says what the format is.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { ERRORS, isObject, kindOf } from "./_codec_kinds.ts";

/** How much longer than a string its JSON is, if nothing is escaped. */
const QUOTES = 2;

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

/** Text, and the objects whose text belongs between. */
type Segments = (string | object)[];

/** Encodes one record, without recursion: however deep, the stack is enough. */
class Encoder {
  /** The objects that occur more than once; 0 until they are written. */
  readonly #shared = new Map<object, number>();
  #count = 0;

  /** Looks for objects that occur more than once in a value. */
  constructor(value: object) {
    const seen = new Set<object>();
    const rest = [value];
    for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
      if (seen.has(next)) {
        this.#shared.set(next, 0);
        continue;
      }
      seen.add(next);
      for (const inner of innerValues(next)) {
        if (isObject(inner)) rest.push(inner);
      }
    }
  }

  encode(value: object): string {
    let text = "";
    const rest: Segments = [value];
    for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
      if (typeof next === "string") {
        text += next;
        continue;
      }
      const segments = this.#object(next);
      for (let n = segments.length - 1; n >= 0; n--) {
        rest.push(segments[n] as string | object);
      }
    }
    return text;
  }

  #object(value: object): Segments {
    const known = this.#shared.get(value);
    if (known === undefined) return this.#content(value);
    if (known > 0) return [`{"$ref":${known}}`];
    const n = ++this.#count;
    this.#shared.set(value, n);
    return [`{"$shared":[${n},`, ...this.#content(value), "]}"];
  }

  #content(value: object): Segments {
    switch (kindOf(value)) {
      case "object":
        return plainObject(value);
      case "array":
        return array(value as unknown[]);
      case "map": {
        const writer = new Writer('{"$map":[');
        let separator = "[";
        for (const [key, item] of value as Map<unknown, unknown>) {
          writer.write(separator, key);
          writer.write(",", item);
          separator = "],[";
        }
        return writer.end(separator === "[" ? "]}" : "]]}");
      }
      case "set": {
        const writer = new Writer('{"$set":[');
        let separator = "";
        for (const item of value as Set<unknown>) {
          writer.write(separator, item);
          separator = ",";
        }
        return writer.end("]}");
      }
      case "date": {
        const time = (value as Date).getTime();
        const text = Number.isNaN(time)
          ? "null"
          : `"${new Date(time).toISOString()}"`;
        return [`{"$date":${text}}`];
      }
      case "view":
        return this.#view(value as ArrayBufferView);
      case "buffer":
        return [encodeBuffer(value as ArrayBuffer)];
      case "error":
        return error(value as Error);
      case "regexp": {
        const { source, flags } = value as RegExp;
        return [`{"$regexp":${JSON.stringify([source, flags])}}`];
      }
      case "boxed":
        return [`{"$boxed":${encodePrimitive(value.valueOf())}}`];
    }
  }

  #view(value: ArrayBufferView): Segments {
    const { buffer, byteOffset, byteLength } = value;
    const { name } = value.constructor;
    if (!(buffer instanceof ArrayBuffer)) throw unencodable("shared memory");
    if (
      byteLength === buffer.byteLength && !buffer.resizable &&
      !this.#shared.has(buffer)
    ) {
      return [`{"$${name}":"${toBase64(buffer)}"}`];
    }
    const length = "length" in value ? value.length : byteLength;
    return [`{"$${name}":[`, buffer, `,${byteOffset},${length}]}`];
  }
}

/** Collects text, until it comes to an object. */
class Writer {
  readonly #segments: Segments = [];
  #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  write(text: string, value: unknown): void {
    if (!isObject(value)) {
      this.#text += text + encodePrimitive(value);
      return;
    }
    this.#segments.push(this.#text + text, value);
    this.#text = "";
  }

  end(text: string): Segments {
    this.#segments.push(this.#text + text);
    return this.#segments;
  }
}

/** Lists what an object holds. */
function innerValues(value: object): Iterable<unknown> {
  switch (kindOf(value)) {
    case "map":
      return [...value as Map<unknown, unknown>].flat();
    case "set":
      return value as Set<unknown>;
    case "object":
    case "array":
      return Object.values(value);
    case "view":
      return [(value as ArrayBufferView).buffer];
    case "error":
      return [(value as Error).cause];
    default:
      return [];
  }
}

function plainObject(value: object): Segments {
  const keys = Object.keys(value);
  const names = toNames(keys);
  if (names.escaped || keys.length === 1 && keys[0]?.startsWith("$")) {
    return properties('{"$object":', value, keys, names, "}");
  }
  return properties("", value, keys, names, "");
}

function array(value: unknown[]): Segments {
  const keys = Object.keys(value);
  // an array's own keys begin with its indices, in order
  if (
    keys.length !== value.length ||
    keys.length > 0 && keys.at(-1) !== String(value.length - 1)
  ) {
    const begin = `{"$array":[${value.length},`;
    return properties(begin, value, keys, toNames(keys), "]}");
  }
  const writer = new Writer("[");
  let separator = "";
  for (const item of value) {
    writer.write(separator, item);
    separator = ",";
  }
  return writer.end("]");
}

/** Keys as JSON. */
interface Names {
  readonly texts: readonly string[];
  /** Whether any of them has an escape. */
  readonly escaped: boolean;
}

function toNames(keys: readonly string[]): Names {
  let escaped = false;
  const texts = keys.map((key) => {
    const text = JSON.stringify(key);
    if (text.length !== key.length + QUOTES) escaped = true;
    return text;
  });
  return { texts, escaped };
}

/**
 * Encodes properties as an object or, if a key has an escape, in pairs.
 *
 * V8 15 may misread such keys. `JSON.parse('{"a":1,"\\u0000":2}')` makes a
 * backslash of the second, the first character of its escape, if there has ever
 * been an object with these two keys.
 */
function properties(
  begin: string,
  value: object,
  keys: readonly string[],
  { texts, escaped }: Names,
  end: string,
): Segments {
  const writer = new Writer(begin + (escaped ? "[" : "{"));
  let separator = escaped ? "[" : "";
  for (const [n, key] of keys.entries()) {
    const text = separator + texts[n] + (escaped ? "," : ":");
    writer.write(text, Reflect.get(value, key));
    separator = escaped ? "],[" : ",";
  }
  return writer.end((escaped ? "]]" : "}") + end);
}

function error(value: Error): Segments {
  const name = ERRORS.has(value.name) ? value.name : "Error";
  let text = `{"$error":{"name":"${name}"`;
  if (Object.hasOwn(value, "message")) {
    text += `,"message":${JSON.stringify(String(value.message))}`;
  }
  if (typeof value.stack === "string") {
    text += `,"stack":${JSON.stringify(value.stack)}`;
  }
  const writer = new Writer(text);
  if (Object.hasOwn(value, "cause")) writer.write(',"cause":', value.cause);
  return writer.end("}}");
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

function unencodable(what: string): TypeError {
  return new TypeError(`Cannot encode a record: received ${what}`);
}
