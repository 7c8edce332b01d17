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

/**
 * Says whether a request is to have no session.
 *
 * @param skip The `skip` option.
 * @param request The request.
 * @returns Whether `skip` says so.
 * @throws {TypeError} If it returns a promise, which would always be a yes.
 */
export function isSkipped(
  skip: ((request: Request) => boolean) | undefined,
  request: Request,
): boolean {
  if (skip === undefined) return false;
  const answer: unknown = skip(request);
  if (answer instanceof Promise) {
    answer.catch(() => {}); // it is refused, so nobody else will handle its rejection
    throw new TypeError(
      `Cannot load session: "skip" must be synchronous, and return a boolean: received a promise`,
    );
  }
  return Boolean(answer);
}

function skipped(key: string): SessionSkippedError {
  return new SessionSkippedError(
    `Cannot use session: want a request that "skip" does not leave out: received a use of "${key}"`,
  );
}
