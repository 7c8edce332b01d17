/**
 * Reads that travel together.
 *
 * @module
 */

import { afterBurst } from "./_burst.ts";
import type {
  KvConnection,
  KvDatabase,
  KvEntry,
  KvKey,
} from "./_kv_database.ts";
import { isTransient, isUnanswered, retryTransient } from "./_kv_retry.ts";

/** Most keys of one `getMany` (denokv, `MAX_READ_RANGES`). */
export const READ_KEYS = 10;
/** A read that somebody waits for. */
interface Read {
  readonly key: KvKey;
  /** Makes of the entry what is waited for. */
  readonly convert: (entry: KvEntry) => unknown;
  readonly resolve: (result: unknown) => void;
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
   *
   * @param key The key.
   * @param convert Makes of the entry what is wanted: here, as each promise more counts.
   * @returns What `convert` made of it.
   */
  read<T>(
    key: KvKey,
    convert: (entry: KvEntry) => T | PromiseLike<T>,
  ): Promise<T> {
    if (!this.#batch) {
      return this.#tracked(async (database) =>
        await convert(await get(database, key))
      );
    }
    const reading = new Promise<unknown>((resolve, reject) => {
      this.#queue.push({ key, convert, resolve, reject });
    });
    if (!this.#scheduled && this.#inFlight < this.#connection.readSlots) {
      this.#scheduled = true;
      afterBurst(() => this.#queue.length, () => {
        this.#scheduled = false;
        this.#pump();
      });
    }
    return reading as Promise<T>;
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
    const { readSlots, isFar } = this.#connection;
    while (this.#queue.length > 0 && this.#inFlight < readSlots) {
      this.#inFlight++;
      const share = Math.ceil(this.#queue.length / readSlots);
      const count = isFar ? Math.min(share, READ_KEYS) : READ_KEYS;
      this.#send(this.#queue.splice(0, count));
    }
  }

  /** Sends a batch and settles each of its reads; never rejects. */
  async #send(reads: Read[]): Promise<void> {
    const connection = this.#connection;
    const [first] = reads;
    let database: KvDatabase | undefined;
    connection.enter();
    try {
      database = connection.database ?? await connection.open();
      // here, as each promise more counts
      if (first !== undefined && reads.length === 1) {
        answer(first, await get(database, first.key));
      } else await settle(database, reads);
    } catch (error) {
      if (isUnanswered(error)) {
        if (database !== undefined) connection.leftUnanswered(database);
        // those in the queue would only wait for the same silence
        reads.push(...this.#queue.splice(0));
      }
      for (const { reject } of reads) reject(error);
    } finally {
      connection.leave();
      this.#inFlight--;
      this.#pump();
    }
  }

  #tracked<T>(run: (database: KvDatabase) => Promise<T>): Promise<T> {
    const connection = this.#connection;
    return connection.during(async () => {
      const database = connection.database ?? await connection.open();
      try {
        return await run(database);
      } catch (error) {
        if (isUnanswered(error)) connection.leftUnanswered(database);
        throw error;
      }
    });
  }
}

/** Reads several entries at once. */
async function settle(database: KvDatabase, reads: Read[]): Promise<void> {
  try {
    const entries = await getMany(database, reads.map(({ key }) => key));
    reads.forEach((read, index) => answer(read, ownEntry(entries, index)));
  } catch (error) {
    // the time for retries is up
    if (isTransient(error) || isUnanswered(error)) throw error;
    // perhaps only one of them cannot be read: let each find out for itself
    await Promise.all(
      reads.map((read) =>
        get(database, read.key).then(
          (entry) => answer(read, entry),
          read.reject,
        )
      ),
    );
  }
}

/** Gives who waits for an entry what is wanted of it. */
function answer({ convert, resolve, reject }: Read, entry: KvEntry): void {
  try {
    resolve(convert(entry));
  } catch (error) {
    reject(error);
  }
}

/**
 * Takes an entry that nobody else has: `npm:@deno/kv` returns one object for a key asked for
 * twice.
 */
function ownEntry(entries: readonly KvEntry[], index: number): KvEntry {
  const entry = entries[index] as KvEntry;
  for (let other = 0; other < index; other++) {
    if (entries[other]?.value === entry.value && entry.value !== null) {
      return { ...entry, value: structuredClone(entry.value) };
    }
  }
  return entry;
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
