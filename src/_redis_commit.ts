/**
 * Commits as calls of the script that carries them out.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { checkExpireIn } from "./_check.ts";
import { encodeRecord } from "./_codec.ts";
import type { RedisEvalOptions } from "./_redis_client.ts";
import { type RedisKeys, toMember } from "./_redis_keys.ts";
import { toValue } from "./_redis_value.ts";
import { SessionTooLargeError } from "./errors.ts";
import type { StoreCommit, StorePut } from "./session_store.ts";

/**
 * Makes the keys and arguments of a commit, in the order in which
 * `COMMIT_SCRIPT` takes them.
 *
 * @param commit The commit.
 * @param version The version of the records it puts.
 * @param redisKeys Makes the keys.
 * @param limit The largest record, in bytes.
 * @returns Keys and arguments.
 * @throws {SessionTooLargeError} If a record is over the limit.
 * @throws {TypeError} If a record cannot be encoded.
 * @throws {RangeError} If an `expireIn` is not an integer of 1 or more.
 */
export function toCall(
  commit: StoreCommit,
  version: string,
  redisKeys: RedisKeys,
  limit: number,
): RedisEvalOptions {
  const { check, put, delete: gone } = commit;
  const keys = [redisKeys.ids];
  const values = [
    String(check.length),
    String(put.length),
    String(gone.length),
    redisKeys.channels,
  ];
  for (const { id, version } of check) {
    keys.push(redisKeys.record(toMember(id)));
    values.push(version === null ? "" : `${version}"`);
  }
  const name = (id: string, subject: string | undefined) => {
    const member = toMember(id);
    keys.push(redisKeys.record(member));
    if (subject !== undefined) keys.push(redisKeys.subject(subject));
    values.push(member, subject === undefined ? "0" : "1");
  };
  for (const item of put) {
    name(item.id, item.subject);
    checkExpireIn(item.expireIn);
    values.push(String(item.expireIn), toValue(encode(item, limit), version));
  }
  for (const { id, subject } of gone) name(id, subject);
  return { keys, arguments: values };
}

function encode({ record }: StorePut, limit: number): string {
  const text = encodeRecord(record);
  // a code unit is 3 bytes at most
  if (text.length * 3 <= limit) return text;
  const size = Buffer.byteLength(text);
  if (size <= limit) return text;
  throw new SessionTooLargeError(
    `Cannot store session: want at most ${limit} bytes: received ${size}`,
    { size, limit },
  );
}
