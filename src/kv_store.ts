/**
 * A store that keeps sessions in Deno KV.
 *
 * @module
 */

import { checkLimit, checkOptions, checkType } from "./_check.ts";
import {
  KvConnection,
  type KvKey,
  type KvKeyPart,
  type KvSource,
} from "./_kv_database.ts";
import { KvKeys } from "./_kv_keys.ts";
import { type Plan, planCommit } from "./_kv_plan.ts";
import { KvReader } from "./_kv_reader.ts";
import { KvRecords } from "./_kv_records.ts";
import { writeUnchecked } from "./_kv_unchecked.ts";
import { watchKey } from "./_kv_watch.ts";
import { KvWriter } from "./_kv_writer.ts";
import type {
  ListedRecord,
  SessionStore,
  StoreCommit,
  StoreCommitResult,
  StoreListOptions,
  VersionedRecord,
} from "./session_store.ts";

export {
  type KvAtomic,
  type KvDatabase,
  type KvEntry,
  type KvKey,
  type KvKeyPart,
  type KvSource,
  type KvWatchStream,
  openDefaultKv,
} from "./_kv_database.ts";

/** What all keys start with, unless the option `prefix` says otherwise. */
const DEFAULT_PREFIX: KvKey = ["sessions"];

/** Options of {@linkcode KvStore}. */
export interface KvStoreOptions {
  /**
   * What every key starts with: one part or more, 1,024 bytes at most, no symbols.
   *
   * @default {["sessions"]}
   */
  prefix?: readonly (KvKeyPart | symbol)[] | undefined;
  /**
   * Whether concurrent calls travel together. `false`: each call goes straight
   * to the database, which is slower under load and easier to follow.
   *
   * @default {true}
   */
  batch?: boolean | undefined;
}

/**
 * Keeps session records in Deno KV, or in a database of the same shape.
 *
 * - A record is the value of the key `[...prefix, "id", id]`. One over 64 KiB
 *   (up to 780 KiB) is kept in parts, written and removed in the same atomic
 *   operation. A larger one is a `SessionTooLargeError`.
 * - Every entry has an `expireIn`, so that nothing has to be cleaned up.
 * - Concurrent reads share `getMany` calls, those of one record a single read,
 *   and concurrent commits share atomic operations, each with an outcome of its
 *   own. A call that comes alone goes out at once. Over KV Connect, which shows when
 *   it is slow, calls travel side by side instead, up to 32 reads and 32 commits, and
 *   only more of them together.
 * - "database is locked" and other failures that pass by themselves are retried
 *   for up to two seconds. A call fails after ten seconds without an answer.
 *
 * @example Sessions in a database file
 * ```ts
 * import { KvStore, SessionManager } from "@tessera/session";
 * import { assert } from "@std/assert";
 *
 * const kv = await Deno.openKv(":memory:"); // or "./app.db"
 * const sessions = new SessionManager({ store: new KvStore(kv) });
 *
 * const response = await sessions.handle(
 *   new Request("https://example.com/"),
 *   (session) => {
 *     session.set("seen", true);
 *     return new Response("Hello");
 *   },
 * );
 * assert(response.headers.has("set-cookie"));
 * kv.close(); // after the last request
 * ```
 */
export class KvStore implements SessionStore {
  readonly #connection: KvConnection;
  readonly #keys: KvKeys;
  readonly #records: KvRecords;
  readonly #writer: KvWriter;

