/**
 * The part of Deno KV that the store uses, as structural types, and the way to
 * a database: given, promised, or opened on first use.
 *
 * No name of Deno's type library occurs here, so that the package type-checks
 * without it, and any database of the same shape fits.
 *
 * @module
 */

import { describeType } from "./_check.ts";
import {
  answerOf,
  Backoff,
  hadTooManyChecks,
  isUnanswered,
} from "./_kv_retry.ts";

/** Most checks of one atomic operation on a file (Deno, `MAX_CHECKS`). */
const ATOMIC_CHECKS = 100;
/** Most checks of one atomic operation over KV Connect (denokv, `MAX_CHECKS`). */
const REMOTE_ATOMIC_CHECKS = 10;
/**
 * Whether it shows in the number of checks that a database is no file: `npm:@deno/kv` takes 10
 * anyway.
 */
const FILE_TAKES_MORE = "Deno" in globalThis;
/** Batches of reads in flight on a file: more, and smaller ones, were slower (measured). */
const READ_SLOTS = 2;
/**
 * Reads, and likewise atomic operations, in flight over KV Connect. A file does them one
 * after the other anyway; what has to travel is better alone than together, which the
 * network answers with a pause of 44 ms (measured).
 */
const REMOTE_SLOTS = 32;

/** One part of a {@linkcode KvKey}. */
export type KvKeyPart = Uint8Array | string | number | bigint | boolean;

/** A key of a {@linkcode KvDatabase}: parts from the outside in. */
export type KvKey = readonly KvKeyPart[];

/** What a {@linkcode KvDatabase} has under a key. */
export interface KvEntry {
  /** The key that was asked for. */
  readonly key: readonly unknown[];
  /** The value; `null` if there is none. */
  readonly value: unknown;
  /** The version of the value; `null` if there is none. */
  readonly versionstamp: string | null;
}

/** An atomic operation of a {@linkcode KvDatabase}. */
export interface KvAtomic {
  /** Demands that a key is still at a version; `null`: that it does not exist. */
  check(check: { key: KvKey; versionstamp: string | null }): KvAtomic;
  /** Sets a key, for `expireIn` milliseconds at least. */
  set(key: KvKey, value: unknown, options?: { expireIn?: number }): KvAtomic;
  /** Deletes a key. */
  delete(key: KvKey): KvAtomic;
  /** Does it all, or nothing. */
  commit(): Promise<{ ok: true; versionstamp: string } | { ok: false }>;
}

/** What {@linkcode KvDatabase} streams while it watches a key. */
export interface KvWatchStream {
  /** Locks the stream and reads from it. */
  getReader(): {
    /** Waits for the next change. */
    read(): Promise<{ done: boolean; value?: readonly KvEntry[] | undefined }>;
    /** Ends the watch. */
    cancel(): Promise<void>;
  };
}

/**
 * A database that a `KvStore` can work on.
 *
 * The `Deno.Kv` of `Deno.openKv()` and the `Kv` of `npm:@deno/kv` are such.
 */
export interface KvDatabase {
  /** Reads a key. */
  get(key: KvKey): Promise<KvEntry>;
  /** Reads up to ten keys at once. */
  getMany(keys: readonly KvKey[]): Promise<readonly KvEntry[]>;
  /** Reads all the keys with a prefix, up to `end` exclusively. */
  list(
    selector: { prefix: KvKey; end?: KvKey },
    options?: { reverse?: boolean; batchSize?: number },
  ): AsyncIterable<KvEntry>;
  /** Starts an atomic operation. */
  atomic(): KvAtomic;
  /** Streams the states of keys, the present one first; optional. */
  watch?(keys: readonly KvKey[]): KvWatchStream;
  /** Closes the database. */
  close(): void;
}

/**
 * Where a `KvStore` takes its database from.
 *
 * - A database, or the promise of one: stays the caller's to close.
 * - A function that opens one: called on first use, again if it failed or the
 *   database does not answer any more, and what it opened is closed then, or when
 *   the store is disposed of.
 */
export type KvSource =
  | KvDatabase
  | PromiseLike<KvDatabase>
  | (() => KvDatabase | PromiseLike<KvDatabase>);

/**
 * Opens the default database of the runtime, with `Deno.openKv()`.
 *
 * @returns The database.
 * @throws {TypeError} If the runtime has no `Deno.openKv`.
 */
export async function openDefaultKv(): Promise<KvDatabase> {
  const { Deno } = globalThis as {
    Deno?: { openKv?: () => Promise<KvDatabase> };
  };
  if (typeof Deno?.openKv !== "function") {
    throw new TypeError(
      `Cannot open Deno KV: "Deno.openKv" must be a function: received ${typeof Deno
        ?.openKv}. Run Deno with --unstable-kv, or put "unstable": ["kv"] into ` +
        `deno.json, or pass another store with the option "store".`,
    );
  }
  return await Deno.openKv();
}

/** Says whether a value looks like a {@linkcode KvDatabase}. */
function isKvDatabase(value: unknown): value is KvDatabase {
  if (typeof value !== "object" || value === null) return false;
  const kv = value as Partial<Record<keyof KvDatabase, unknown>>;
  return typeof kv.get === "function" && typeof kv.getMany === "function" &&
    typeof kv.list === "function" && typeof kv.atomic === "function";
}

