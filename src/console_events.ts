/**
 * Prints the events of a manager.
 *
 * @module
 */

// deno-lint-ignore-file no-console -- printing is what it is for

import {
  checkOptions,
  describeType,
  describeValue,
  wrongOption,
} from "./_check.ts";
import type { SessionEvent } from "./events.ts";

/** From the least to the most important. */
const LEVELS: readonly ConsoleLevel[] = ["debug", "info", "warn", "error"];

/** So many of the errors that an AggregateError holds are printed. */
const MAX_INNER = 4;

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
 * is `info`, what an operator should look at (dropped changes, corrupt records, two tokens
 * at once) is `warn`, and a failing store is an `error`.
 * Lines hold public ids and reasons, and never a token.
 *
 * @param options From which level on.
 * @returns A listener for the `onEvent` option.
 * @throws {TypeError} If an option or the level is unknown.
 *
 * @example Printing what an operator should look at
 * ```ts
 * import { consoleEvents, MemoryStore, SessionManager } from "@tessera/session";
 * import { assertEquals } from "@std/assert";
 *
 * const sessions = new SessionManager({
 *   store: new MemoryStore(),
 *   onEvent: consoleEvents({ level: "warn" }),
 * });
 * assertEquals(await sessions.revokeAll("ada"), 0); // not a line
 * ```
 */
export function consoleEvents(
  options: ConsoleEventsOptions = {},
): (event: SessionEvent) => void {
  const action = "create consoleEvents";
  const { level = "info" } = checkOptions(action, options, ["level"]);
  if (!LEVELS.includes(level)) {
    throw wrongOption(
      action,
      "level",
      `be one of ${LEVELS.join(", ")}`,
      describeValue(level),
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
      return describeError(event.error);
    default:
      return undefined;
  }
}

/** Describes what a store threw, whatever that is, in one line. */
function describeError(error: unknown): string {
  let text = nameError(error);
  try {
    if (error instanceof AggregateError) {
      const inner = error.errors.slice(0, MAX_INNER).map(nameError);
      if (error.errors.length > MAX_INNER) inner.push("…");
      text += ` [${inner.join("; ")}]`;
    }
  } catch {
    // made up of what it should not be
  }
  return text.replaceAll(/[\s\p{Cc}]+/gu, " ");
}

/** Names an error, with the code that drivers and systems give it. */
function nameError(error: unknown): string {
  try {
    const text = String(error);
    const { code } = Object(error);
    return typeof code !== "string" || code === "" || text.includes(code)
      ? text
      : `${text} (${code})`;
  } catch {
    return `${describeType(error)} that cannot be printed`;
  }
}
