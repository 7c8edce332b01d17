/**
 * An app without a store.
 *
 * @module
 */

import { SessionManager, type SessionOptions } from "@tessera/session";
import { Visitor } from "./_visitor.ts";

export const NAME = "__Host-session";
export const KEYS = ["a", "b"].map((letter) => letter.repeat(32)) as [
  string,
  string,
];

/** A browser of an app without a store. */
export function visitor(options: SessionOptions = {}): Visitor {
  const events: Visitor["events"] = [];
  const sessions = new SessionManager({
    stateless: true,
    secrets: [KEYS[0]],
    onEvent: (event) => events.push(event),
    ...options,
  });
  return Object.assign(new Visitor(sessions, options.clock), { events });
}

export function cookie(token: string, name = NAME): Request {
  const headers = { cookie: `${name}=${token}` };
  return new Request("https://example.com/", { headers });
}

/** Says whether a token leads to a session. */
export async function isKnown(
  { sessions }: Visitor,
  token: string,
): Promise<boolean> {
  const session = await sessions.load(cookie(token));
  return !session.isNew;
}
