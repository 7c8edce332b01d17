/**
 * Records as they are read: whole, in parts, or listed.
 *
 * @module
 */

import { ownBytes } from "./_kv_bytes.ts";
import type {
  KvConnection,
  KvDatabase,
  KvEntry,
  KvKey,
} from "./_kv_database.ts";
import type { KvKeys } from "./_kv_keys.ts";
import { formatVersion } from "./_kv_plan.ts";
import { type KvReader, READ_KEYS } from "./_kv_reader.ts";
import { answerOf, Backoff, isUnanswered } from "./_kv_retry.ts";
import { joinParts, partsOf } from "./_kv_value.ts";
import type { VersionedRecord } from "./session_store.ts";

/** Entries that a list fetches at a time, at most. */
const LIST_BATCH = 100;

/** Tries to read all the parts of a record that is rewritten all the time. */
const PART_READS = 20;

/** Deno KV itself hands out memory that nobody else has; `npm:@deno/kv` does not. */
const own = "Deno" in globalThis ? (value: unknown) => value : ownBytes;

/** Reads records. */
export class KvRecords {
  /** The keys of the store. */
  readonly keys: KvKeys;
  readonly #connection: KvConnection;
  readonly #reader: KvReader;

  constructor(connection: KvConnection, keys: KvKeys, reader: KvReader) {
    this.keys = keys;
    this.#connection = connection;
    this.#reader = reader;
  }

  /** Reads the entry of a record. */
  read(id: string): Promise<KvEntry> {
    return this.#reader.read(id, asItIs);
  }

  /** Reads a record; one that is not in parts without a detour. */
  get(id: string): Promise<VersionedRecord | undefined> {
    return this.#reader.read(id, (entry) => {
      const { value, versionstamp } = entry;
      if (versionstamp === null) return undefined;
      return partsOf(value) === undefined
        ? { record: own(value), version: versionstamp }
        : this.resolve(id, entry);
    });
  }

  /** Turns an entry into the record it stands for, with its parts if it has any. */
  resolve(id: string, entry: KvEntry): Promise<VersionedRecord | undefined> {
    return this.#connection.during(() => this.#resolve(id, entry));
  }

  async #resolve(
    id: string,
    entry: KvEntry,
  ): Promise<VersionedRecord | undefined> {
    for (let reads = 1;; reads++) {
      const { value, versionstamp } = entry;
      if (versionstamp === null) return undefined;
      const parts = partsOf(value);
      if (parts === undefined) {
        return { record: own(value), version: versionstamp };
      }
      const keys = Array.from(
        { length: parts.count },
        (_, n) => this.keys.part(id, parts.generation, n),
      );
      const pieces = await this.#reader.readMany(keys);
      if (pieces.every((piece) => piece.versionstamp !== null)) {
        const joined = joinParts(pieces.map((piece) => piece.value));
        const version = formatVersion(versionstamp, parts);
        return joined && { record: joined.record, version };
      }
      // rewritten or deleted since, or gone for good
      entry = await this.read(id);
      if (entry.versionstamp === versionstamp) return undefined;
      if (reads === PART_READS) {
        throw new Error(
          `Cannot read session: the record must rest for a moment: received ${reads} changes while it was read`,
        );
      }
    }
  }

  /**
   * Yields the entries of records, newest id first; those of a subject are read
   * in chunks, and may be of records that are gone.
   */
  async *scan(
    options: {
      subject: string | undefined;
      before: string | undefined;
      limit: number;
    },
  ): AsyncGenerator<[id: string, entry: KvEntry]> {
    const { subject, limit } = options;
    const { keys } = this;
    const list = listEntries(this.#connection, {
      keys,
      prefix: subject === undefined ? keys.records : keys.subject(subject),
      before: options.before,
      limit,
    });
    if (subject === undefined) return yield* list;
    let ids: string[] = [];
    for await (const [id] of list) {
      if (ids.push(id) < Math.min(limit, READ_KEYS)) continue;
      yield* await this.#readChunk(ids);
      ids = [];
    }
    yield* await this.#readChunk(ids);
  }

  async #readChunk(ids: string[]): Promise<[id: string, entry: KvEntry][]> {
    const entries = await this.#reader.readMany(
      ids.map((id) => this.keys.record(id)),
    );
    return entries.map((entry, i) => [ids[i] as string, entry]);
  }
}

function asItIs(entry: KvEntry): KvEntry {
  return entry;
}

/** What to list. */
interface ListRange {
  /** Says which ids can be part of a key. */
  readonly keys: KvKeys;
  /** What comes before the id in the keys. */
  readonly prefix: KvKey;
  /** Only ids that sort before this one. */
  readonly before: string | undefined;
  /** How many will be wanted, as far as is known. */
  readonly limit: number;
}

/**
 * Yields the entries right under a prefix, from the greatest id to the smallest.
 *
 * @param connection The database.
 * @param range What to list.
 */
async function* listEntries(
  connection: KvConnection,
  range: ListRange,
): AsyncGenerator<[id: string, entry: KvEntry]> {
  const { keys, prefix, before, limit } = range;
  if (before === "") return;
  const batchSize = Math.min(limit, LIST_BATCH);
  // an id that cannot be a key does not bound a scan; the comparison below does
  let end = before !== undefined && keys.accepts(before) ? before : undefined;
  let backoff: Backoff | undefined;
  for (;;) {
    try {
      const database = connection.database ?? await connection.open();
      const selector = end === undefined
        ? { prefix }
        : { prefix, end: [...prefix, end] };
      const entries = database.list(selector, { reverse: true, batchSize });
      for await (const entry of answered(connection, database, entries)) {
        const id = entry.key.at(-1);
        if (typeof id !== "string" || entry.key.length !== prefix.length + 1) {
          continue;
        }
        if (before !== undefined && id >= before) continue;
        end = id;
        backoff = undefined;
        yield [id, entry];
      }
      return;
    } catch (error) {
      // on from where it was, if the failure passes by itself
      await (backoff ??= new Backoff()).pause(error);
    }
  }
}

/** Passes entries on, each waited for as long as any answer; disposal waits for those under way. */
async function* answered(
  connection: KvConnection,
  database: KvDatabase,
  entries: AsyncIterable<KvEntry>,
): AsyncGenerator<KvEntry> {
  const iterator = entries[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { done, value } = await connection.during(() =>
        answerOf(iterator.next())
      );
      if (done) return;
      yield value;
    }
  } catch (error) {
    if (isUnanswered(error)) connection.leftUnanswered(database);
    throw error;
  } finally {
    // not awaited: one that hangs would never come to its end
    void Promise.resolve(iterator.return?.()).catch(() => {});
  }
}
