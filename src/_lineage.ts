/**
 * Sessions across their ids.
 *
 * @module
 */

import { inBatches } from "./_batches.ts";
import { earliestId } from "./_ids.ts";
import { firstNonce, remembersNonce } from "./_nonce.ts";
import { expiredBy, parseRecord, type SessionRecord } from "./_record.ts";
import { Rounds } from "./_rounds.ts";
import { readRecords } from "./_session_list.ts";
import type { SessionReader } from "./_session_reader.ts";
import type { Settings } from "./_settings.ts";
import { SessionStoreError } from "./errors.ts";

/** So long before it is stored, in milliseconds, an id may be chosen: a handler may wait meanwhile. */
const LOOK_BACK_MS = 60_000;

/** Among so many of the newest sessions, at most, one that has moved is looked for. */
const MAX_RECENT = 10_000;

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

/** The ids of the living sessions of a subject, by lineage. */
type Ids = ReadonlyMap<string, string>;

/**
 * Looks for sessions that are no longer where they were, and have left no trace: they got new
 * ids, and the grace of the old ones has passed.
 *
 * Those that are missed at the same time are found with one list.
 */
export class LineageFinder {
  readonly #settings: Settings;
  readonly #reader: SessionReader;
  readonly #lists = new Rounds<Ids>();
  readonly #recent = new Rounds<readonly string[]>();

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

  /**
   * Says whether a session that is gone went on under another id: by a sign-in, or by a
   * `regenerate` of which no trace is left.
   *
   * @param record The session as it was last seen.
   * @param since When that was, in epoch milliseconds.
   * @throws {SessionStoreError} If the store fails, or takes too long.
   */
  async hasMovedOn(record: SessionRecord, since: number): Promise<boolean> {
    const lineage = lineageOf(record);
    if (lineage === "") return false;
    const start = (Math.floor(since / LOOK_BACK_MS) - 1) * LOOK_BACK_MS;
    const names = await this.#recent.join(
      String(start),
      () => this.#listRecent(start),
    );
    return names.some((remembered) => remembersNonce(remembered, lineage));
  }

  /** Lists what the sessions remember whose ids were chosen since a time. */
  async #listRecent(start: number): Promise<readonly string[]> {
    const { store, storeTimeout } = this.#settings;
    const earliest = earliestId(start);
    const until = performance.now() + storeTimeout;
    const names: string[] = [];
    for await (const listed of store.list()) {
      if (listed.id < earliest || names.length === MAX_RECENT) break;
      const record = parseRecord(listed.record);
      if (record !== undefined && !("forward" in record)) {
        names.push(record.nonce);
      }
      if (performance.now() > until) {
        throw new SessionStoreError(
          `Cannot list sessions: the store must answer within ${storeTimeout} ms: received ${names.length} sessions`,
        );
      }
    }
    return names;
  }

  async #list(subject: string): Promise<Ids> {
    const living = await findLiving(this.#settings, this.#reader, subject);
    return new Map(living.map(({ id, record }) => [lineageOf(record), id]));
  }
}
