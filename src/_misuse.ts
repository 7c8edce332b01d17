/**
 * What a handler, or an app in place of one, is told that it does wrong.
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

/** Whether a value has headers; requests of other realms and polyfills count too. */
export function isRequest(value: Partial<Request> | null): boolean {
  return typeof value?.headers?.get === "function";
}

/** Makes the error for what is handed over in place of a request. */
export function noRequest(value: unknown): TypeError {
  return new TypeError(
    `Cannot load session: "request" must be a Request: received ${
      describeType(value)
    }`,
  );
}

/** Makes sure that a handler answered; responses of other realms and polyfills count too. */
export function assertResponse(
  value: unknown,
  action: string,
  want: string,
): asserts value is Response {
  if (
    typeof value === "object" && value !== null && "headers" in value &&
    "status" in value
  ) return;
  throw new TypeError(
    `Cannot ${action}: ${want} a Response: received ${describeType(value)}`,
  );
}

/** Makes the error for a response whose body cannot be sent. */
export function unsendable(received: string): TypeError {
  return new TypeError(
    `Cannot respond: the body of the response must be there to send: received ${received}`,
  );
}

/** Makes the error for a response that nothing can be added to. */
export function unbuildable(status: number): TypeError {
  return new TypeError(
    `Cannot respond: the status of a response that gets a token must be from 200 to 599: received ${status}`,
  );
}

/** Makes the error for a session that is loaded too late to be saved. */
export function loadedLate(): SessionClosedError {
  return new SessionClosedError(
    "Cannot load session: the request must still be under way: received a first load after its response; use manager.edit from sockets and queues",
  );
}
