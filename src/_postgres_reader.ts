/**
 * Reads that travel together.
 *
 * @module
 */

import { afterBurst } from "./_burst.ts";
import { decodeRecord } from "./_codec.ts";
import {
  leaveSlot,
  type PostgresSql,
  type PostgresTable,
  select,
  toArray,
} from "./_postgres_sql.ts";
import type { VersionedRecord } from "./session_store.ts";

/** Most ids of one statement. */
const READ_IDS = 100;
/** Statements in flight at a time. */
const READ_SLOTS = 4;

/** A read that somebody waits for. */
interface Read {
  readonly id: string;
  readonly resolve: (found: VersionedRecord | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Reads records: those asked for in one burst, or while others are in flight,
 * are one statement; one alone goes out a microtask later.
 */
export class PostgresReader {
  readonly #sql: PostgresSql;
  readonly #one: string;
  readonly #many: string;
  readonly #batch: boolean;
  #queue: Read[] = [];
  #inFlight = 0;
  #scheduled = false;

  constructor(
    sql: PostgresSql,
    table: PostgresTable,
    options: { batch: boolean },
  ) {
    this.#sql = sql;
    this.#batch = options.batch;
    const rows = `SELECT id, record, version::text FROM ${table.sql} WHERE`;
    this.#one = `${rows} id = $1::text`;
    this.#many = `${rows} id = ANY ($1::text[])`;
  }

  /** Reads one record. */
  read(id: string): Promise<VersionedRecord | undefined> {
    return new Promise((resolve, reject) => {
      const read = { id, resolve, reject };
      if (!this.#batch) return void this.#settle([read]);
      this.#queue.push(read);
      if (this.#scheduled || this.#inFlight >= READ_SLOTS) return;
      this.#scheduled = true;
      afterBurst(() => this.#queue.length, () => {
        this.#scheduled = false;
        this.#pump();
      });
    });
  }

  #pump(): void {
    while (this.#queue.length > 0 && this.#inFlight < READ_SLOTS) {
      this.#inFlight++;
      const reads = this.#queue.splice(0, READ_IDS);
      leaveSlot(this.#settle(reads)).then(() => {
        this.#inFlight--;
        this.#pump();
      });
    }
  }

  /** Sends a statement and settles each of its reads; never rejects. */
  async #settle(reads: readonly Read[]): Promise<void> {
    try {
      const [first] = reads;
      const rows = first !== undefined && reads.length === 1
        ? await select(this.#sql, this.#one, [first.id])
        : await select(this.#sql, this.#many, [
          toArray([...new Set(reads.map(({ id }) => id))]),
        ]);
      const found = new Map(rows.map((row) => [row[0], row]));
      for (const { id, resolve } of reads) {
        const row = found.get(id);
        // decoded for each reader: copies are not shared
        resolve(row && toVersioned(row[1] as string, row[2] as string));
      }
    } catch (error) {
      for (const { reject } of reads) reject(error);
    }
  }
}

/** Makes a record of a row; of one that was tampered with, a record of no session. */
export function toVersioned(text: string, version: string): VersionedRecord {
  try {
    return { record: decodeRecord(text), version };
  } catch {
    return { record: undefined, version };
  }
}
