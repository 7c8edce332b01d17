// deno-lint-ignore-file no-console
/**
 * The load run: every server, every case, round after round.
 *
 * @module
 */

import { type Case, CASES, OURS } from "./_cases.ts";
import type { Contest } from "./_contest.ts";
import {
  drive,
  type DriveOptions,
  type DriveResult,
  GRACE_MS,
} from "./_driver.ts";
import { MissingError } from "./_install.ts";
import type { Options } from "./_options.ts";
import { SERVERS, type ServerSpec } from "./_servers.ts";
import type { Sample, ServerInfo } from "./_summary.ts";
import { beginSessions, forge, visit } from "./_visits.ts";
import { Wrk } from "./_wrk.ts";

/** How long a server is warmed up for each case. */
const WARM_UP_SECONDS = { quick: 0.1, full: 1.5 };

/** How many sessions have their cookies forged. */
const FORGED_SESSIONS = 16;

/**
 * How many forged cookies are sent in turn: too many for a server to know them again.
 */
const FORGED_COOKIES = 8_192;

/** A server that is up, with sessions. */
export interface RunningServer extends ServerInfo {
  /** How it was started. */
  readonly spec: ServerSpec;
  /** Where it listens. */
  readonly origin: string;
  /** The cookies of its sessions. */
  readonly cookies: readonly string[];
  /** The cookies of a forger. */
  readonly forged: readonly string[];
}

/** A server that could not be measured. */
export interface MissingServer {
  /** Its name. */
  readonly name: string;
  /** Why. */
  readonly reason: string;
  /** How to get it. */
  readonly remedy: string;
}

/** The servers of a run. */
export interface Servers {
  /** Those that are up. */
  readonly running: readonly RunningServer[];
  /** Those that are not. */
  readonly missing: readonly MissingServer[];
}

/**
 * Starts the servers, one after the other, and begins sessions on each.
 *
 * @param options Which ones, and how many sessions.
 * @param folder A temporary folder for their files.
 * @param stack What ends them.
 */
export async function startServers(
  options: Options,
  folder: string,
  stack: AsyncDisposableStack,
): Promise<Servers> {
  const running: RunningServer[] = [];
  const missing: MissingServer[] = [];
  const wanted = SERVERS.filter(({ name, optional }) =>
    options.servers === undefined ? !optional : options.servers.includes(name)
  );
  for (const [index, spec] of wanted.entries()) {
    const { name, store } = spec;
    try {
      const { child, version } = await spec.start(`${folder}/${index}.db`);
      stack.use(child);
      const { origin } = child;
      const sessions = await prepare(spec, origin, options.sessions);
      running.push({ spec, name, store, version, origin, ...sessions });
      console.log(`up       ${name}: ${version}`);
    } catch (error) {
      const { message } = error as Error;
      const remedy = error instanceof MissingError
        ? error.remedy
        : "see what it says above";
      missing.push({ name, reason: message, remedy });
      console.log(`missing  ${name}: ${message}; to get it: ${remedy}`);
    }
  }
  return { running, missing };
}

/** Begins sessions, and sees that the server does what it should. */
async function prepare(
  spec: ServerSpec,
  origin: string,
  count: number,
): Promise<Pick<RunningServer, "cookies" | "forged">> {
  if (spec.store === "none") return { cookies: [""], forged: [""] };
  const cookies = await beginSessions(origin, count);
  const signed = spec.forgedPrefix === ""
    ? cookies.slice(0, FORGED_SESSIONS)
    : await beginSessions(origin, FORGED_SESSIONS, spec.forgedPrefix);
  const forged = Array.from(
    { length: FORGED_COOKIES },
    (_, index) =>
      forge(
        signed[index % signed.length] ?? "",
        Math.floor(index / signed.length),
      ),
  );
  const expect = async (what: string, cookie: string, want: string) => {
    const prefix = what === "a forged cookie" ? spec.forgedPrefix : "";
    const { text } = await visit(origin, { path: `${prefix}/read`, cookie });
    if (text !== want) {
      throw new Error(
        `Cannot use server: ${what} must lead to ${want}: received ${text}`,
      );
    }
  };
  await expect("a session", cookies[0] ?? "", "1");
  await expect("no cookie", "", "0");
  await expect("a forged cookie", forged[0] ?? "", "0");
  return { cookies, forged };
}

