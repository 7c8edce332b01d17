/**
 * A store that keeps sessions in the memory of the process.
 *
 * @module
 */

import { checkExpireIn, checkLimit } from "./_check.ts";
import type {
  ListedRecord,
  SessionStore,
  StoreCommit,
  StoreCommitResult,
  StoredRecord,
  StoreListOptions,
  StorePut,
  VersionedRecord,
} from "./session_store.ts";

/** How many records each commit looks at, beside two per put, to drop old ones. */
const SWEEP_STEP = 2;

/** A record as it is kept. */
interface Entry {
  readonly record: StoredRecord;
  readonly version: string;
  readonly subject: string | undefined;
  readonly expiresAt: number;
}

/** One call of `watch` that has not been aborted. */
interface Watcher {
  readonly changed: () => void;
}

/**
 * Keeps session records in the memory of the process, for tests and trials.
 *
 * Everything is lost when the process ends, and no other process sees it. It
 * has no limit of size. Records whose `expireIn` has passed, in real time
 * whatever the manager's `clock` says, are dropped bit by bit as others are
 * written; there are no timers, and nothing has to be closed.
 *
 * @example Sessions without a database
 * ```ts
 * import { MemoryStore, withSession } from "@tessera/session";
 * import { assertEquals } from "@std/assert";
 *
 * const handler = withSession((_request, session) => {
 *   session.set("seen", true);
 *   return new Response("Hello");
 * }, { store: new MemoryStore() });
 *
 * const response = await handler(new Request("https://example.com/"));
 * assertEquals(response.headers.getSetCookie().length, 1);
 * ```
 */
export class MemoryStore implements SessionStore {
  readonly #entries = new Map<string, Entry>();
  /** The ids of `#entries`, in ascending order. */
  readonly #ids: string[] = [];
  /** The ids of each subject that has any, in ascending order. */
  readonly #subjects = new Map<string, string[]>();
  readonly #watchers = new Map<string, Set<Watcher>>();
  /** Where the sweep is; a Map's iterator tolerates changes. */
  #sweeper = this.#entries.entries();
  #commits = 0;

  /**
   * Constructs an empty store; it takes no options.
   *
   * @throws {TypeError} If it is given an argument.
   */
  constructor() {
    if (arguments.length > 0 && arguments[0] !== undefined) {
      throw new TypeError(
        "Cannot create MemoryStore: want no argument: received one",
      );
    }
  }

  /**
   * The number of records held, those included that are about to be dropped.
   *
   * @example Seeing that a sign-out leaves nothing behind
   * ```ts
   * import { MemoryStore, withSession } from "@tessera/session";
   * import { TestClient } from "@tessera/session/testing";
   * import { assertEquals } from "@std/assert";
   *
   * const store = new MemoryStore();
   * const client = new TestClient(withSession((request, session) => {
   *   if (new URL(request.url).pathname === "/out") session.logout();
   *   else session.login("ada");
   *   return new Response();
   * }, { store }));
   * await client.get("/in");
   * assertEquals(store.size, 1);
   * await client.get("/out");
   * assertEquals(store.size, 0);
   * ```
   *
   * @returns The number of records.
   */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Reads a record.
   *
   * @param id The id of the record; any string.
   * @returns A deep copy of the record, and its version, or `undefined` if
   *   there is none.
   */
  get(id: string): Promise<VersionedRecord | undefined> {
    const entry = this.#find(id, Date.now());
    return Promise.resolve(
      entry && { record: copy(entry.record), version: entry.version },
    );
  }

