/**
 * The command line of `deno task bench:stores`.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { ENGINES, type EngineSpec } from "./_stores_engines.ts";

/** What the command line asks for. */
export interface StoresOptions {
  /** How often everything is measured. */
  readonly rounds: number;
  /** How long each measurement takes. */
  readonly seconds: number;
  /** How many sessions there are. */
  readonly sessions: number;
  /** What is measured. */
  readonly engines: readonly EngineSpec[];
  /** The folder for the results; undefined: they are only printed. */
  readonly out: string | undefined;
}

/**
 * Reads the command line.
 *
 * @param args The arguments.
 * @returns The options.
 * @throws {TypeError} If there is one too many, or one that makes no sense.
 * @throws {RangeError} If a number is out of its range.
 */
export function parseStoresOptions(args: readonly string[]): StoresOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      seconds: { type: "string" },
      sessions: { type: "string" },
      engines: { type: "string" },
      out: { type: "string" },
    },
  });
  const { quick, engines } = values;
  const whole = !quick && engines === undefined;
  return {
    rounds: toInteger("rounds", values.rounds, quick ? 2 : 5, 1),
    seconds: toSeconds(values.seconds, quick ? 0.15 : 0.6),
    sessions: toInteger(
      "sessions",
      values.sessions,
      quick ? 1_000 : 10_000,
      200,
    ),
    engines: engines === undefined ? ENGINES : engines.split(",").map(toEngine),
    out: values.out ?? (whole ? "bench/results" : undefined),
  };
}

function toInteger(
  name: string,
  text: string | undefined,
  fallback: number,
  least: number,
): number {
  if (text === undefined) return fallback;
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= least) return number;
  throw new RangeError(
    `Cannot measure stores: --${name} must be an integer of ${least} or more: received ${text}`,
  );
}

function toSeconds(text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const seconds = Number(text);
  if (seconds > 0 && seconds <= 3_600) return seconds;
  throw new RangeError(
    `Cannot measure stores: --seconds must be more than 0, and 3600 or less: received ${text}`,
  );
}

function toEngine(text: string): EngineSpec {
  const found = ENGINES.find(({ name }) =>
    name.toLowerCase().startsWith(text.toLowerCase()) && text !== ""
  );
  if (found !== undefined) return found;
  throw new TypeError(
    `Cannot measure stores: --engines must be of ${
      ENGINES.map(({ name }) => name).join(", ")
    }: received ${text}`,
  );
}
