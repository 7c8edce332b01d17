/**
 * Looks for many sessions of one subject at a time.
 *
 * @module
 */

import { findLiving, lineageOf } from "./_lineage.ts";
import type { SessionRecord } from "./_record.ts";
import { Rounds } from "./_rounds.ts";
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
  readonly #lists = new Rounds<Ids>();

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
    const ids = await this.#lists.join(subject, () => this.#list(subject));
    return ids.get(lineage);
  }

  async #list(subject: string): Promise<Ids> {
    const living = await findLiving(this.#settings, this.#reader, subject);
    return new Map(living.map(({ id, record }) => [lineageOf(record), id]));
  }
}
