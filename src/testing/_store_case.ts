/**
 * What the cases of the conformance suite are made of.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { ulid } from "@std/ulid";
import type {
  ListedRecord,
  SessionStore,
  StoreCommit,
  StoredRecord,
  StoreListOptions,
  StorePut,
  VersionedRecord,
} from "../session_store.ts";
import { findDifference } from "./_difference.ts";

/** The rules of the contract, as `SessionStore` words them. */
export const RULES = {
  absence: "Not found is not an error",
  atomic:
    "All or nothing: a commit changes everything it names, the subject index included, or nothing at all",
  versions:
    "Versions: a check holds at the version that get, list or commit gave, or, if null, where there is no record; every write changes it",
  copies:
    "Deep copies: what is put, and what is returned, may be changed by the caller",
  values:
    "Records are opaque: whatever structured clone carries comes back as it was",
  subjects: "A subject is any string, compared by code unit",
  size:
    "A record that is too large is a SessionTooLargeError, and nothing is changed",
  expiry: "Never shorter than expireIn",
  order:
    "Newest first: list goes by id, from the greatest to the smallest, in code unit order",
  watch: "Watch is a hint, and ends with its signal",
} as const;

/** What the suite was told about the store. */
export interface StoreCaseLimits {
  /** The payload that the store must be able to carry, in bytes. */
  readonly largestRecord: number;
}

/** One rule of the contract, as a test. */
export interface StoreCase {
  readonly name: string;
  readonly rule: keyof typeof RULES;
  run(store: SessionStore, limits: StoreCaseLimits): Promise<void>;
}

/** How long the records of the suite are kept, unless time is the point. */
export const EXPIRE_IN_MS = 600_000;

let seed = Date.now();

/** Makes an id greater than every one before. */
export function newId(): string {
  return ulid(seed++);
}

/** Makes ids in ascending order. */
export function newIds(count: number): string[] {
  return Array.from({ length: count }, newId);
}

/** Waits. */
export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/**
 * Reads again and again while a writer is at work, and waits for all to end.
 *
 * @param writer What settles when the last write is done.
 * @param readers Each reads once, and asserts.
 */
export async function readDuring(
  writer: Promise<unknown>,
  ...readers: (() => Promise<void>)[]
): Promise<void> {
  let writing = true;
  const readOn = async (readOnce: () => Promise<void>) => {
    for (let reads = 1; writing; reads++) {
      await readOnce();
      // lets timers and sockets have their turn, however fast the store is
      if (reads % 10 === 0) await sleep(0);
    }
  };
  const outcomes = await Promise.allSettled([
    writer.finally(() => writing = false),
    ...readers.map(readOn),
  ]);
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
}

/** Makes a put that lives longer than the suite. */
export function toPut(
  id: string,
  record: StoredRecord,
  subject?: string,
): StorePut {
  return {
    id,
    record,
    expireIn: EXPIRE_IN_MS,
    ...(subject !== undefined && { subject }),
  };
}

/** Commits what is given. */
export function tryCommit(
  store: SessionStore,
  commit: Partial<StoreCommit>,
): ReturnType<SessionStore["commit"]> {
  return store.commit({ check: [], put: [], delete: [], ...commit });
}

/** Commits what must succeed, and gives the version. */
export async function commit(
  store: SessionStore,
  changes: Partial<StoreCommit>,
  because: string,
): Promise<string> {
  const result = await tryCommit(store, changes);
  assert(
    result.ok === true,
    `commit must give { ok: true } when ${because}: received ${show(result)}`,
  );
  assert(
    typeof result.version === "string",
    `a commit that took place must give the version as a string: received ${
      show(result)
    }`,
  );
  return result.version;
}

/** Commits what must be refused. */
export async function refuse(
  store: SessionStore,
  changes: Partial<StoreCommit>,
  because: string,
): Promise<void> {
  const result = await tryCommit(store, changes);
  assert(
    result.ok === false,
    `commit must give { ok: false } when ${because}: received ${show(result)}`,
  );
}

/** Stores one record, and gives its version. */
export function put(
  store: SessionStore,
  id: string,
  record: StoredRecord,
  subject?: string,
): Promise<string> {
  return commit(
    store,
    { put: [toPut(id, record, subject)] },
    "it has no checks",
  );
}

/** Reads what must be there. */
export async function read(
  store: SessionStore,
  id: string,
  because: string,
): Promise<VersionedRecord> {
  const found = await store.get(id);
  assert(found, `get must give the record ${because}: received ${found}`);
  assert(
    typeof found.version === "string",
    `get must give the version as a string: received ${typeof found.version}`,
  );
  return found;
}

/** Asserts what is stored under an id; `undefined`: nothing. */
export async function assertStored(
  store: SessionStore,
  id: string,
  expected: { record: StoredRecord } | undefined,
  because: string,
): Promise<void> {
  if (expected === undefined) {
    const found = await store.get(id);
    assert(
      found === undefined,
      `get must give undefined ${because}: received ${
        found === null ? "null" : "a record"
      }`,
    );
    return;
  }
  assertSame((await read(store, id, because)).record, expected.record, because);
}

/** Asserts that a record came back as it was put. */
export function assertSame(
  actual: StoredRecord,
  expected: StoredRecord,
  because: string,
): void {
  const difference = findDifference(actual, expected);
  assert(
    difference === undefined,
    `the record must come back as it was put ${because}: ${difference}`,
  );
}

/** Lists everything that the options ask for. */
export async function collect(
  store: SessionStore,
  options?: StoreListOptions,
): Promise<ListedRecord[]> {
  const listed: ListedRecord[] = [];
  for await (const item of store.list(options)) listed.push(item);
  return listed;
}

/** Asserts which ids are listed, in order. */
export async function assertListed(
  store: SessionStore,
  options: StoreListOptions | undefined,
  expected: readonly string[],
  because: string,
): Promise<void> {
  const ids = (await collect(store, options)).map(({ id }) => id);
  assertEquals(
    ids,
    [...expected],
    `list(${
      show(options ?? {})
    }) must give exactly these ids, in this order, ${because}`,
  );
}

/** Shows a small value in a message; long strings are cut. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 120 ? text : `${text.slice(0, 120)}…`;
}
