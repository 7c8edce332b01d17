/**
 * Records as values of Deno KV: measured, and copied where they may change, in one
 * walk, or serialised and cut into parts if they are too large for one entry.
 *
 * @module
 */

import { deserialize, serialize } from "./_node.ts";

/** Largest value that Deno KV keeps, in bytes (denokv, `MAX_VALUE_SIZE_BYTES`). */
const VALUE_LIMIT_BYTES = 65_536;
/** Most parts a record can have: all of them fit one atomic operation. */
const MAX_PARTS = 16;

/** The one key of a {@linkcode PartsHead}, which no record stored whole has. */
const HEAD_KEY = "tessera:parts";

/** Where the parts of a record are. */
export interface Parts {
  /** Tells this state of the record from earlier ones, in the keys of its parts. */
  readonly generation: string;
  /** How many parts there are. */
  readonly count: number;
}

/** What is stored under an id in place of a record in parts. */
export interface PartsHead {
  /** Where the parts are. */
  readonly [HEAD_KEY]: Parts;
}

/** A record that is ready to be stored, and does not change any more. */
export type FrozenRecord =
  | {
    /** The record, or a deep copy, for an entry of its own. */
    readonly value: unknown;
    /** Its serialised size in bytes, or an upper bound of it. */
    readonly size: number;
  }
  | {
    /** The serialised record, too large for one entry. */
    readonly bytes: Uint8Array;
    /** Its size in bytes. */
    readonly size: number;
  };

/**
 * Measures a record, and copies it.
 *
 * Small plain records take one walk of about a microsecond, which bounds their
 * size; the others are serialised, once, as Deno KV does it.
 *
 * @param record The record.
 * @param owned Whether nobody changes it any more, so that it is not copied.
 * @returns The record, ready to be stored.
 * @throws {TypeError} If it holds what structured clone does not carry.
 */
export function freezeRecord(record: unknown, owned: boolean): FrozenRecord {
  const walked = walkPlain(record, { copies: !owned });
  const headLike = partsOf(record) !== undefined;
  if (walked !== undefined && walked.size <= VALUE_LIMIT_BYTES && !headLike) {
    return walked;
  }
  const bytes = serializeRecord(record);
  const size = bytes.length;
  if (size > VALUE_LIMIT_BYTES || headLike) return { bytes, size };
  if (walked !== undefined) return { value: walked.value, size };
  return { value: owned ? record : deserialize(bytes), size };
}

/** Copies a value that was read, as if it had been read once more. */
export function copyValue(value: unknown): unknown {
  const copy = walkPlain(value, { copies: true });
  if (copy !== undefined) return copy.value;
  try {
    return structuredClone(value);
  } catch {
    return value; // it never was in a database, nor is it a record
  }
}

/** Cuts a serialised record into the values of its parts. */
export function cutIntoParts(bytes: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; start += VALUE_LIMIT_BYTES) {
    parts.push(bytes.subarray(start, start + VALUE_LIMIT_BYTES));
  }
  return parts;
}

/** Returns the record whose parts these are, or `undefined` if they are damaged. */
export function joinParts(
  parts: readonly unknown[],
): { record: unknown } | undefined {
  if (!parts.every((part) => part instanceof Uint8Array)) return undefined;
  const size = parts.reduce((sum, { length }) => sum + length, 0);
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  try {
    return { record: deserialize(bytes) };
  } catch {
    return undefined;
  }
}

/** Makes the value that leads to parts. */
export function partsHead(parts: Parts): PartsHead {
  return { [HEAD_KEY]: parts };
}

/** Returns where the parts are if a stored value is a {@linkcode PartsHead}. */
export function partsOf(value: unknown): Parts | undefined {
  if (
    typeof value !== "object" || value === null ||
    !Object.hasOwn(value, HEAD_KEY)
  ) return undefined;
  const parts = (value as PartsHead)[HEAD_KEY];
  return typeof parts?.generation === "string" &&
      Number.isSafeInteger(parts.count) && parts.count >= 0 &&
      parts.count <= MAX_PARTS
    ? parts
    : undefined;
}

function serializeRecord(record: unknown): Uint8Array {
  try {
    return serialize(record);
  } catch {
    // no cause: V8's message shows what it could not serialise
    throw notSerializable();
  }
}

/** Makes the error for a record that cannot be stored. */
export function notSerializable(): TypeError {
  return new TypeError(
    "Cannot store session: every value must be one that structured clone carries: received one that it does not",
  );
}

/** Measures plain data, and copies it; `undefined` for anything that takes more than that. */
function walkPlain(
  record: unknown,
  { copies }: { copies: boolean },
): { value: unknown; size: number } | undefined {
  const walk = new PlainWalk(copies);
  try {
    return { value: walk.visit(record), size: walk.size };
  } catch {
    // NOT_PLAIN, a getter that throws, or nested too deeply: the serialiser
    // does it, or says what is wrong
    return undefined;
  }
}

