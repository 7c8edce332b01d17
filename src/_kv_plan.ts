/**
 * What a commit of the store means in entries of Deno KV.
 *
 * @module
 */

import { checkExpireIn } from "./_check.ts";
import { isHandedOver } from "./_handover.ts";
import type { KvAtomic, KvKey } from "./_kv_database.ts";
import type { KvKeys } from "./_kv_keys.ts";
import {
  cutIntoParts,
  freezeRecord,
  notSerializable,
  type Parts,
  partsHead,
} from "./_kv_value.ts";
import { SessionTooLargeError } from "./errors.ts";
import type { StoreCommit, StorePut } from "./session_store.ts";

/** Most mutations of one atomic operation (denokv, `MAX_MUTATIONS`). */
export const ATOMIC_MUTATIONS = 1_000;
/** Largest atomic operation, keys included, in bytes (denokv, `MAX_TOTAL_MUTATION_SIZE_BYTES`). */
export const ATOMIC_LIMIT_BYTES = 819_200;
/**
 * Most that the keys of an atomic operation take together, in bytes (denokv,
 * `MAX_TOTAL_KEY_SIZE_BYTES`).
 */
export const ATOMIC_KEY_LIMIT_BYTES = 81_920;
/** Largest record, in bytes: leaves 20 KiB of the atomic operation to the rest of the commit. */
const RECORD_LIMIT_BYTES = 798_720;
/** So often the size of the key counts of an entry that is set (measured). */
const SET_KEYS = 2;
/** Size of a {@linkcode PartsHead}, at most, in bytes. */
const HEAD_BYTES = 128;
/** A versionstamp of Deno KV. */
const VERSIONSTAMP = /^[0-9a-f]{20}$/;

/** What one commit checks and writes. */
export interface Plan {
  /** The ids it concerns; commits of disjoint ids touch disjoint keys. */
  readonly ids: string[];
  /** The ids it writes or deletes. */
  readonly written: string[];
  /** The versions that must still be there. */
  readonly checks: PlanCheck[];
  /** The entries to write. */
  readonly sets: { key: KvKey; value: unknown; expireIn: number }[];
  /** The keys to delete. */
  readonly deletes: KvKey[];
  /** Those of `written` that no check tells the present parts of. */
  unchecked: string[];
  /** Size of keys and values together, at most, in bytes. */
  bytes: number;
  /** Size of the keys, at most, in bytes. */
  keyBytes: number;
  /** What the versions of the records it puts have after the versionstamp. */
  suffix: string;
}

/** A check of a {@linkcode Plan}. */
export interface PlanCheck {
  /** The id of the record. */
  readonly id: string;
  /** The key of the record. */
  readonly key: KvKey;
  /** The versionstamp it must have. */
  readonly versionstamp: string | null;
}

/**
 * Plans a commit: takes or copies its records, and finds out whether they fit.
 *
 * @returns The plan; `undefined` if a check cannot hold, whatever is stored.
 * @throws {SessionTooLargeError} If the records do not fit.
 * @throws {TypeError} If an id, a record or an `expireIn` cannot be stored.
 */
export function planCommit(
  keys: KvKeys,
  commit: StoreCommit,
): Plan | undefined {
  const owned = isHandedOver(commit);
  const plan: Plan = {
    ids: [],
    written: [],
    checks: [],
    sets: [],
    deletes: [],
    unchecked: [],
    bytes: 0,
    keyBytes: 0,
    suffix: "",
  };
  for (const put of commit.put) planPut(plan, keys, put, owned);
  for (const { id, subject } of commit.delete) {
    // what cannot be a key is not there
    if (!keys.accepts(id)) continue;
    planId(plan, id);
    planDelete(plan, keys.record(id), keys.bound(id));
    if (subject !== undefined) {
      planDelete(plan, keys.entry(subject, id), keys.bound(id));
    }
  }
  for (const { id, version } of commit.check) {
    if (!keys.accepts(id)) {
      if (version === null) continue;
      return undefined;
    }
    const known = version === null ? undefined : parseVersion(version);
    const versionstamp = known?.versionstamp ?? null;
    if (versionstamp !== null && !VERSIONSTAMP.test(versionstamp)) {
      return undefined;
    }
    planCheck(plan, keys, { id, key: keys.record(id), versionstamp });
    if (!plan.unchecked.includes(id)) continue;
    plan.unchecked = plan.unchecked.filter((other) => other !== id);
    for (const parts of known?.parts ?? []) {
      planPartsDelete(plan, keys, id, parts);
    }
  }
  assertFits(plan);
  return plan;
}

/**
 * Makes sure that a plan fits one atomic operation.
 *
 * @throws {SessionTooLargeError} If it does not.
 */
