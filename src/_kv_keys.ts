/**
 * The keys of the store:
 *
 * - `[...prefix, "id", id]`: the record, or the head of one in parts,
 * - `[...prefix, "subject", SHA-256 of the subject, id]`: the index entry,
 * - `[...prefix, "part", id, generation, n]`: a piece of a record.
 *
 * @module
 */

import type { KvKey, KvKeyPart } from "./_kv_database.ts";
import { nodeCrypto } from "./_node.ts";

/** Largest key that Deno KV writes, in bytes (denokv, `MAX_WRITE_KEY_SIZE_BYTES`). */
const KEY_LIMIT_BYTES = 2_048;
/** Largest prefix, in bytes: leaves half of the key to the id. */
const PREFIX_LIMIT_BYTES = 1_024;
/** What a key has beside prefix and id, at most, in bytes: "subject" and a hash. */
const KEY_OVERHEAD_BYTES = 64;
/** Ids up to this length fit whatever their characters are, of 3 bytes at most. */
const SHORT_ID_LENGTH = 256;

const ENCODER = new TextEncoder();

/** Makes the keys under one prefix. */
export class KvKeys {
  /** The prefix of all records. */
  readonly records: KvKey;
  readonly #prefix: KvKey;
  readonly #prefixBytes: number;

  /**
   * @param prefix What every key starts with.
   * @throws {TypeError} If the prefix is not a key, or too long.
   */
  constructor(prefix: readonly unknown[]) {
    if (
      !Array.isArray(prefix) || prefix.length === 0 || !prefix.every(isKeyPart)
    ) {
      throw new TypeError(
        `Cannot create KvStore: "prefix" must be a non-empty array of well-formed strings, numbers, bigints, booleans and Uint8Arrays: received ${
          describe(prefix)
        }`,
      );
    }
    this.#prefix = prefix.map((part) =>
      part instanceof Uint8Array ? part.slice() : part
    );
    this.#prefixBytes = this.#prefix.reduce<number>(
      (sum, part) => sum + partBytes(part),
      0,
    );
    if (this.#prefixBytes > PREFIX_LIMIT_BYTES) {
      throw new TypeError(
        `Cannot create KvStore: "prefix" must be at most ${PREFIX_LIMIT_BYTES} bytes: received ${this.#prefixBytes}`,
      );
    }
    this.records = [...this.#prefix, "id"];
  }

  /**
   * Says whether an id can be part of a key.
   *
   * Lone surrogates all become U+FFFD in a key, so two ids would share one.
   */
  accepts(id: string): boolean {
    if (!id.isWellFormed()) return false;
    return id.length <= SHORT_ID_LENGTH ||
      this.#prefixBytes + KEY_OVERHEAD_BYTES + partBytes(id) <= KEY_LIMIT_BYTES;
  }

  /** Returns an upper bound of the size of any key with this id, in bytes. */
  bound(id: string): number {
    // a code unit is 3 bytes at most in UTF-8; NUL is escaped to 2
    return this.#prefixBytes + KEY_OVERHEAD_BYTES + 3 * id.length;
  }

  /** Returns the key of a record. */
  record(id: string): KvKey {
    return [...this.records, id];
  }

  /** Returns the key of a piece of a record. */
  part(id: string, generation: string, n: number): KvKey {
    return [...this.#prefix, "part", id, generation, n];
  }

  /** Returns the prefix of the index entries of a subject. */
  subject(subject: string): KvKey {
    return [...this.#prefix, "subject", hashSubject(subject)];
  }

  /** Returns the key of an index entry. */
  entry(subject: string, id: string): KvKey {
    return [...this.#prefix, "subject", hashSubject(subject), id];
  }
}

/** Hashes over code units, not UTF-8: lone surrogates stay distinct. */
function hashSubject(subject: string): string {
  return nodeCrypto().createHash("sha256").update(subject, "utf16le").digest(
    "base64url",
  );
}

function isKeyPart(part: unknown): part is KvKeyPart {
  return typeof part === "string" && part.isWellFormed() ||
    typeof part === "number" && !Number.isNaN(part) ||
    typeof part === "bigint" || typeof part === "boolean" ||
    part instanceof Uint8Array;
}

/** Returns the size of an encoded part, NUL bytes escaped, or a little more. */
function partBytes(part: KvKeyPart): number {
  if (typeof part === "boolean") return 1;
  if (typeof part === "number") return 9;
  if (typeof part === "bigint") return part.toString(16).length + 3;
  const bytes = typeof part === "string" ? ENCODER.encode(part) : part;
  return bytes.reduce((sum, byte) => sum + (byte === 0 ? 2 : 1), 2);
}

/** Describes a value for a message, in one short line. */
function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  if (Array.isArray(value)) {
    return `[${value.slice(0, 8).map(describe).join(", ")}]`;
  }
  if (typeof value === "object" && value !== null) {
    return Object.prototype.toString.call(value).slice(8, -1);
  }
  if (typeof value === "function") return "a function";
  return typeof value === "bigint" ? `${value}n` : String(value);
}
