/**
 * The command line of `deno task bench`.
 *
 * @module
 */

import { type CaseName, CASES } from "./_cases.ts";
import {
  type OptionSpecs,
  parseArguments,
  renderOptions,
  toFolder,
  toInteger,
  toNames,
} from "./_command_line.ts";
import { SERVERS } from "./_servers.ts";
import { formatInteger } from "./_table.ts";

/** What to run. */
export type Mode = "load" | "scale" | "soak" | "startup";

/** What sends the requests. */
export type Driver = "wrk" | "own";

/** How much is measured. */
export interface Sizes {
  /** How often everything is measured. */
  readonly rounds: number;
  /** How long each measurement takes. */
  readonly seconds: number;
  /** How many connections are open at a time. */
  readonly connections: number;
  /** How many sessions the requests are for; with `scale`, how many the large file has. */
  readonly sessions: number;
  /** How many requests the soak test takes. */
  readonly requests: number;
}

/** What the command line asks for. */
export interface Options extends Sizes {
  /** What to run. */
  readonly mode: Mode;
  /** Whether to make do with little. */
  readonly quick: boolean;
  /** The servers to measure; undefined: all but the optional ones. */
  readonly servers: readonly string[] | undefined;
  /** The cases to measure; undefined: all. */
  readonly cases: readonly CaseName[] | undefined;
  /** What sends the requests; undefined: wrk if it is there. */
  readonly driver: Driver | undefined;
  /** The folder for the results; undefined: they are only printed. */
  readonly out: string | undefined;
}

const MODES = ["scale", "soak", "startup"] as const;
const SIZES = [
  "rounds",
  "seconds",
  "connections",
  "sessions",
  "requests",
] as const;

const LOAD = sizesOf("load", false);
const SCALE = sizesOf("scale", false);
const SOAK = sizesOf("soak", false);
const STARTUP = sizesOf("startup", false);

/** The options, with what they are by default. */
const SPECS = {
  scale: {
    meaning: `run: ${formatInteger(SCALE.sessions)} sessions in one file`,
  },
  soak: {
    meaning: `run: the memory over ${formatInteger(SOAK.requests)} requests`,
  },
  startup: { meaning: "run: what an import costs" },
  quick: { meaning: "little of everything, to see that it works (off)" },
  rounds: {
    value: "N",
    meaning:
      `how often all is measured (${LOAD.rounds}; --scale: ${SCALE.rounds}; --startup: ${STARTUP.rounds})`,
  },
  seconds: {
    value: "N",
    meaning: `how long each measurement takes (${LOAD.seconds})`,
  },
  connections: {
    value: "N",
    meaning: `how many are open at a time (${LOAD.connections})`,
  },
  sessions: {
    value: "N",
    meaning: `how many there are (${LOAD.sessions}; --scale: ${
      formatInteger(SCALE.sessions)
    })`,
  },
  requests: {
    value: "N",
    meaning: `how many --soak sends (${formatInteger(SOAK.requests)})`,
  },
  servers: {
    value: "A,B",
    meaning: "servers, by the beginnings of their names (all but unbatched)",
  },
  cases: { value: "A,B", meaning: "cases, likewise (all)" },
  driver: {
    value: "wrk|own",
    meaning: "what sends the requests (wrk if it is there)",
  },
  out: {
    value: "FOLDER",
    meaning: "where to save (bench/results if all else is as by default)",
  },
  help: { meaning: "prints this, as -h does" },
} satisfies OptionSpecs<string>;

/** What `--help` prints. */
export const USAGE = `Usage: deno task bench [options]

Measures how fast the package is, beside what people would use in its place: the
load run, unless one of the others is asked for. See bench/README.md.

Options (and their defaults):
${renderOptions(SPECS)}

Servers: ${SERVERS.map(nameOf).join(", ")}
Cases: ${CASES.map(nameOf).join(", ")}`;

/**
 * Reads the command line.
 *
 * @param args The arguments.
 * @returns The options.
 * @throws {TypeError} If there is one too many, or one that makes no sense.
 * @throws {RangeError} If a number is out of its range.
 */
export function parseOptions(args: readonly string[]): Options {
  const values = parseArguments(args, SPECS);
  const modes = MODES.filter((mode) => values[mode] !== undefined);
  if (modes.length > 1) {
    throw new TypeError(
      `Cannot run benchmarks: want one of --${MODES.join(", --")}: received ${
        modes.join(" and ")
      }`,
    );
  }
  const mode = modes[0] ?? "load";
  const quick = values.quick !== undefined;
  const sizes: { -readonly [Name in keyof Sizes]: Sizes[Name] } = {
    ...sizesOf(mode, quick),
  };
  for (const name of SIZES) {
    sizes[name] = toInteger(name, values[name], sizes[name]);
  }
  const servers = toNames("servers", values.servers, SERVERS.map(nameOf));
  const cases = toNames("cases", values.cases, CASES.map(nameOf));
  const driver = toDriver(values.driver);
  const usual = sizesOf(mode, false);
  // what is no whole run must not take the place of one
  const whole = SIZES.every((name) => sizes[name] === usual[name]) &&
    servers === undefined && cases === undefined && driver !== "own" && !quick;
  return {
    mode,
    quick,
    ...sizes,
    servers,
    cases,
    driver,
    out: toFolder("out", values.out) ?? (whole ? "bench/results" : undefined),
  };
}

/**
 * Says what sends the requests of a run.
 *
 * @param options What the command line asks for.
 * @param wrk The version of wrk; undefined if there is none.
 * @throws {TypeError} If wrk is asked for, and there is none.
 */
export function chooseDriver(
  { driver, mode }: Options,
  wrk: string | undefined,
): Driver {
  if (driver === "wrk" && wrk === undefined && sends(mode)) {
    throw new TypeError(
      "Cannot run benchmarks: --driver=wrk must find wrk in the PATH: received none; install it, or take --driver=own",
    );
  }
  return driver ?? (wrk === undefined ? "own" : "wrk");
}

/** Whether a run sends requests to a server. */
export function sends(mode: Mode): boolean {
  return mode === "load" || mode === "soak";
}

/** The sizes of a run, if no others are asked for. */
function sizesOf(mode: Mode, quick: boolean): Sizes {
  return {
    rounds: mode === "startup"
      ? (quick ? 5 : 20)
      : mode === "scale"
      ? (quick ? 3 : 15)
      : (quick ? 1 : 3),
    seconds: 1,
    connections: 64,
    sessions: mode === "scale"
      ? (quick ? 20_000 : 1_000_000)
      : (quick ? 128 : 256),
    requests: quick ? 50_000 : 1_000_000,
  };
}

function toDriver(text: string | undefined): Driver | undefined {
  if (text === undefined || text === "wrk" || text === "own") return text;
  throw new TypeError(
    `Cannot run benchmarks: --driver must be wrk or own: received ${text}`,
  );
}

function nameOf<Name extends string>({ name }: { name: Name }): Name {
  return name;
}
