/**
 * Prints the events of a manager.
 *
 * @module
 */

// deno-lint-ignore-file no-console -- printing is what it is for

import { checkOptions, describeType } from "./_check.ts";
import type { SessionEvent } from "./events.ts";

/** From the least to the most important. */
const LEVELS: readonly ConsoleLevel[] = ["debug", "info", "warn", "error"];

/** How important an event is. */
export type ConsoleLevel = "debug" | "info" | "warn" | "error";

/** Options of {@linkcode consoleEvents}. */
export interface ConsoleEventsOptions {
  /** Events below this level are not printed. @default {"info"} */
  level?: ConsoleLevel | undefined;
}

/**
 * Creates an `onEvent` that prints one line per event.
 *
 * What clients can cause at will (a bad token, a conflict) is `debug`, the life of sessions
 * is `info`, what an operator should look at is `warn`, and a failing store is an `error`.
 * Lines hold public ids and reasons, and never a token.
 *
 * @param options From which level on.
 * @returns A listener for the `onEvent` option.
 * @throws {TypeError} If an option or the level is unknown.
 *
 * @example
 * ```ts
 * import { consoleEvents, MemoryStore, SessionManager } from "@tessera/session";
 *
 * await using sessions = new SessionManager({
 *   store: new MemoryStore(),
 *   onEvent: consoleEvents({ level: "warn" }),
 * });
 * ```
 */
export function consoleEvents(
  options: ConsoleEventsOptions = {},
): (event: SessionEvent) => void {
  const action = "create consoleEvents";
  const { level = "info" } = checkOptions(action, options, ["level"]);
  if (!LEVELS.includes(level)) {
    throw new TypeError(
      `Cannot ${action}: "level" must be one of ${
        LEVELS.join(", ")
      }: received ${
        typeof level === "string" ? JSON.stringify(level) : describeType(level)
      }`,
    );
  }
  const least = LEVELS.indexOf(level);
  return (event) => {
    const own = levelOf(event);
    if (LEVELS.indexOf(own) >= least) console[own](lineOf(event));
  };
}

function levelOf(event: SessionEvent): ConsoleLevel {
  switch (event.type) {
    case "store-error":
      return "error";
    case "dropped":
    case "invalid":
    case "warning":
      return "warn";
    case "refused":
      return event.reason === "corrupt" || event.reason === "duplicate"
        ? "warn"
        : "debug";
    case "conflict":
      return "debug";
    default:
      return "info";
  }
}

function lineOf(event: SessionEvent): string {
  const parts = [new Date(event.at).toISOString(), "session", event.type];
  if (event.id !== undefined) parts.push(event.id);
  const detail = detailOf(event);
  if (detail !== undefined) parts.push(detail);
  return parts.join(" ");
}

function detailOf(event: SessionEvent): string | undefined {
  switch (event.type) {
    case "refused":
    case "ended":
    case "dropped":
      return event.reason;
    case "regenerated":
      return `from ${event.previousId}`;
    case "conflict":
      return `attempt ${event.attempt}`;
    case "invalid":
      return `${event.issues.length} issue(s)`;
    case "warning":
      return event.message;
    case "store-error":
      return String(event.error).replaceAll(/[\s\p{Cc}]+/gu, " ");
    default:
      return undefined;
  }
}