  /**
   * Changes records, all or nothing.
   *
   * @param commit What to check, put and delete.
   * @returns `ok: false` if a check did not hold, and then nothing was changed.
   * @throws {TypeError} If a record holds what structured clone cannot carry;
   *   nothing was changed.
   * @throws {RangeError} If an `expireIn` is not an integer of 1 or more;
   *   nothing was changed.
   */
  commit(commit: StoreCommit): Promise<StoreCommitResult> {
    return new Promise((resolve) => resolve(this.#commit(commit)));
  }

  /**
   * Lists records, newest id first.
   *
   * @param options Which records; all if left out.
   * @returns Deep copies of the records, read as the caller iterates.
   * @throws {RangeError} If `limit` is not an integer of 1 or more, nor
   *   `Infinity`.
   */
  async *list(options: StoreListOptions = {}): AsyncGenerator<ListedRecord> {
    const { subject, limit = Infinity } = options;
    checkLimit(limit);
    let { before } = options;
    for (let left = limit; left > 0;) {
      // looked up anew each time: anything may have changed since the last
      const ids = subject === undefined
        ? this.#ids
        : this.#subjects.get(subject) ?? [];
      const id: string | undefined =
        ids[(before === undefined ? ids.length : position(ids, before)) - 1];
      if (id === undefined) return;
      before = id;
      const entry = this.#find(id, Date.now());
      if (entry === undefined) continue;
      left--;
      yield { id, record: copy(entry.record), version: entry.version };
    }
  }

  /**
   * Calls back after every change of a record made through this store.
   *
   * @param id The id of the record to watch.
   * @param changed Called soon after each put and delete of the record.
   * @param signal Ends the watch.
   */
  watch(id: string, changed: () => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    const watcher: Watcher = { changed };
    const watchers = this.#watchers.get(id) ?? new Set();
    this.#watchers.set(id, watchers.add(watcher));
    signal.addEventListener("abort", () => {
      watchers.delete(watcher);
      if (watchers.size === 0 && this.#watchers.get(id) === watchers) {
        this.#watchers.delete(id);
      }
    }, { once: true });
  }

  #commit(commit: StoreCommit): StoreCommitResult {
    const now = Date.now();
    const version = String(this.#commits + 1);
    // whatever can throw comes before the first change
    const entries = commit.put.map((put) => toEntry(put, version, now));
    for (const { id, version } of commit.check) {
      if ((this.#find(id, now)?.version ?? null) !== version) {
        return { ok: false };
      }
    }
    this.#commits++;
    for (const { id } of commit.delete) {
      if (this.#drop(id)) this.#notify(id);
    }
    for (const [id, entry] of entries) {
      this.#keep(id, entry);
      this.#notify(id);
    }
    this.#sweep(2 * entries.length + SWEEP_STEP, now);
    return { ok: true, version };
  }

  #find(id: string, now: number): Entry | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.expiresAt > now) return entry;
    this.#drop(id);
    return undefined;
  }

  #keep(id: string, entry: Entry): void {
    const { subject } = entry;
    const previous = this.#entries.get(id);
    this.#entries.set(id, entry);
    if (previous === undefined) {
      insert(this.#ids, id);
    } else if (previous.subject === subject) {
      return;
    } else {
      this.#leave(previous.subject, id);
    }
    if (subject === undefined) return;
    const ids = this.#subjects.get(subject);
    if (ids === undefined) this.#subjects.set(subject, [id]);
    else insert(ids, id);
  }

  #drop(id: string): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    this.#entries.delete(id);
    remove(this.#ids, id);
    this.#leave(entry.subject, id);
    return true;
  }

  #leave(subject: string | undefined, id: string): void {
    const ids = subject === undefined ? undefined : this.#subjects.get(subject);
    if (subject === undefined || ids === undefined) return;
    remove(ids, id);
    if (ids.length === 0) this.#subjects.delete(subject);
  }

  #sweep(steps: number, now: number): void {
    for (let step = 0; step < steps; step++) {
      const { done, value } = this.#sweeper.next();
      if (done) {
        this.#sweeper = this.#entries.entries();
        return;
      }
      if (value[1].expiresAt <= now) this.#drop(value[0]);
    }
  }

  #notify(id: string): void {
    for (const watcher of this.#watchers.get(id) ?? []) {
      // not in the middle of the commit: a callback may commit, or throw
      queueMicrotask(() => {
        if (this.#watchers.get(id)?.has(watcher)) watcher.changed();
      });
    }
  }
}

function toEntry(put: StorePut, version: string, now: number): [string, Entry] {
  const { id, expireIn, subject } = put;
  checkExpireIn(expireIn);
  const record = copy(put.record);
  return [id, { record, version, subject, expiresAt: now + expireIn }];
}

function copy(record: StoredRecord): StoredRecord {
  try {
    return structuredClone(record);
  } catch (cause) {
    throw new TypeError(
      "Cannot store session: want values that structured clone carries: received others",
      { cause },
    );
  }
}

/** Finds how many of the ascending ids sort before the given one. */
function position(ids: readonly string[], id: string): number {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ids[middle] as string) < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

function insert(ids: string[], id: string): void {
  const last = ids.at(-1);
  // new ids are almost always the greatest: they begin with the time
  if (last === undefined || last < id) ids.push(id);
  else ids.splice(position(ids, id), 0, id);
}

function remove(ids: string[], id: string): void {
  const index = position(ids, id);
  if (ids[index] === id) ids.splice(index, 1);
}