/** A database that may still have to be opened, and what is under way on it. */
export class KvConnection {
  /** The database, once it is open: spares the hot path an `await`. */
  database: KvDatabase | undefined;
  /** How many checks the database takes at once, as far as is known. */
  atomicChecks: number = ATOMIC_CHECKS;
  /** Whether it is known to be further away than a file. */
  isFar = false;
  /** How many reads, or batches of them, to have in flight. */
  readSlots = READ_SLOTS;
  /** How many atomic operations to have in flight. */
  writeSlots = 1;
  /** Whether it is known how many checks the database takes, or about to be. */
  probed = false;
  readonly #open: () => KvDatabase | PromiseLike<KvDatabase>;
  readonly #owned: boolean;
  #opening: Promise<KvDatabase> | undefined;
  #disposed = false;
  #active = 0;
  #onIdle: (() => void)[] = [];

  constructor(source: KvSource) {
    this.#owned = typeof source === "function";
    if (typeof source === "function") {
      this.#open = source;
    } else if (isKvDatabase(source)) {
      this.#open = () => source;
      this.database = source;
    } else if (isPromiseLike(source)) {
      this.#open = () => source;
      // whoever uses the store hears of the failure, each time; that nobody has
      // used it yet must not end the process as an unhandled rejection
      source.then(undefined, () => {});
    } else {
      throw new TypeError(
        `Cannot create KvStore: "kv" must be a Deno.Kv, a promise of one, or a function that opens one: received ${
          describeType(source)
        }`,
      );
    }
  }

  /** Opens the database, or returns the one that is open. */
  open(): Promise<KvDatabase> {
    if (this.database !== undefined) return Promise.resolve(this.database);
    return this.#opening ??= this.#connect().finally(() => {
      // also after a failure: the next use tries again
      this.#opening = undefined;
    });
  }

  /**
   * Notes that the database has left a call without an answer. What was opened
   * here is opened anew, for its connection may never say another word: Deno has
   * one for all calls, and does not notice.
   */
  leftUnanswered(database: KvDatabase): void {
    if (!this.#owned || this.database !== database) return;
    this.database = undefined;
    database.close();
  }

  /**
   * Notes that the database has refused an operation for the number of its
   * checks; says whether that was news.
   */
  tookTooManyChecks(): boolean {
    const isNews = this.atomicChecks > REMOTE_ATOMIC_CHECKS;
    this.atomicChecks = REMOTE_ATOMIC_CHECKS;
    this.probed = true;
    if (!FILE_TAKES_MORE) return isNews;
    this.isFar = true;
    this.readSlots = REMOTE_SLOTS;
    this.writeSlots = REMOTE_SLOTS;
    return isNews;
  }

  /**
   * Finds out how many checks the database takes: whether it is a file, where commits
   * travel together, or far away, where they travel side by side. Never rejects.
   *
   * @param key A key; it is only looked at.
   */
  async probe(key: KvKey): Promise<void> {
    this.probed = true;
    try {
      const database = this.database ?? await this.open();
      const operation = database.atomic();
      for (let count = 0; count <= REMOTE_ATOMIC_CHECKS; count++) {
        operation.check({ key, versionstamp: null });
      }
      await answerOf(operation.commit());
    } catch (error) {
      if (hadTooManyChecks(error)) this.tookTooManyChecks();
    }
  }

  /** Notes that an operation starts, so that disposal waits for it. */
  enter(): void {
    this.#active++;
  }

  /** Notes that an operation has ended. */
  leave(): void {
    if (--this.#active === 0 && this.#onIdle.length > 0) {
      for (const resume of this.#onIdle.splice(0)) resume();
    }
  }

  /** Does what disposal waits for. */
  async during<T>(run: () => Promise<T>): Promise<T> {
    this.enter();
    try {
      return await run();
    } finally {
      this.leave();
    }
  }

  /** Closes what was opened here, after what is under way; leaves alone what was given. */
  async dispose(): Promise<void> {
    if (!this.#owned || this.#disposed) return;
    this.#disposed = true;
    await this.#opening?.catch(() => {});
    while (this.#active > 0) {
      await new Promise<void>((resolve) => this.#onIdle.push(resolve));
    }
    const database = this.database;
    this.database = undefined;
    database?.close();
  }

  async #connect(): Promise<KvDatabase> {
    if (this.#disposed) {
      throw new TypeError(
        `Cannot use KvStore: it must not be disposed of: received a call after its disposal. "using" at ` +
          `the top of a module ends with the module, while its server runs on: use "const" there.`,
      );
    }
    const database = await this.#opened();
    if (!isKvDatabase(database)) {
      throw new TypeError(
        `Cannot open KvStore: "kv" must lead to a Deno.Kv: received ${
          describeType(database)
        }`,
      );
    }
    return this.database = database;
  }

  async #opened(): Promise<KvDatabase> {
    if (!this.#owned) return await answerOf(Promise.resolve(this.#open()));
    // processes that open one file at the same moment lock each other out
    for (const backoff = new Backoff();;) {
      const opening = Promise.resolve(this.#open());
      try {
        return await answerOf(opening);
      } catch (error) {
        // nobody waits for it any more
        if (isUnanswered(error)) opening.then((late) => late.close(), () => {});
        await backoff.pause(error);
      }
    }
  }
}

function isPromiseLike(value: unknown): value is PromiseLike<KvDatabase> {
  return typeof value === "object" && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}
