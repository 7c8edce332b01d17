/**
 * The keys of the store:
 *
 * - `<prefix>:id:<id>`: the record (a string),
 * - `<prefix>:ids`: the ids of all records (a sorted set, every score 0),
 * - `<prefix>:subject:<SHA-256 of the subject>`: the ids of a subject's records
 *   (the same).
 *
 * And the channels: `<prefix>:changed:<id>`.
 *
 * @module
 */

import { createHash } from "node:crypto";

/** What is written as it is. */
const PLAIN_ID = /^[!-}]*$/;
/** What is not: all but the printable characters of ASCII, `~` excepted. */
const ODD_UNIT = /[^!-}]/g;
const ESCAPE = / ([0-9a-f]{2})|~([0-9a-f]{4})/g;

/** Makes the keys under one prefix. */
export class RedisKeys {
  /** The key of the index of all records. */
  readonly ids: string;
  /** What the channel of each record starts with. */
  readonly channels: string;
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
    this.ids = `${prefix}:ids`;
    this.channels = `${prefix}:changed:`;
  }

  /** Returns the key of a record. */
  record(member: string): string {
    return `${this.#prefix}:id:${member}`;
  }

  /** Returns the key of the index of a subject's records. */
  subject(subject: string): string {
    // over code units, not UTF-8: lone surrogates stay distinct
    const hash = createHash("sha256").update(subject, "utf16le");
    return `${this.#prefix}:subject:${hash.digest("base64url")}`;
  }
}

/**
 * Writes an id in printable ASCII. ULIDs stay as they are.
 *
 * No two ids become the same, and they sort by byte as the ids do by code unit:
 * a space and two digits come before every plain character, `~` and four after.
 *
 * @param id Any string.
 * @returns The member of the indexes, and the end of the record's key.
 */
export function toMember(id: string): string {
  if (PLAIN_ID.test(id)) return id;
  return id.replace(ODD_UNIT, (unit) => {
    const code = unit.charCodeAt(0);
    return code <= 0x20
      ? ` ${code.toString(16).padStart(2, "0")}`
      : `~${code.toString(16).padStart(4, "0")}`;
  });
}

/** Reads what {@linkcode toMember} wrote. */
export function fromMember(member: string): string {
  if (PLAIN_ID.test(member)) return member;
  return member.replace(
    ESCAPE,
    (_, low?: string, high?: string) =>
      String.fromCharCode(parseInt(low ?? high ?? "", 16)),
  );
}
