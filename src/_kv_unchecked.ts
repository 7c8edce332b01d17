/**
 * Commits that put or delete records without checking them.
 *
 * @module
 */

import {
  assertFits,
  type Plan,
  planCheck,
  planPartsDelete,
} from "./_kv_plan.ts";
import type { KvRecords } from "./_kv_records.ts";
import { hadTooManyChecks } from "./_kv_retry.ts";
import { partsOf } from "./_kv_value.ts";
import type { KvWriter } from "./_kv_writer.ts";
import type { StoreCommitResult } from "./session_store.ts";

/** Tries while others write the same records; the last one is without conditions. */
const UNCHECKED_TRIES = 10;

/**
 * Writes a plan that puts or deletes records whose parts it does not know.
 *
 * Reads them first, and makes the write depend on what it read, so that no parts
 * stay behind. The caller asked for no such condition: if it does not hold, the
 * write is tried again, and at last without.
 *
 * @param plan The plan.
 * @param records Where to read.
 * @param writer Where to write.
 * @returns `ok: false` only if a check of the plan itself did not hold.
 */
export async function writeUnchecked(
  plan: Plan,
  records: KvRecords,
  writer: KvWriter,
): Promise<StoreCommitResult> {
  const { keys } = records;
  const ids = [...plan.unchecked];
  for (let tries = 1;; tries++) {
    // KV takes no more checks; then parts may stay behind until they expire
    const fits = plan.checks.length + ids.length <= writer.checks;
    const entries = await Promise.all(ids.map((id) => records.read(id)));
    const attempt = {
      ...plan,
      ids: [...plan.ids],
      checks: [...plan.checks],
      deletes: [...plan.deletes],
    };
    for (const [i, { value, versionstamp }] of entries.entries()) {
      const id = ids[i] as string;
      if (fits && tries < UNCHECKED_TRIES) {
        planCheck(attempt, keys, { id, key: keys.record(id), versionstamp });
      }
      const parts = partsOf(value);
      if (parts !== undefined) planPartsDelete(attempt, keys, id, parts);
    }
    assertFits(attempt);
    try {
      const result = await writer.write(attempt);
      if (result.ok || tries === UNCHECKED_TRIES) return result;
      if (!await checksHold(plan, records)) return result;
    } catch (error) {
      if (!fits || !hadTooManyChecks(error)) throw error;
      // it takes fewer than was thought: nothing was written, or even looked at
    }
  }
}

/** Whether the checks of a plan hold, so that it was its conditions of our own that did not. */
async function checksHold(plan: Plan, records: KvRecords): Promise<boolean> {
  const entries = await Promise.all(
    plan.checks.map(({ id }) => records.read(id)),
  );
  return entries.every(({ versionstamp }, i) =>
    versionstamp === plan.checks[i]?.versionstamp
  );
}
