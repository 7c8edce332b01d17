/**
 * Stores for tests: each that the package has, and one that can be watched and
 * made to fail.
 *
 * @module
 */

import {
  KvStore,
  type ListedRecord,
  MemoryStore,
  type SessionStore,
  type StoreCommit,
  type StoreCommitResult,
  type StoreListOptions,
  type VersionedRecord,
} from "@tessera/session";

/** Registers a test on an empty `MemoryStore`. */
export function testOnSpyMemory(
  name: string,
  run: (store: SpyStore) => Promise<void>,
): void {
  Deno.test(`${name} (MemoryStore)`, async () => {
    await run(new SpyStore(new MemoryStore()));
  });
}

/** Registers a test twice: on an empty `MemoryStore`, and on an empty `KvStore`. */
export function testOnSpyStores(
  name: string,
  run: (store: SpyStore) => Promise<void>,
): void {
  testOnSpyMemory(name, run);
  Deno.test(`${name} (KvStore)`, async () => {
    using kv = await Deno.openKv(":memory:");
    await run(new SpyStore(new KvStore(kv)));
  });
}

/** What happens in place of a call: it may call on, before or after it fails. */
export type Fault = <T>(call: () => Promise<T>) => Promise<T>;

/** The call fails, and has no effect. */
export function fails<T>(): Promise<T> {
  return Promise.reject(new Error("disk on fire"));
}

/** The call is never answered, and has no effect. */
export function hangs<T>(): Promise<T> {
  return new Promise(() => {});
}

/** The call takes effect, and is reported as failed. */
export async function appliesAndFails<T>(call: () => Promise<T>): Promise<T> {
  await call();
  throw new Error("connection reset");
}

/**
 * Kept so much longer, records do not expire by real time, as that of a store,
 * while the clock of the test stands still.
 */
const MARGIN_MS = 3_600_000;

/** Passes on to a store, counts the calls, and lets them fail. */
export class SpyStore implements SessionStore {
  readonly #inner: SessionStore;
  /** How often each method was called. */
  readonly calls = { get: 0, commit: 0, list: 0 };
  /** The commits, in order. */
  readonly commits: StoreCommit[] = [];
  /** What happens in place of `get`. */
  onGet: Fault | undefined;
  /** What happens in place of `commit`. */
  onCommit: Fault | undefined;
  /** What happens in place of each step of `list`. */
  onList: Fault | undefined;

  /** Passes on to `inner`, or to a `MemoryStore` of its own. */
  constructor(inner: SessionStore = new MemoryStore()) {
    this.#inner = inner;
  }

  get(id: string): Promise<VersionedRecord | undefined> {
    this.calls.get++;
    const call = () => this.#inner.get(id);
    return this.onGet === undefined ? call() : this.onGet(call);
  }

  commit(commit: StoreCommit): Promise<StoreCommitResult> {
    this.calls.commit++;
    this.commits.push(commit);
    const put = commit.put.map((one) => ({
      ...one,
      expireIn: one.expireIn + MARGIN_MS,
    }));
    const call = () => this.#inner.commit({ ...commit, put });
    return this.onCommit === undefined ? call() : this.onCommit(call);
  }

  async *list(options?: StoreListOptions): AsyncGenerator<ListedRecord> {
    this.calls.list++;
    for await (const record of this.#inner.list(options)) {
      if (this.onList !== undefined) {
        await this.onList(() => Promise.resolve());
      }
      yield record;
    }
  }

  /** Forgets the calls so far. */
  reset(): void {
    Object.assign(this.calls, { get: 0, commit: 0, list: 0 });
    this.commits.length = 0;
  }

  /** Reads everything that is stored, past the counters. */
  async dump(): Promise<ListedRecord[]> {
    return await Array.fromAsync(this.#inner.list());
  }
}
