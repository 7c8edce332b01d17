/**
 * What a commit of the store means in rows.
 *
 * @module
 */

import { checkExpireIn } from "./_check.ts";
import { encodeRecord } from "./_codec.ts";
import { acceptsId, hashSubject } from "./_postgres_ids.ts";
import { SessionTooLargeError } from "./errors.ts";
import type { StoreCheck, StoreCommit, StorePut } from "./session_store.ts";

/** Largest record, in bytes: far below what Postgres takes, far above what is wise. */
export const RECORD_LIMIT_BYTES = 16_777_216;

/** The versions that this store makes: UUIDs as `crypto.randomUUID` writes them. */
const VERSION = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A row to write. */
interface PlannedPut {
  readonly id: string;
  readonly record: string;
  readonly subject: string | null;
  readonly expireIn: number;
}

/** What one commit checks and writes. */
export interface Plan {
  /** The version that a row must have; `null`: there must be none. */
  readonly checks: ReadonlyMap<string, string | null>;
  /** The rows to write, by id. */
  readonly puts: ReadonlyMap<string, PlannedPut>;
  /** The ids of the rows to delete. */
  readonly deletes: ReadonlySet<string>;
  /** All ids of the above. */
  readonly ids: ReadonlySet<string>;
  /** Ids that must not exist, and are not put. */
  readonly vacant: readonly string[];
  /** The size of the records, about, in bytes. */
  readonly size: number;
}

/**
 * Plans a commit: copies its records, and finds out whether they fit.
 *
 * @returns The plan; `undefined` if a check cannot hold, whatever is stored.
 * @throws {SessionTooLargeError} If a record is too large.
 * @throws {TypeError} If an id or a record cannot be stored.
 * @throws {RangeError} If an `expireIn` is not an integer of 1 or more.
 */
export function planCommit(commit: StoreCommit): Plan | undefined {
  const puts = new Map(commit.put.map((put) => [put.id, planPut(put)]));
  const deletes = new Set(
    commit.delete.map(({ id }) => id).filter(acceptsId),
  );
  const checks = planChecks(commit.check);
  if (checks === undefined) return undefined;
  let size = 0;
  for (const { record } of puts.values()) size += record.length;
  return {
    checks,
    puts,
    deletes,
    ids: new Set([...checks.keys(), ...puts.keys(), ...deletes]),
    vacant: [...checks].flatMap(([id, version]) =>
      version === null && !puts.has(id) ? [id] : []
    ),
    size,
  };
}

function planPut({ id, record, expireIn, subject }: StorePut): PlannedPut {
  if (!acceptsId(id)) {
    throw new TypeError(
      `Cannot store session: the id must be at most 600 characters, none of them NUL or a surrogate: received ${
        JSON.stringify(id.slice(0, 40))
      }`,
    );
  }
  checkExpireIn(expireIn);
  const text = encodeRecord(record);
  checkSize(text);
  return {
    id,
    record: text,
    subject: subject === undefined ? null : hashSubject(subject),
    expireIn,
  };
}

function checkSize(text: string): void {
  // no code unit takes more than three bytes
  if (text.length * 3 <= RECORD_LIMIT_BYTES) return;
  const size = new TextEncoder().encode(text).length;
  if (size <= RECORD_LIMIT_BYTES) return;
  throw new SessionTooLargeError(
    `Cannot store session: a record must be at most ${RECORD_LIMIT_BYTES} bytes: received ${size}`,
    { size, limit: RECORD_LIMIT_BYTES },
  );
}

/** Returns `undefined` if one of the checks cannot hold, or two contradict each other. */
function planChecks(
  checks: readonly StoreCheck[],
): Map<string, string | null> | undefined {
  const planned = new Map<string, string | null>();
  for (const { id, version } of checks) {
    if (version !== null && !VERSION.test(version)) return undefined;
    if (!acceptsId(id)) {
      if (version !== null) return undefined;
      continue; // there is nothing, for there cannot be anything
    }
    const other = planned.get(id);
    if (other !== undefined && other !== version) return undefined;
    planned.set(id, version);
  }
  return planned;
}
