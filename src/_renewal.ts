/**
 * Brings up to date what a response tells, where its commit was a while ago.
 *
 * @module
 */

import { findAgain } from "./_merge.ts";
import type { RequestSession } from "./_request_session.ts";
import type { StoreWriter } from "./_store_writer.ts";

/** What is sent so soon after its commit, in milliseconds, is told as it was then. */
export const MOMENT_MS = 100;

/**
 * Hands out the token in force: since the commit the session may have moved on, or ended, and
 * the client may have a newer token.
 *
 * @param writer What reads and writes.
 * @param request The request.
 */
export async function renewAnswer(
  writer: StoreWriter,
  request: RequestSession,
): Promise<void> {
  const { issued } = request;
  const { settings } = writer;
  if (issued === undefined || settings.cipher !== undefined) return;
  try {
    const found = await findAgain(writer, request, issued, {
      dataNeeded: false,
    });
    request.withdraw();
    // of one that has moved far away only the id is known
    if ("missing" in found || found.secret === undefined) return;
    const now = settings.now();
    const { issuedAt } = issued;
    const since = now - issuedAt < MOMENT_MS ? issuedAt : now;
    request.follow(found, found.secret, since);
  } catch {
    // reported by the store's guard; what was committed is told
  }
}
