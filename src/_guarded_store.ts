/**
 * The store as the manager calls it: with a deadline, and one class of error.
 *
 * @module
 */

import { describeType, wrongOption } from "./_check.ts";
import { Deadlines } from "./_deadlines.ts";
import { handOver } from "./_handover.ts";
import { SessionStoreError, SessionTooLargeError } from "./errors.ts";
import { type KvDatabase, KvStore, openDefaultKv } from "./kv_store.ts";
import type { StoreOption } from "./session_options.ts";
import type {
  ListedRecord,
  SessionStore,
  StoreCommit,
  StoreCommitResult,
  StoreListOptions,
  VersionedRecord,
} from "./session_store.ts";

/** How the messages of this package begin: `Cannot <action> <thing>: <desired state>: received`. */
const OWN_MESSAGE =
  /^Cannot [\w .]+: (?:want|the|it|every|a|"[\w.]+") .*: received /;

/** A store that may still be on its way, and what has to be closed in the end. */
export interface ResolvedStore {
  /** The store, or a promise of it. */
  store: SessionStore | Promise<SessionStore>;
  /** Closes what was opened here. */
  close(): Promise<void>;
}

/**
 * Makes a store of what the `store` option was given.
 *
 * @param option The option; `"none"` for a manager that has no store.
 * @param batch Whether a `KvStore` made here is to batch.
 * @returns The store.
 * @throws {TypeError} If it is neither a store, nor a database, nor a promise of one.
 */
export function resolveStore(
  option: StoreOption | PromiseLike<StoreOption> | "none" | undefined,
  batch: boolean,
): ResolvedStore {
  const nothing = () => Promise.resolve();
  if (option === "none") {
    return { store: Promise.resolve(NO_STORE), close: nothing };
  }
  if (option === undefined) {
    const store = new KvStore(openDefaultKv, { batch });
    return { store, close: () => store[Symbol.asyncDispose]() };
  }
  if (typeof (option as PromiseLike<StoreOption> | null)?.then === "function") {
    const store = Promise.resolve(option).then((given) =>
      toStore(given, batch)
    );
    store.catch(() => {}); // reported when it is used
    return { store, close: nothing };
  }
  return { store: toStore(option as StoreOption, batch), close: nothing };
}

function toStore(option: StoreOption, batch: boolean): SessionStore {
  const given = option as Partial<SessionStore & KvDatabase> | null;
  if (
    typeof given === "object" && given !== null &&
    typeof given.get === "function"
  ) {
    if (typeof given.atomic === "function") {
      return new KvStore(given as KvDatabase, { batch });
    }
    if (
      typeof given.commit === "function" && typeof given.list === "function"
    ) {
      return given as SessionStore;
    }
  }
  throw wrongOption(
    "create SessionManager",
    "store",
    "be a SessionStore, a Deno.Kv, or a promise of one",
    describeStore(given),
  );
}

/** Says what is given for a store, and what it lacks if it was meant for one. */
function describeStore(given: Partial<SessionStore> | null): string {
  const missing = (["get", "commit", "list"] as const).filter((name) =>
    typeof given?.[name] !== "function"
  );
  return describeType(given) === "object" && missing.length < 3
    ? `an object without ${missing.join(" and ")}`
    : describeType(given);
}

/** Stands where a stateless manager has no store; nothing calls it. */
const NO_STORE: SessionStore = {
  get: () => Promise.resolve(undefined),
  commit: () => Promise.resolve({ ok: false }),
  list: async function* () {},
};

/** Options of {@linkcode GuardedStore}. */
interface GuardedStoreOptions {
  /** Milliseconds that a call may take. */
  timeout: number;
  /** Called with what the store threw. */
  onError: (error: unknown) => void;
}

/** The failures of stores that did not answer in time. */
const timeouts = new WeakSet<SessionStoreError>();