  /**
   * Constructs a store; nothing is opened or read yet.
   *
   * @example Opening on first use, closing on disposal
   * ```ts
   * import { KvStore } from "@tessera/session";
   * import { assertEquals } from "@std/assert";
   *
   * const store = new KvStore(() => Deno.openKv(":memory:"), {
   *   prefix: ["shop", "sessions"],
   * });
   * assertEquals(await store.get("01ARZ3NDEKTSV4RRFFQ69G5FAV"), undefined);
   * await store[Symbol.asyncDispose](); // after the last request
   * ```
   *
   * @param kv A database or a promise of one, which stays yours to close; or a
   *   function that opens one, such as `openDefaultKv`, which is called on first
   *   use, and whose database is closed when the store is disposed of. It is
   *   called again when a call got no answer: over KV Connect, a new connection
   *   may work where the old one has gone silent.
   * @param options The prefix of the keys, and whether to batch.
   * @throws {TypeError} If an argument is not what it must be.
   */
  constructor(kv: KvSource, options: KvStoreOptions = {}) {
    const { prefix = DEFAULT_PREFIX, batch = true } = checkOptions(
      "create KvStore",
      options,
      ["prefix", "batch"],
    );
    checkType("create KvStore", "batch", batch, "boolean");
    this.#keys = new KvKeys(prefix);
    this.#connection = new KvConnection(kv);
    this.#records = new KvRecords(
      this.#connection,
      this.#keys,
      new KvReader(this.#connection, this.#keys, { batch }),
    );
    this.#writer = new KvWriter(this.#connection, {
      batch,
      key: this.#keys.records,
    });
  }

  /**
   * Reads a record.
   *
   * @example Reading what a commit wrote
   * ```ts
   * import { KvStore } from "@tessera/session";
   * import { assertEquals } from "@std/assert";
   *
   * const kv = await Deno.openKv(":memory:");
   * const store = new KvStore(kv);
   * await store.commit({
   *   check: [],
   *   put: [{ id: "a", record: { count: 1 }, expireIn: 60_000 }],
   *   delete: [],
   * });
   * assertEquals((await store.get("a"))?.record, { count: 1 });
   * assertEquals((await kv.get(["sessions", "id", "a"])).value, { count: 1 });
   * kv.close();
   * ```
   *
   * @param id The id of the record; any string.
   * @returns The record and its version, or `undefined` if there is none.
   */
  get(id: string): Promise<VersionedRecord | undefined> {
    if (!this.#keys.accepts(id)) return Promise.resolve(undefined);
    return this.#records.get(id);
  }

  /**
   * Changes records, all or nothing.
   *
   * A put or delete without a check of the same id reads first, to learn
   * whether there are parts to remove.
   *
   * @example A write that loses to another one
   * ```ts
   * import { KvStore } from "@tessera/session";
   * import { assertEquals } from "@std/assert";
   *
   * const kv = await Deno.openKv(":memory:");
   * const store = new KvStore(kv);
   * const create = {
   *   check: [{ id: "a", version: null }],
   *   put: [{ id: "a", record: { count: 1 }, expireIn: 60_000 }],
   *   delete: [],
   * };
   * assertEquals((await store.commit(create)).ok, true);
   * assertEquals((await store.commit(create)).ok, false);
   * kv.close();
   * ```
   *
   * @param commit What to check, put and delete.
   * @returns `ok: false` if a check did not hold, and then nothing was changed;
   *   also if the commit was in fact applied, but the database reported a
   *   transient failure, and the retry found its own write.
   * @throws {SessionTooLargeError} If a record is over 780 KiB, or everything
   *   together over 800 KiB; nothing was changed.
   * @throws {TypeError} If a record holds what structured clone cannot carry, or
   *   an id cannot be part of a key; nothing was changed.
   * @throws {RangeError} If an `expireIn` is not an integer of 1 or more;
   *   nothing was changed.
   */
  commit(commit: StoreCommit): Promise<StoreCommitResult> {
    let plan: Plan | undefined;
    try {
      // at once, so that records are copied before a caller can change them
      plan = planCommit(this.#keys, commit);
    } catch (error) {
      return Promise.reject(error);
    }
    if (plan === undefined) return Promise.resolve({ ok: false });
    return plan.unchecked.length === 0
      ? this.#writer.write(plan)
      : this.#connection.during(() =>
        writeUnchecked(plan, this.#records, this.#writer)
      );
  }

  /**
   * Lists records, newest id first.
   *
   * @example The newest session of a user
   * ```ts
   * import { KvStore } from "@tessera/session";
   * import { assertEquals } from "@std/assert";
   *
   * const kv = await Deno.openKv(":memory:");
   * const store = new KvStore(kv);
   * const put = ["a", "b"].map((id) => (
   *   { id, record: {}, expireIn: 60_000, subject: "ada" }
   * ));
   * await store.commit({ check: [], put, delete: [] });
   * const found = await Array.fromAsync(store.list({ subject: "ada", limit: 1 }));
   * assertEquals(found.map(({ id }) => id), ["b"]);
   * kv.close();
   * ```
   *
   * @param options Which records; all if left out.
   * @returns The records, read as the caller iterates.
   * @throws {RangeError} If `limit` is not an integer of 1 or more, nor `Infinity`.
   */
  async *list(options: StoreListOptions = {}): AsyncGenerator<ListedRecord> {
    const { subject, before, limit = Infinity } = options;
    checkLimit(limit);
    let left = limit;
    const entries = this.#records.scan({ subject, before, limit });
    for await (const [id, entry] of entries) {
      const found = await this.#records.resolve(id, entry);
      if (found === undefined) continue;
      yield { id, ...found };
      if (--left === 0) return;
    }
  }

  /**
   * Calls back when a record has changed, as far as the database can tell.
   *
   * A KV file tells of changes made by the same process only, and outside Deno
   * (`npm:@deno/kv`) nothing is told. Up to 64 records of a database are watched
   * at a time.
   *
   * @example Hearing of a change
   * ```ts
   * import { KvStore } from "@tessera/session";
   *
   * const kv = await Deno.openKv(":memory:");
   * const store = new KvStore(kv);
   * const controller = new AbortController();
   * const changed = new Promise<void>((resolve) =>
   *   store.watch("a", resolve, controller.signal)
   * );
   * await store.commit({
   *   check: [],
   *   put: [{ id: "a", record: { v: 1 }, expireIn: 60_000 }],
   *   delete: [],
   * });
   * await changed;
   * controller.abort();
   * kv.close();
   * ```
   *
   * @param id The id of the record to watch.
   * @param changed Called after each change, deletion included.
   * @param signal Ends the watch, and lets go of all it held.
   */
  watch(id: string, changed: () => void, signal: AbortSignal): void {
    if (!this.#keys.accepts(id)) return;
    watchKey(this.#connection, this.#keys.record(id), changed, signal);
  }

  /**
   * Closes the database if the store opened it, after the calls under way; a list that
   * is being read fails at its next entry.
   *
   * A database that was given, itself or as a promise, stays open.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.dispose();
  }
}
