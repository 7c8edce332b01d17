/**
 * What is left of increments of one session that race.
 *
 * @module
 */

import type { Contest } from "./_contest.ts";
import type { RunningServer } from "./_load.ts";
import { beginSessions, visit } from "./_visits.ts";

/** How many increments race. */
export const INCREMENTS = 200;

/** How long writes that no response waited for are given. */
const SETTLE_MS = 500;

/** What was left. */
export interface Survival {
  /** The name of the server. */
  readonly server: string;
  /** How many increments were answered with success. */
  readonly answered: number;
  /** How many of them are in the session. */
  readonly survived: number;
}

/**
 * Counts up in one session of each server with many requests at once, and reads it.
 *
 * @param contest The servers; one that fails drops out.
 * @returns What was left, of those that have sessions.
 */
export async function raceIncrements(
  contest: Contest<RunningServer>,
): Promise<Survival[]> {
  const survivals: Survival[] = [];
  for (const server of contest.running) {
    if (server.store === "none") continue;
    const during = `${INCREMENTS} increments at once`;
    const survival = await contest.attempt(server, during, () => race(server));
    if (survival !== undefined) survivals.push(survival);
  }
  return survivals;
}

async function race(
  { name, origin }: RunningServer,
): Promise<Survival> {
  const [cookie = ""] = await beginSessions(origin, 1);
  let newest = cookie;
  let answered = 0;
  await Promise.allSettled(
    Array.from({ length: INCREMENTS }, async () => {
      const answer = await visit(origin, { path: "/increment", cookie });
      answered++;
      // as a browser does: the last cookie to come is the one that is kept
      newest = answer.cookie ?? newest;
    }),
  );
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const { text } = await visit(origin, { path: "/read", cookie: newest });
  return { server: name, answered, survived: Number(text) - 1 };
}
