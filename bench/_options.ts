/**
 * The command line of `deno task bench`.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { type CaseName, CASES } from "./_cases.ts";
import { SERVERS } from "./_servers.ts";

/** What to run. */
export type Mode = "load" | "scale" | "soak" | "startup";

/** What the command line asks for. */
export interface Options {
  /** What to run. */
  readonly mode: Mode;
  /** Whether to make do with little. */
  readonly quick: boolean;
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
  /** The servers to measure; undefined: all but the optional ones. */
  readonly servers: readonly string[] | undefined;
  /** The cases to measure; undefined: all. */
  readonly cases: readonly CaseName[] | undefined;
  /** What sends the requests; undefined: wrk if it is there. */
  readonly driver: "wrk" | "own" | undefined;
  /** The folder for the results; undefined: they are only printed. */
  readonly out: string | undefined;
}

const MODES = ["scale", "soak", "startup"] as const;

/**
 * Reads the command line.
 *
 * @param args The arguments.
 * @returns The options.
 * @throws {TypeError} If there is one too many, or one that makes no sense.
 * @throws {RangeError} If a number is out of its range.
 */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      scale: { type: "boolean" },
      soak: { type: "boolean" },
      startup: { type: "boolean" },
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      seconds: { type: "string" },
      connections: { type: "string" },
      sessions: { type: "string" },
      requests: { type: "string" },
      servers: { type: "string" },
      cases: { type: "string" },
      driver: { type: "string" },
      out: { type: "string" },
    },
  });
  const modes = MODES.filter((mode) => values[mode]);
  if (modes.length > 1) {
    throw new TypeError(
      `Cannot run benchmarks: want one of --${MODES.join(", --")}: received ${
        modes.join(" and ")
      }`,
    );
  }
  const mode = modes[0] ?? "load";
  const { quick } = values;
  const number = (
    name: "rounds" | "seconds" | "connections" | "sessions" | "requests",
    fallback: number,
  ) => toNumber(name, values[name], fallback);
  const servers = choose("servers", values.servers, SERVERS.map(nameOf));
  const cases = choose("cases", values.cases, CASES.map(nameOf));
  const [driver] = choose("driver", values.driver, ["wrk", "own"] as const) ??
    [];
  const whole = !quick && servers === undefined && cases === undefined;
  return {
    mode,
    quick,
    rounds: number("rounds", defaultRounds(mode, quick)),
    seconds: number("seconds", 1),
    connections: number("connections", 64),
    sessions: number(
      "sessions",
      defaultSessions(mode, quick),
    ),
    requests: number("requests", quick ? 50_000 : 1_000_000),
    servers,
    cases,
    driver,
    out: values.out ?? (whole ? "bench/results" : undefined),
  };
}

function defaultRounds(mode: Mode, quick: boolean): number {
  if (mode === "startup") return quick ? 5 : 20;
  if (mode === "load") return quick ? 1 : 3;
  return quick ? 3 : 15;
}

function defaultSessions(mode: Mode, quick: boolean): number {
  if (mode === "scale") return quick ? 20_000 : 1_000_000;
  return quick ? 128 : 256;
}

function nameOf<Name extends string>({ name }: { name: Name }): Name {
  return name;
}

function toNumber(
  name: string,
  text: string | undefined,
  fallback: number,
): number {
  if (text === undefined) return fallback;
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 1) return number;
  throw new RangeError(
    `Cannot run benchmarks: --${name} must be an integer of 1 or more: received ${text}`,
  );
}

/** Takes a list apart whose items, or the beginnings of them, must be known. */
function choose<Name extends string>(
  name: string,
  text: string | undefined,
  known: readonly Name[],
): Name[] | undefined {
  if (text === undefined) return undefined;
  return text.split(",").map((item) => {
    const found = known.find((name) => name === item) ??
      known.find((name) => name.startsWith(item));
    if (found !== undefined && item !== "") return found;
    throw new TypeError(
      `Cannot run benchmarks: --${name} must be of ${
        known.join(", ")
      }: received ${item}`,
    );
  });
}
