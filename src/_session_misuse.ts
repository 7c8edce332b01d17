/**
 * What the use of a session that comes too late, or from the wrong place, is told.
 *
 * @module
 */

import { describeType } from "./_check.ts";
import { SessionClosedError } from "./errors.ts";

/** What is received in place of a change in time. */
const CHANGES = {
  committed:
    "a change after the commit; use manager.edit from sockets and queues",
  destroyed: "a change after destroy",
  discarded: "a change after the request failed",
} as const;

/** Makes the error for a use of what the request itself has destroyed. */
export function usedAfterDestroy(action: string): SessionClosedError {
  return closed(action, "a use after destroy");
}

/** Makes the error for a change of a session that is no longer open. */
export function changedAfterEnd(
  action: string,
  status: keyof typeof CHANGES,
): SessionClosedError {
  return closed(action, CHANGES[status]);
}

/** Makes the error for a change from within the callback of an update. */
export function changedInUpdate(action: string): TypeError {
  return new TypeError(
    `Cannot ${action}: want an update callback without effects, as it may run again: received a change from within one`,
  );
}

/** Makes the error for what is attached and is no socket. */
export function noSocket(value: unknown): TypeError {
  return new TypeError(
    `Cannot attach socket: want a WebSocket: received ${describeType(value)}`,
  );
}

function closed(action: string, received: string): SessionClosedError {
  return new SessionClosedError(
    `Cannot ${action}: the session must still be open: received ${received}`,
  );
}
