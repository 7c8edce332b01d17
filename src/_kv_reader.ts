/**
 * Reads that travel together.
 *
 * @module
 */

import { afterBurst } from "./_kv_burst.ts";
import type {
  KvConnection,
  KvDatabase,
  KvEntry,
  KvKey,
} from "./_kv_database.ts";
import { isTransient, isUnanswered, retryTransient } from "./_kv_retry.ts";

/** Most keys of one `getMany` (denokv, `MAX_READ_RANGES`). */
export const READ_KEYS = 10;
/** Batches in flight at a time: more, and smaller ones, were slower (measured). */
const READ_SLOTS = 2;

/** A read that somebody waits for. */
interface Read {
  readonly key: KvKey;
  readonly resolve: (entry: KvEntry) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Reads entries: those asked for in one burst, or while others are in flight,
 * travel as `getMany`; one alone goes out as `get`, a microtask later.
 */
export class KvReader {
  readonly #connection: KvConnection;
  readonly #batch: boolean;
  #queue: Read[] = [];
  #inFlight = 0;
  #scheduled = false;

  constructor(connection: KvConnection, options: { batch: boolean }) {
    this.#connection = connection;
    this.#batch = options.batch;
  }

  /**
   * Reads one entry.
   *
   * The same key twice in one `getMany` is deserialised twice, so that each
   * caller has an entry of its own.
   */
  read(key: KvKey): Promise<KvEntry> {
    if (!this.#batch) {
      return this.#tracked((database) => get(database, key));
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ key, resolve, reject });
      if (this.#scheduled || this.#inFlight >= READ_SLOTS) return;
      this.#scheduled = true;
      afterBurst(() => this.#queue.length, () => {
        this.#scheduled = false;
        this.#pump();
      });
    });
  }

  /** Reads several entries, at one moment if they are ten or fewer. */
  readMany(keys: readonly KvKey[]): Promise<readonly KvEntry[]> {
    return this.#tracked(async (database) => {
      const entries: KvEntry[] = [];
      for (let start = 0; start < keys.length; start += READ_KEYS) {
        const some = keys.slice(start, start + READ_KEYS);
        entries.push(...await getMany(database, some));
      }
      return entries;
    });
  }

  #pump(): void {
    while (this.#queue.length > 0 && this.#inFlight < READ_SLOTS) {
      this.#inFlight++;
      this.#send(this.#queue.splice(0, READ_KEYS));
    }
  }

  /** Sends a batch and settles each of its reads; never rejects. */
  async #send(reads: Read[]): Promise<void> {
    try {
      await this.#tracked((database) => settle(database, reads));
    } catch (error) {
      // Those in the queue would only wait for the same silence.
      if (isUnanswered(error)) reads.push(...this.#queue.splice(0));
      for (const { reject } of reads) reject(error);
    } finally {
      this.#inFlight--;
      this.#pump();
    }
  }

  async #tracked<T>(run: (database: KvDatabase) => Promise<T>): Promise<T> {
    const connection = this.#connection;
    connection.enter();
    try {
      const database = connection.database ?? await connection.open();
      try {
        return await run(database);
      } catch (error) {
        if (isUnanswered(error)) connection.leftUnanswered(database);
        throw error;
      }
    } finally {
      connection.leave();
    }
  }
}

async function settle(database: KvDatabase, reads: Read[]): Promise<void> {
  const [first] = reads;
  if (first !== undefined && reads.length === 1) {
    return first.resolve(await get(database, first.key));
  }
  try {
    const entries = await getMany(database, reads.map(({ key }) => key));
    const seen = new Set<unknown>();
    reads.forEach(({ resolve }, i) => {
      const entry = entries[i] as KvEntry;
      // `npm:@deno/kv` returns one object for a key that is asked for twice.
      const shared = seen.has(entry.value);
      seen.add(entry.value);
      resolve(
        shared ? { ...entry, value: structuredClone(entry.value) } : entry,
      );
    });
  } catch (error) {
    // The time for retries is up.
    if (isTransient(error) || isUnanswered(error)) throw error;
    // Perhaps only one of them cannot be read: let each find out for itself.
    await Promise.all(
      reads.map(({ key, resolve, reject }) =>
        get(database, key).then(resolve, reject)
      ),
    );
  }
}

function get(database: KvDatabase, key: KvKey): Promise<KvEntry> {
  return retryTransient(() => database.get(key));
}

function getMany(
  database: KvDatabase,
  keys: readonly KvKey[],
): Promise<readonly KvEntry[]> {
  return retryTransient(() => database.getMany(keys));
}
