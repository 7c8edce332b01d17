/**
 * Random programs of parallel requests.
 *
 * @module
 */

import fc from "fast-check";
import type { CommitFault } from "./_controllable_store.ts";

/** One thing that a request does with its session. */
export type Step =
  | { readonly type: "set" | "delete"; readonly key: string }
  | { readonly type: "clear" | "count" | "push" | "flash" | "take" | "pause" };

/** What a request does in the end. */
export type Ending =
  | "return"
  | "throw"
  | "commit"
  | "login"
  | "regenerate"
  | "destroy";

/** A request, an edit from outside, or a revocation. */
export interface Call {
  readonly type: "request" | "edit" | "revoke";
  /** The browser whose session it is about. */
  readonly browser: number;
  /** The manager that serves it. */
  readonly manager: number;
  /** Whether it comes from an old tab, with the first token the browser had. */
  readonly stale: boolean;
  readonly steps: readonly Step[];
  readonly ending: Ending;
}

/** Calls that run in parallel, and what befalls the commits, by their number. */
export interface Program {
  readonly calls: readonly Call[];
  readonly faults: readonly (CommitFault | undefined)[];
  readonly batch: boolean;
}

/** How many browsers there are, each with a session at the start. */
export const BROWSERS = 2;

/** How many managers work on the one store. */
export const MANAGERS = 2;

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    type: fc.constantFrom("set", "delete"),
    key: fc.constantFrom("a", "b"),
  }),
  fc.record({
    type: fc.constantFrom(
      "count",
      "count",
      "push",
      "flash",
      "take",
      "pause",
      "pause",
      "clear",
    ),
  }),
);

const call: fc.Arbitrary<Call> = fc.record({
  type: fc.constantFrom("request", "request", "request", "edit", "revoke"),
  browser: fc.nat(BROWSERS - 1),
  manager: fc.nat(MANAGERS - 1),
  stale: fc.constantFrom(false, false, true),
  steps: fc.array(step, { maxLength: 4 }),
  ending: fc.constantFrom(
    "return",
    "return",
    "return",
    "return",
    "throw",
    "commit",
    "login",
    "regenerate",
    "regenerate",
    "destroy",
  ),
});

const fault: fc.Arbitrary<CommitFault | undefined> = fc.constantFrom(
  undefined,
  undefined,
  undefined,
  undefined,
  "lost",
  "denied",
  "refused",
);

/** Programs of up to ten calls. */
export const program: fc.Arbitrary<Program> = fc.record({
  calls: fc.array(call, { minLength: 2, maxLength: 10 }),
  faults: fc.array(fault, { maxLength: 6 }),
  batch: fc.boolean(),
});