/** How a run is driven. */
export interface LoadSettings {
  /** A temporary folder. */
  readonly folder: string;
  /**
   * How much longer than it should a measurement may take, in milliseconds.
   *
   * @default {10_000}
   */
  readonly graceMs?: number;
}

/**
 * Measures servers: round by round, case by case, one server after the other.
 *
 * @param contest The servers; one that fails, or answers nothing, drops out.
 * @param options What to measure.
 * @param settings How.
 * @returns What was measured, of those that dropped out as well.
 */
export async function load(
  contest: Contest<RunningServer>,
  options: Options,
  { folder, graceMs = GRACE_MS }: LoadSettings,
): Promise<Sample[]> {
  const wrk = new Wrk(folder);
  const measure = (options: DriveOptions) => wrk.drive(options);
  const send = options.driver === "wrk" ? measure : drive;
  const cases = CASES.filter(({ name }) =>
    options.cases === undefined || options.cases.includes(name)
  );
  for (const server of contest.running) {
    await contest.attempt(server, "warming up", async () => {
      const seconds = WARM_UP_SECONDS[options.quick ? "quick" : "full"];
      for (const what of cases) {
        if (!takes(server, what, options)) continue;
        const plan = { ...planOf(server, what, options), seconds, graceMs };
        checkAnswered(await drive(plan));
      }
    });
  }
  const samples: Sample[] = [];
  for (let round = 0; round < options.rounds; round++) {
    for (const what of cases) {
      for (const server of contest.running) {
        if (!takes(server, what, options)) continue;
        const during = `${what.name}, round ${round + 1}`;
        await contest.attempt(server, during, async () => {
          const plan = { ...planOf(server, what, options), graceMs };
          const result = checkAnswered(await send(plan));
          const sample = sampleOf(server, what, round, result);
          samples.push(sample);
          report(sample, options);
        });
      }
    }
  }
  return samples;
}

/** Sees that a server has answered at all: wrk takes silence for a slow server. */
function checkAnswered(result: DriveResult): DriveResult {
  if (result.requests > 0) return result;
  throw new Error("Cannot measure: want answers: received none");
}

/** Whether a server is measured in a case. */
function takes(
  { name, spec }: RunningServer,
  { name: what, oursOnly }: Case,
  { quick }: Options,
): boolean {
  if (spec.only !== undefined) return spec.only.includes(what);
  if (spec.store === "none") return true;
  if (oursOnly) return name.startsWith(OURS);
  return !quick || !spec.peer || what === "read" || what === "write";
}

function planOf(
  { origin, cookies, forged, spec }: RunningServer,
  { path, cookies: kind }: Case,
  { connections, seconds }: Options,
): DriveOptions {
  const chosen = {
    all: cookies,
    one: cookies.slice(0, 1),
    forged,
    "forged once": forged.slice(0, 1),
    none: [""],
  }[kind];
  const prefix = kind.startsWith("forged") ? spec.forgedPrefix : "";
  const requests = chosen.map((cookie) => ({ path: prefix + path, cookie }));
  return { origin, requests, connections, seconds };
}

function sampleOf(
  { name }: RunningServer,
  what: Case,
  round: number,
  { rate, p50, p99, errors }: DriveResult,
): Sample {
  return { server: name, case: what.name, round, rate, p50, p99, errors };
}

function report(sample: Sample, { rounds }: Options): void {
  const { round, server, rate, errors } = sample;
  console.log(
    `${round + 1}/${rounds}  ${sample.case.padEnd(9)}  ${server.padEnd(16)}  ${
      rate.toFixed(0).padStart(6)
    }/s${errors > 0 ? `  ${errors} errors` : ""}`,
  );
}
