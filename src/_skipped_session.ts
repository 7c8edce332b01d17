/**
 * What a handler gets in place of a session when `skip` said so.
 *
 * @module
 */

import { SessionSkippedError } from "./errors.ts";
import type { Session } from "./session.ts";

/**
 * The one skipped session: touching any part of it throws.
 *
 * But for what the language itself asks any object for, as when it is returned from an
 * async function or inspected.
 */
export const SKIPPED_SESSION: Session = new Proxy(
  Object.freeze({}) as Session,
  {
    get(_target, key) {
      if (
        typeof key === "symbol" || key === "then" || key === "toJSON" ||
        key === "constructor"
      ) {
        return undefined;
      }
      throw skipped(key);
    },
    set(_target, key) {
      throw skipped(String(key));
    },
  },
);

function skipped(key: string): SessionSkippedError {
  return new SessionSkippedError(
    `Cannot use session: want a request that "skip" does not leave out: received a use of "${key}"`,
  );
}
