/**
 * Sessions across their ids.
 *
 * @module
 */

import { inBatches } from "./_batches.ts";
import { earliestId } from "./_ids.ts";
import { firstNonce, remembersNonce } from "./_nonce.ts";
import { expiredBy, type SessionRecord } from "./_record.ts";
import { Rounds } from "./_rounds.ts";
import { readRecords } from "./_session_list.ts";
import type { SessionReader } from "./_session_reader.ts";
import type { Settings } from "./_settings.ts";

/**
 * How long ago the id may have been chosen, in milliseconds: a handler may choose it before a
 * long wait.
 */
const LOOK_BACK_MS = 60_000;

/** A session that lives, and where. */
export interface LivingSession {
  /** Its id. */
  readonly id: string;
  /** Its record. */
  readonly record: SessionRecord;
  /** The version of that. */
  readonly version: string;
}

/**
 * Tells a session from all others, whatever its id is by now: `regenerate` keeps it, a login
 * does not.
 */
export function lineageOf({ nonce }: SessionRecord): string {
  return firstNonce(nonce);
}

/**
 * Finds the living sessions of a subject.
 *
 * One that gets a new id meanwhile is not listed where that is read too late, as new ids stand
 * first; but then its old one leads to an id that is not listed.
 *
 * @param settings The manager's settings.
 * @param reader What follows replaced ids.
 * @param subject The subject.
 * @param options `removeExpired`: whether what has expired is to be gone for good, or a request
 *   that began to use it in time could go on with it; `false` by default.
 * @returns The sessions, in no order.
 */
export async function findLiving(
  settings: Settings,
  reader: SessionReader,
  subject: string,
  { removeExpired = false }: { removeExpired?: boolean } = {},
): Promise<LivingSession[]> {
  const living: LivingSession[] = [];
  const listed = new Set<string>();
  const doubtful = new Set<string>();
  const successors = new Set<string>();
  for await (const one of readRecords(settings, subject)) {
    const { id, record, version } = one;
    listed.add(id);
    const now = settings.now();
    if ("forward" in record) successors.add(record.forward);
    else if (expiredBy(record, now, now, settings) === undefined) {
      living.push({ id, record, version });
    } else if (removeExpired) doubtful.add(id);
  }
  for (const successor of successors) {
    if (!listed.has(successor)) doubtful.add(successor);
  }
  const found = await inBatches(
    [...doubtful],
    (id) => reader.find(id, { dataNeeded: false }),
  );
  for (const one of found) {
    if (!("missing" in one) && one.record.subject === subject) living.push(one);
  }
  return living;
}

/**
 * Says whether a session that is gone went on under another id a moment ago: by a sign-in, or by
 * a `regenerate` of which no trace is left.
 *
 * @param settings The manager's settings.
 * @param record The session as it was last seen.
 */
export async function hasMovedOn(
  settings: Settings,
  record: SessionRecord,
): Promise<boolean> {
  const lineage = lineageOf(record);
  if (lineage === "") return false;
  const earliest = earliestId(settings.now() - LOOK_BACK_MS);
  for await (const { id, record } of readRecords(settings)) {
    if (id < earliest) break;
    if ("forward" in record) continue;
    if (remembersNonce(record.nonce, lineage)) return true;
  }
  return false;
}

/** The ids of the living sessions of a subject, by lineage. */
type Ids = ReadonlyMap<string, string>;

/**
 * Finds sessions of signed-in subjects that are no longer where they were, and have left no
 * trace: they got new ids, and the grace of the old ones has passed.
 *
 * Those of a subject that are missed at the same time are found with one list.
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
