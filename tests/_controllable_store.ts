/**
 * A store whose calls a test holds back, reorders, and breaks.
 *
 * @module
 */

import {
  type ListedRecord,
  MemoryStore,
  type SessionStore,
  type StoreCommit,
  type StoreCommitResult,
  type StoreListOptions,
  type VersionedRecord,
} from "@tessera/session";

/**
 * What becomes of a commit beside being done.
 *
 * - `lost`: it is applied, and reported as failed.
 * - `denied`: it is applied, and reported as a conflict.
 * - `refused`: it is not applied, and reported as failed.
 */
export type CommitFault = "lost" | "denied" | "refused";

/** Options of {@linkcode ControllableStore}. */
export interface ControllableStoreOptions {
  /** Where the records are. @default {a MemoryStore} */
  store?: SessionStore;
  /** Awaited before and after each call: the call happens in between. */
  pause?: (label: string) => Promise<void>;
  /** Says what becomes of a commit. */
  fault?: (commit: StoreCommit) => CommitFault | undefined;
}

/** Passes calls on when it is told to, and remembers what was applied. */
export class ControllableStore implements SessionStore {
  readonly #store: SessionStore;
  readonly #pause: (label: string) => Promise<void>;
  readonly #fault: (commit: StoreCommit) => CommitFault | undefined;
  /** The commits that were applied, in order. */
  readonly history: StoreCommit[] = [];

  constructor(options: ControllableStoreOptions = {}) {
    this.#store = options.store ?? new MemoryStore();
    this.#pause = options.pause ?? (() => Promise.resolve());
    this.#fault = options.fault ?? (() => undefined);
  }

  async get(id: string): Promise<VersionedRecord | undefined> {
    await this.#pause("get");
    const found = await this.#store.get(id);
    await this.#pause("get answer");
    return found;
  }

  async commit(commit: StoreCommit): Promise<StoreCommitResult> {
    const copy = structuredClone(commit);
    await this.#pause("commit");
    const fault = this.#fault(copy);
    if (fault === "refused") {
      await this.#pause("commit refused");
      throw new Error("the disk is full");
    }
    const result = await this.#store.commit(copy);
    if (result.ok) this.history.push(copy);
    await this.#pause("commit answer");
    if (fault === undefined || !result.ok) return result;
    if (fault === "lost") throw new Error("the connection was reset");
    return { ok: false };
  }

  list(options?: StoreListOptions): AsyncIterable<ListedRecord> {
    return this.#store.list(options);
  }
}
