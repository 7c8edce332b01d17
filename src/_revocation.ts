/**
 * Ends all sessions of a subject.
 *
 * @module
 */

import { checkOptions, checkType } from "./_check.ts";
import { lineageOf } from "./_lineage.ts";
import type { SessionRecord } from "./_record.ts";
import { endEach, endSession } from "./_removal.ts";
import { readRecords } from "./_session_list.ts";
import type { StoreWriter } from "./_store_writer.ts";

/** So often the sessions are listed, while some of them get new ids. */
const MAX_LISTS = 100;

/** So many sessions are ended before the list is read on. */
const BATCH = 100;

/** Options of `SessionManager.revokeAll`. */
export interface RevokeAllOptions {
  /** The id of a session to spare: that of the request that asks, as a rule. @default none */
  except?: string | undefined;
}

/** The session to spare: by its id, which it may only be about to get, and by what stays when that changes. */
interface Spared {
  readonly ids: readonly string[];
  readonly lineages: readonly string[];
}

/** What a list of a subject's sessions has shown. */
interface Pass {
  /** How many sessions were there to be ended. */
  readonly found: number;
  /** How many of them this call has ended. */
  readonly ended: number;
  /** The replaced ids that were seen. */
  readonly replaced: ReadonlySet<string>;
}

/**
 * Ends every session of a subject that existed at the call.
 *
 * A session that gets a new id while the list is read may be missing in it, as the new id
 * stands before what was read already; so lists are read until one shows nothing to end,
 * and no id that was replaced meanwhile.
 *
 * @param writer What writes.
 * @param subject The subject.
 * @param options The session to spare.
 * @returns How many sessions it ended.
 * @throws {TypeError} If the subject is no string, or an option is unknown.
 */
export async function revokeSubject(
  writer: StoreWriter,
  subject: string,
  options: RevokeAllOptions,
): Promise<number> {
  const action = "revoke sessions";
  checkType(action, "subject", subject, "string");
  const { except } = checkOptions(action, options, ["except"]);
  if (except !== undefined) checkType(action, "except", except, "string");
  const start = writer.settings.now();
  const spared = except === undefined ? undefined : await find(writer, except);

  let count = 0;
  let known: ReadonlySet<string> = new Set();
  for (let lists = 1; lists <= MAX_LISTS; lists++) {
    const existed = ({ authenticatedAt = start }: SessionRecord) =>
      lists === 1
        ? !isWithin(authenticatedAt, start, writer.settings.now())
        : authenticatedAt < start;
    const pass = await endListed(
      writer,
      subject,
      (id, record) => existed(record) && !isSpared(id, record, spared),
    );
    count += pass.ended;
    const isAtRest = [...pass.replaced].every((id) => known.has(id));
    if (lists > 1 && pass.found === 0 && isAtRest) break;
    known = pass.replaced;
  }
  return count;
}

/** Ends what a list shows, and is to be ended. */
async function endListed(
  writer: StoreWriter,
  subject: string,
  isWanted: (id: string, record: SessionRecord) => boolean,
): Promise<Pass> {
  const replaced = new Set<string>();
  const end = (id: string) => endSession(writer, id, "revoked");
  let found = 0;
  let ended = 0;
  let batch: string[] = [];
  for await (const { id, record } of readRecords(writer.settings, subject)) {
    if ("forward" in record) replaced.add(id);
    else if (isWanted(id, record)) {
      found++;
      if (batch.push(id) < BATCH) continue;
      ended += await endEach(batch, end);
      batch = [];
    }
  }
  ended += await endEach(batch, end);
  return { found, ended, replaced };
}

/** Whether somebody signed in after the call; what a clock ahead of ours says is not believed. */
function isWithin(time: number, start: number, now: number): boolean {
  return start < time && time <= now;
}

function isSpared(
  id: string,
  record: SessionRecord,
  spared: Spared | undefined,
): boolean {
  return spared !== undefined &&
    (spared.ids.includes(id) || spared.lineages.includes(lineageOf(record)));
}

/**
 * Finds the session to spare.
 *
 * A request that has logged in or regenerated names the id that its session is to get.
 */
async function find(writer: StoreWriter, id: string): Promise<Spared> {
  const { reader } = writer;
  const previous = reader.renamings.previousOf(id);
  const named = previous === undefined ? [id] : [id, previous];
  const found = await Promise.all(
    named.map((one) => reader.find(one, { dataNeeded: false })),
  );
  return {
    ids: named,
    lineages: found.flatMap((one) =>
      "missing" in one ? [] : lineageOf(one.record)
    ),
  };
}
