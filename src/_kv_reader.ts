/**
 * Reads that travel together.
 *
 * @module
 */

import { afterBurst } from "./_burst.ts";
import { slotOf } from "./_id_map.ts";
import type {
  KvConnection,
  KvDatabase,
  KvEntry,
  KvKey,
} from "./_kv_database.ts";
import type { KvKeys } from "./_kv_keys.ts";
import { isTransient, isUnanswered, retryTransient } from "./_kv_retry.ts";
import { copyValue } from "./_kv_value.ts";

/** Most keys of one `getMany` (denokv, `MAX_READ_RANGES`). */
export const READ_KEYS = 10;

/** So many reads in the queue, the last ones, are looked at for one of the same record. */
const LOOKED_AT = 64;

const NONE: readonly Read[] = [];

/** A read that somebody waits for. */
interface Read {
  /** The id of the record. */
  readonly id: string;
  /** What tells most ids apart faster than the ids. */
  readonly slot: number;
  /** Makes of the entry what is waited for. */
  readonly convert: (entry: KvEntry) => unknown;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** The others that wait for the same entry, and travel with this one. */
  others: Read[] | undefined;
}

/**
 * Reads entries: those asked for in one burst, or while others are in flight,
 * travel as `getMany`; one alone goes out as `get`, a microtask later.
 */
export class KvReader {
  readonly #connection: KvConnection;
  readonly #keys: KvKeys;
  readonly #batch: boolean;
  /** The reads that are to be sent, the oldest first. */
  #queue: Read[] = [];
  /** How many have asked so far. */
  #asked = 0;
  #inFlight = 0;
  #scheduled = false;

  constructor(
    connection: KvConnection,
    keys: KvKeys,
    options: { batch: boolean },
  ) {
    this.#connection = connection;
    this.#keys = keys;
    this.#batch = options.batch;
  }

  /**
   * Reads the entry of a record.
   *
   * Who asks for the same one before it is sent shares the read, unless 64 others came
   * between, and gets a copy: that is faster than to read and deserialise it again
   * (measured).
   *
   * @param id The id of the record.
   * @param convert Makes of the entry what is wanted: here, as each promise more counts.
   * @returns What `convert` made of it.
   */
  read<T>(
    id: string,
    convert: (entry: KvEntry) => T | PromiseLike<T>,
  ): Promise<T> {
    if (!this.#batch) {
      return this.#tracked(async (database) =>
        await convert(await get(database, this.#keys.record(id)))
      );
    }
    const reading = new Promise<unknown>((resolve, reject) => {
      const slot = slotOf(id);
      const read = { id, slot, convert, resolve, reject, others: undefined };
      const same = this.#find(id, slot);
      if (same === undefined) this.#queue.push(read);
      else (same.others ??= []).push(read);
    });
    this.#asked++;
    if (!this.#scheduled && this.#inFlight < this.#connection.readSlots) {
      this.#scheduled = true;
      afterBurst(() => this.#asked, () => {
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
      void this.#send(this.#queue.splice(0, count));
    }
  }

  /** Finds a read of the same record, if one of the last in the queue is. */
  #find(id: string, slot: number): Read | undefined {
    const end = Math.max(0, this.#queue.length - LOOKED_AT);
    for (let index = this.#queue.length - 1; index >= end; index--) {
      const read = this.#queue[index];
      if (read?.slot === slot && read.id === id) return read;
    }
    return undefined;
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
        answer(first, await get(database, this.#keys.record(first.id)));
      } else await this.#settle(database, reads);
    } catch (error) {
      if (isUnanswered(error)) {
        if (database !== undefined) connection.leftUnanswered(database);
        // those in the queue would only wait for the same silence
        reads.push(...this.#queue.splice(0));
      }
      for (const read of reads) refuse(read, error);
    } finally {
      connection.leave();
      this.#inFlight--;
      this.#pump();
    }
  }

  /** Reads several entries at once. */
  async #settle(database: KvDatabase, reads: readonly Read[]): Promise<void> {
    const keys = reads.map(({ id }) => this.#keys.record(id));
    try {
      const entries = await getMany(database, keys);
      reads.forEach((read, index) => answer(read, entries[index] as KvEntry));
    } catch (error) {
      // the time for retries is up
      if (isTransient(error) || isUnanswered(error)) throw error;
      // perhaps only one of them cannot be read: let each find out for itself
      await Promise.all(
        reads.map((read, index) =>
          get(database, keys[index] as KvKey).then(
            (entry) => answer(read, entry),
            (error) => refuse(read, error),
          )
        ),
      );
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

/** Gives all who wait for an entry what they want of it, in order: the others get copies. */
function answer(read: Read, entry: KvEntry): void {
  answerOne(read, entry); // who gets to see it only later, so that it is still as it was
  for (const other of read.others ?? NONE) {
    answerOne(other, { ...entry, value: copyValue(entry.value) });
  }
}

function answerOne({ convert, resolve, reject }: Read, entry: KvEntry): void {
  try {
    resolve(convert(entry));
  } catch (error) {
    reject(error);
  }
}

/** Tells all who wait for an entry that it cannot be read. */
function refuse(read: Read, error: unknown): void {
  for (const { reject } of [read, ...read.others ?? NONE]) reject(error);
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
