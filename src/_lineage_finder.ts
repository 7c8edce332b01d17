/**
 * Looks for many sessions of one subject at a time.
 *
 * @module
 */

import { findLiving, lineageOf } from "./_lineage.ts";
import type { SessionRecord } from "./_record.ts";
import type { SessionReader } from "./_session_reader.ts";
import type { Settings } from "./_settings.ts";

/** The ids of the living sessions of a subject, by lineage. */
type Ids = ReadonlyMap<string, string>;

/**
 * Finds sessions that are no longer where they were; those of a subject that are missed at
 * the same time with one list.
 */
export class LineageFinder {
  readonly #settings: Settings;
  readonly #reader: SessionReader;
  /** The lists that are being read. */
  readonly #reading = new Map<string, Promise<unknown>>();
  /** Those that come next: one that is being read may have passed what is looked for. */
  readonly #next = new Map<string, Promise<Ids>>();

  /** Constructs a finder. */
  constructor(settings: Settings, reader: SessionReader) {
    this.#settings = settings;
    this.#reader = reader;
  }

  /**
   * Finds a session.
   *
   * @param record The session as it was last seen.
   * @returns Its id by now; `undefined` if it has ended, or nobody is signed in.
   */
  async find(record: SessionRecord): Promise<string | undefined> {
    const { subject } = record;
    const lineage = lineageOf(record);
    if (subject === undefined || lineage === "") return undefined;
    let ids = this.#next.get(subject);
    if (ids === undefined) {
      ids = this.#read(subject, this.#reading.get(subject));
      this.#next.set(subject, ids);
    }
    return (await ids).get(lineage);
  }

  async #read(subject: string, before: Promise<unknown> | undefined) {
    await before?.catch(() => {});
    await undefined; // so that those of this moment come along
    const reading = findLiving(this.#settings, this.#reader, subject);
    this.#next.delete(subject);
    this.#reading.set(subject, reading);
    try {
      const living = await reading;
      return new Map(living.map(({ id, record }) => [lineageOf(record), id]));
    } finally {
      if (this.#reading.get(subject) === reading) this.#reading.delete(subject);
    }
  }
}