/** Says whether a call failed because the store did not answer in time. */
export function isTimeout(error: unknown): boolean {
  return error instanceof SessionStoreError && timeouts.has(error);
}

/** Calls a store, and turns whatever goes wrong into a `SessionStoreError`. */
export class GuardedStore implements SessionStore {
  readonly #source: ResolvedStore;
  readonly #options: GuardedStoreOptions;
  readonly #deadlines: Deadlines;
  #store: SessionStore | undefined;

  /**
   * Constructs the guard.
   *
   * @param source The store.
   * @param options The deadline, and who is told of failures.
   */
  constructor(source: ResolvedStore, options: GuardedStoreOptions) {
    this.#source = source;
    this.#options = options;
    this.#deadlines = new Deadlines(options.timeout);
    if (!(source.store instanceof Promise)) this.#store = source.store;
  }

  get(id: string): Promise<VersionedRecord | undefined> {
    return this.#guard("load session", (store) => store.get(id));
  }

  commit(commit: StoreCommit): Promise<StoreCommitResult> {
    return this.#guard(
      "commit session",
      (store) => handOver(commit, () => store.commit(commit)),
    );
  }

  async *list(options?: StoreListOptions): AsyncGenerator<ListedRecord> {
    const records = await this.#guard("list sessions", (store) => {
      return Promise.resolve(store.list(options)[Symbol.asyncIterator]());
    });
    try {
      while (true) {
        const next = await this.#guard("list sessions", () => records.next());
        if (next.done) return;
        yield next.value;
      }
    } finally {
      // not awaited: a generator that hangs would never come to its end
      void Promise.resolve(records.return?.()).catch(() => {});
    }
  }

  /** Watches, if the store can; as a hint may be missing, one that fails is ignored. */
  watch(id: string, changed: () => void, signal: AbortSignal): void {
    try {
      // an async function fits the type, and its rejection would end the process
      const watching: unknown = this.#store?.watch?.(id, changed, signal);
      if (watching instanceof Promise) watching.catch(() => {});
    } catch {
      // the manager polls
    }
  }

  /** Closes what was opened for the manager. */
  async close(): Promise<void> {
    await this.#source.close();
  }

  /** Calls the store; what it answers after its time is ignored. */
  #guard<T>(
    action: string,
    call: (store: SessionStore) => Promise<T>,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const deadline = this.#deadlines.begin(() =>
        reject(this.#timeout(action))
      );
      this.#begin(call).then((result) => {
        if (this.#deadlines.end(deadline)) resolve(result);
      }, (cause) => {
        if (!this.#deadlines.end(deadline)) return;
        reject(
          cause instanceof SessionTooLargeError
            ? cause
            : this.#failure(action, cause),
        );
      });
    });
  }

  /** Reports that the time is up. */
  #timeout(action: string): SessionStoreError {
    const { timeout, onError } = this.#options;
    const error = new SessionStoreError(
      `Cannot ${action}: the store must answer within ${timeout} ms: received nothing`,
    );
    timeouts.add(error);
    onError(error);
    return error;
  }

  /** Reports what the store threw. */
  #failure(action: string, cause: unknown): SessionStoreError {
    const error = new SessionStoreError(
      `Cannot ${action}: the store must answer: received ${
        describeFailure(cause)
      }`,
      { cause },
    );
    this.#options.onError(cause ?? error);
    return error;
  }

  /** Begins a call; never throws, but rejects: a store of the user's own may throw at once. */
  #begin<T>(call: (store: SessionStore) => Promise<T>): Promise<T> {
    if (this.#store === undefined) return this.#open().then(call);
    try {
      return Promise.resolve(call(this.#store)); // who writes one in JavaScript may forget
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #open(): Promise<SessionStore> {
    return this.#store ??= await this.#source.store;
  }
}

/**
 * The class alone, unless the message is ours: others, of engines too, may quote what they were
 * given.
 */
function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return describeType(error);
  return OWN_MESSAGE.test(error.message) ? error.message : error.name;
}
