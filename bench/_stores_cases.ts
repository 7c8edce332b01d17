/**
 * What the stores are measured at, and how a process is told to do it.
 *
 * @module
 */

/** A kind of request. */
export type StoresCase = "read" | "write" | "hot write" | "login";

/** All kinds, in the order of the table. */
export const STORES_CASES: readonly StoresCase[] = [
  "read",
  "write",
  "hot write",
  "login",
];

/** How many processes share the store. */
export const PROCESSES = [1, 4] as const;

/** How many requests are under way at a time in each process. */
export const LOOPS = 32;

/** What a process is told, one line of JSON each. */
export type Command =
  /** Begin sessions, and answer with their cookies. */
  | { do: "fill"; sessions: number; signedIn: boolean }
  /** Take the sessions of a file; the first one is the hot one. */
  | { do: "take"; file: string }
  /** Send requests for so long. */
  | { do: "run"; what: StoresCase; seconds: number }
  /** Read the count in the hot session. */
  | { do: "count" };

/** What a process answers to `run`. */
export interface RunAnswer {
  /** How many requests succeeded. */
  readonly done: number;
  /** How many failed, by the names of the errors. */
  readonly errors: Readonly<Record<string, number>>;
  /** How long it took, in seconds. */
  readonly seconds: number;
  /** The time that half of the requests stayed below, in milliseconds. */
  readonly p50: number;
  /** The same for 99 of 100. */
  readonly p99: number;
}