/** Thrown inside a walk; not an `Error`, whose stack trace would cost more than the walk. */
const NOT_PLAIN = Symbol("not plain");

/** Serialised sizes in bytes, upper bounds (V8, `src/objects/value-serializer.cc`). */
const HEADER_BYTES = 2;
const TAG_BYTES = 1;
const INTEGER_BYTES = 6;
const NUMBER_BYTES = 9;
/** Tag, length and padding. */
const STRING_BYTES = 7;
/** Tags of begin and end, and two counts. */
const OBJECT_BYTES = 17;
/** An `ArrayBuffer` and the view of it. */
const BYTES_BYTES = 26;

/** So many objects are looked for one by one; a `Set` costs more than a small walk. */
const FEW = 16;

class PlainWalk {
  readonly #copies: boolean;
  size = HEADER_BYTES;
  /** A second reference to an object must stay one: left to the serialiser. */
  readonly #few: object[] = [];
  #more: Set<object> | undefined;

  constructor(copies: boolean) {
    this.#copies = copies;
  }

  /** Counts a value; returns it, or a copy. */
  visit(value: unknown): unknown {
    switch (typeof value) {
      case "string":
        this.size += STRING_BYTES + 2 * value.length;
        return value;
      case "number":
        this.size += NUMBER_BYTES;
        return value;
      case "boolean":
      case "undefined":
        this.size += TAG_BYTES;
        return value;
      case "object":
        if (value === null) {
          this.size += TAG_BYTES;
          return value;
        }
        return this.#object(value);
      case "bigint":
        this.size += INTEGER_BYTES + 8 + value.toString(16).length;
        return value;
      default:
        throw NOT_PLAIN;
    }
  }

  #object(value: object): unknown {
    this.#see(value);
    this.size += OBJECT_BYTES;
    switch (Object.getPrototypeOf(value)) {
      case Object.prototype:
      case null:
        return this.#plain(value as Record<string, unknown>);
      case Array.prototype:
        return this.#array(value as unknown[]);
      case Map.prototype:
        return this.#map(value as Map<unknown, unknown>);
      case Set.prototype:
        return this.#set(value as Set<unknown>);
      case Date.prototype:
        return this.#copies ? new Date((value as Date).getTime()) : value;
      case Uint8Array.prototype:
        return this.#bytes(value as Uint8Array);
      default:
        throw NOT_PLAIN;
    }
  }

  #see(value: object): void {
    if (this.#few.includes(value) || this.#more?.has(value)) throw NOT_PLAIN;
    if (this.#few.length < FEW) this.#few.push(value);
    else (this.#more ??= new Set()).add(value);
  }

  #plain(value: Record<string, unknown>): Record<string, unknown> {
    const result = this.#copies ? { ...value } : value;
    for (const key of Object.keys(result)) {
      if (key === "__proto__") throw NOT_PLAIN;
      this.size += STRING_BYTES + 2 * key.length;
      const item = result[key];
      const own = this.visit(item);
      if (this.#copies && own !== item) result[key] = own;
    }
    return result;
  }

  #array(value: unknown[]): unknown[] {
    const { length } = value;
    // holes, or properties beside the elements; if as many of both, a hole shows it
    if (Object.keys(value).length !== length) throw NOT_PLAIN;
    const copy: unknown[] | undefined = this.#copies ? [] : undefined;
    for (let i = 0; i < length; i++) {
      const item = value[i];
      if (item === undefined && !Object.hasOwn(value, i)) throw NOT_PLAIN;
      const own = this.visit(item);
      copy?.push(own);
    }
    return copy ?? value;
  }

  #map(value: Map<unknown, unknown>): Map<unknown, unknown> {
    const copy = this.#copies ? new Map() : undefined;
    for (const [key, item] of value) {
      const own = this.visit(key);
      const ownItem = this.visit(item);
      copy?.set(own, ownItem);
    }
    return copy ?? value;
  }

  #set(value: Set<unknown>): Set<unknown> {
    const copy = this.#copies ? new Set() : undefined;
    for (const item of value) {
      const own = this.visit(item);
      copy?.add(own);
    }
    return copy ?? value;
  }

  #bytes(value: Uint8Array): Uint8Array {
    const { buffer, byteLength } = value;
    // a view is stored with the whole of its buffer, which it may share
    if (
      !(buffer instanceof ArrayBuffer) || buffer.byteLength !== byteLength ||
      buffer.resizable
    ) throw NOT_PLAIN;
    this.#see(buffer);
    this.size += BYTES_BYTES + byteLength;
    return this.#copies ? value.slice() : value;
  }
}
