/**
 * Finds the newest state of a session that a token carries.
 *
 * @module
 */

import { expiredBy } from "./_record.ts";
import { type Missing, NO_HOPS } from "./_session_reader.ts";
import type { Settings } from "./_settings.ts";
import type { SealedSession, SessionCipher } from "./_stateless_cipher.ts";

/** A session of a token. */
export interface CarriedSession extends SealedSession {
  /** What tells the token from all others. */
  readonly version: string;
}

/** The newest state of a session, as far as this process knows. */
export interface NewestSession extends CarriedSession {
  /** The token that this process issued for it, if it did. */
  readonly token: string | undefined;
  /** The replaced id that led to it. */
  readonly hops: readonly string[];
}

/**
 * Finds the newest state of a session that a token carries, if it lives.
 *
 * @param settings The manager's settings.
 * @param cipher What encrypts, and knows what it has issued.
 * @param name The name of the transport.
 * @param carried The session as the token has it.
 * @param usedAt When the request that asks began to use the session; left out: now.
 * @returns Its newest state, or why there is none.
 */
export function findNewest(
  settings: Settings,
  cipher: SessionCipher,
  name: string,
  carried: CarriedSession,
  usedAt?: number,
): NewestSession | Missing {
  const now = settings.now();
  const isLoaded = usedAt !== undefined;
  const issued = cipher.issued.newestFor(carried, now, isLoaded);
  if (issued !== undefined && "missing" in issued) return issued;
  let { id, record, version } = carried;
  if (issued !== undefined && issued.version !== version) {
    const opened = cipher.open(name, issued.token);
    if (typeof opened === "string") return { missing: opened, id: issued.id };
    ({ id, record, version } = opened);
  }
  const missing = expiredBy(record, now, usedAt ?? now, settings);
  if (missing !== undefined) return { missing, id };
  const hops = id === carried.id ? NO_HOPS : [carried.id];
  return { id, record, version, token: issued?.token, hops };
}

/**
 * Finds the newest state of a session that a request brings, if it lives, and its token does:
 * that does not live on by what others made of its session.
 *
 * @param settings The manager's settings.
 * @param cipher What encrypts, and knows what it has issued.
 * @param name The name of the transport.
 * @param carried The session as the token has it.
 * @returns Its newest state, or why there is none.
 */
export function findBrought(
  settings: Settings,
  cipher: SessionCipher,
  name: string,
  carried: CarriedSession,
): NewestSession | Missing {
  const now = settings.now();
  const { id, record } = carried;
  const missing = expiredBy(record, now, now, settings);
  return missing === undefined
    ? findNewest(settings, cipher, name, carried)
    : { missing, id };
}
