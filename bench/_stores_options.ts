/**
 * The command line of `deno task bench:stores`.
 *
 * @module
 */

import {
  type OptionSpecs,
  parseArguments,
  renderOptions,
  toFolder,
  toInteger,
  toNames,
} from "./_command_line.ts";
import { ENGINES, type EngineSpec } from "./_stores_engines.ts";
import { formatInteger } from "./_table.ts";

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

/** The sizes, if no others are asked for: of a whole run, and of a quick one. */
const WHOLE = { rounds: 5, seconds: 0.6, sessions: 10_000 };
const QUICK = { rounds: 2, seconds: 0.15, sessions: 1_000 };

/** The fewest sessions: each loop of each process writes one that is its own. */
const MIN_SESSIONS = 200;

/** The longest measurement. */
const MAX_SECONDS = 3_600;

/** The options, with what they are by default. */
const SPECS = {
  quick: { meaning: "little of everything, to see that it works (off)" },
  rounds: {
    value: "N",
    meaning: `how often all is measured (${WHOLE.rounds})`,
  },
  seconds: {
    value: "N",
    meaning: `how long each measurement takes (${WHOLE.seconds})`,
  },
  sessions: {
    value: "N",
    meaning: `how many there are, ${MIN_SESSIONS} or more (${
      formatInteger(WHOLE.sessions)
    })`,
  },
  engines: {
    value: "A,B",
    meaning: "engines, by the beginnings of their names (all)",
  },
  out: {
    value: "FOLDER",
    meaning: "where to save (bench/results if all else is as by default)",
  },
  help: { meaning: "prints this, as -h does" },
} satisfies OptionSpecs<string>;

/** What `--help` prints. */
export const STORES_USAGE = `Usage: deno task bench:stores [options]

Measures how far a KV file, denokv, Redis and PostgreSQL carry. See
bench/README.md.

Options (and their defaults):
${renderOptions(SPECS)}

Engines: ${ENGINES.map(({ name }) => name).join(", ")}`;

/**
 * Reads the command line.
 *
 * @param args The arguments.
 * @returns The options.
 * @throws {TypeError} If there is one too many, or one that makes no sense.
 * @throws {RangeError} If a number is out of its range.
 */
export function parseStoresOptions(args: readonly string[]): StoresOptions {
  const values = parseArguments(args, SPECS);
  const quick = values.quick !== undefined;
  const usual = quick ? QUICK : WHOLE;
  const rounds = toInteger("rounds", values.rounds, usual.rounds);
  const seconds = toSeconds(values.seconds, usual.seconds);
  const sessions = toInteger(
    "sessions",
    values.sessions,
    usual.sessions,
    MIN_SESSIONS,
  );
  const names = toNames(
    "engines",
    values.engines,
    ENGINES.map(({ name }) => name),
  );
  // what is no whole run must not take the place of one
  const whole = !quick && names === undefined && rounds === WHOLE.rounds &&
    seconds === WHOLE.seconds && sessions === WHOLE.sessions;
  return {
    rounds,
    seconds,
    sessions,
    engines: ENGINES.filter(({ name }) => names?.includes(name) ?? true),
    out: toFolder("out", values.out) ?? (whole ? "bench/results" : undefined),
  };
}

function toSeconds(text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const seconds = Number(text);
  if (seconds > 0 && seconds <= MAX_SECONDS) return seconds;
  throw new RangeError(
    `Cannot run benchmarks: --seconds must be more than 0, and ${MAX_SECONDS} or less: received ${text}`,
  );
}