export function assertFits({ bytes }: Plan): void {
  if (bytes <= ATOMIC_LIMIT_BYTES) return;
  throw tooLarge("all that one commit writes", bytes, ATOMIC_LIMIT_BYTES);
}

/** Adds a check. */
export function planCheck(plan: Plan, keys: KvKeys, check: PlanCheck): void {
  if (!plan.ids.includes(check.id)) plan.ids.push(check.id);
  plan.checks.push(check);
  plan.bytes += keys.bound(check.id);
}

/** Adds the removal of the parts of a record. */
export function planPartsDelete(
  plan: Plan,
  keys: KvKeys,
  id: string,
  { generation, count }: Parts,
): void {
  for (let n = 0; n < count; n++) {
    planDelete(plan, keys.part(id, generation, n), keys.bound(id));
  }
}

/** Adds all that a plan checks and writes to an atomic operation. */
export function applyPlan(plan: Plan, atomic: KvAtomic): void {
  for (const { key, versionstamp } of plan.checks) {
    atomic.check({ key, versionstamp });
  }
  for (const key of plan.deletes) atomic.delete(key);
  for (const { key, value, expireIn } of plan.sets) {
    try {
      atomic.set(key, value, { expireIn });
    } catch {
      throw notSerializable();
    }
  }
}

/** Joins a versionstamp and where the parts are to an opaque version. */
export function formatVersion(versionstamp: string, parts?: Parts): string {
  return versionstamp + formatParts(parts);
}

/**
 * The version carries where the parts are, so that whoever overwrites or
 * deletes the record by it can remove them without reading first.
 */
function formatParts(parts?: Parts): string {
  return parts === undefined ? "" : `.${parts.generation}.${parts.count}`;
}

function parseVersion(
  version: string,
): { versionstamp: string; parts?: Parts[] } {
  if (!version.includes(".")) return { versionstamp: version };
  const [versionstamp = "", ...rest] = version.split(".");
  const parts: Parts[] = [];
  for (let i = 0; i + 1 < rest.length; i += 2) {
    parts.push({ generation: rest[i] ?? "", count: Number(rest[i + 1]) });
  }
  return { versionstamp, parts };
}

function planPut(
  plan: Plan,
  keys: KvKeys,
  put: StorePut,
  owned: boolean,
): void {
  const { id, record, expireIn, subject } = put;
  if (!keys.accepts(id)) {
    throw new TypeError(
      "Cannot store session: the id must be a well-formed string that fits a key of Deno KV: received one that is not",
    );
  }
  checkExpireIn(expireIn);
  planId(plan, id);
  const frozen = freezeRecord(record, owned);
  if ("value" in frozen) {
    planSet(plan, keys.record(id), frozen.value, expireIn);
    plan.bytes += frozen.size;
  } else {
    if (frozen.size > RECORD_LIMIT_BYTES) {
      throw tooLarge("the record", frozen.size, RECORD_LIMIT_BYTES);
    }
    const pieces = cutIntoParts(frozen.bytes);
    const parts = { generation: newGeneration(), count: pieces.length };
    planSet(plan, keys.record(id), partsHead(parts), expireIn);
    pieces.forEach((piece, n) => {
      planSet(plan, keys.part(id, parts.generation, n), piece, expireIn);
    });
    // with several records in one commit, each has the parts of all large ones in
    // its version: to delete what is not there does no harm
    plan.suffix += formatParts(parts);
    const bound = keys.bound(id) * pieces.length;
    plan.bytes += HEAD_BYTES + frozen.size + SET_KEYS * bound;
    plan.keyBytes += bound;
  }
  if (subject !== undefined) {
    planSet(plan, keys.entry(subject, id), true, expireIn);
  }
  const bound = keys.bound(id) * (subject === undefined ? 1 : 2);
  plan.bytes += SET_KEYS * bound;
  plan.keyBytes += bound;
}

function planId(plan: Plan, id: string): void {
  if (plan.written.includes(id)) return;
  plan.ids.push(id);
  plan.written.push(id);
  plan.unchecked.push(id);
}

function planSet(
  plan: Plan,
  key: KvKey,
  value: unknown,
  expireIn: number,
): void {
  plan.sets.push({ key, value, expireIn });
}

function planDelete(plan: Plan, key: KvKey, bound: number): void {
  plan.deletes.push(key);
  plan.bytes += bound;
  plan.keyBytes += bound;
}

/** Returns a name that no other state of the record has: some 50 random bits. */
function newGeneration(): string {
  return Math.random().toString(36).slice(2, 12);
}

function tooLarge(
  what: string,
  size: number,
  limit: number,
): SessionTooLargeError {
  return new SessionTooLargeError(
    `Cannot store session: ${what} must be at most ${limit} bytes: received ${size}`,
    { size, limit },
  );
}
