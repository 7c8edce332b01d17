// deno-lint-ignore-file no-console
/**
 * Whether the memory of a manager grows with the requests it has served.
 *
 * @module
 */

import { drive, type PlannedRequest } from "./_driver.ts";
import type { Options } from "./_options.ts";
import { saveJson, temporaryFolder } from "./_results.ts";
import { startOurs } from "./_servers.ts";
import { median } from "./_statistics.ts";
import { formatInteger, renderTable } from "./_table.ts";
import { beginSessions, forge, visit } from "./_visits.ts";
import { Wrk } from "./_wrk.ts";

/** How often the memory is looked at. */
const SAMPLES = 20;

/** How long the whole may take. */
const TIME_LIMIT_MS = 20 * 60_000;

/** The heap may grow by so much, which is the noise of garbage collection. */
const TARGET_GROWTH = 0.1;

/** The memory of the server at one time, in bytes. */
interface MemorySample {
  /** How many requests it had served. */
  readonly requests: number;
  /** What V8 uses. */
  readonly heapUsed: number;
  /** What V8 keeps outside of its heap. */
  readonly external: number;
  /** What the process has. */
  readonly rss: number;
}

/** Loads ours with everything there is, and looks at its memory meanwhile. */
export async function runSoak(
  options: Options,
  driver: "wrk" | "own",
): Promise<boolean> {
  await using stack = new AsyncDisposableStack();
  const folder = await temporaryFolder(stack);
  const flags = ["--v8-flags=--expose-gc"];
  const { origin } = stack.use(await startOurs(`${folder}/soak.db`, flags));
  const requests = await mix(origin, options.sessions);
  const wrk = new Wrk(folder);
  const send = driver === "wrk"
    ? (seconds: number) => wrk.drive({ ...plan, seconds })
    : (seconds: number) => drive({ ...plan, seconds });
  const plan = { origin, requests, connections: options.connections };

  const samples: MemorySample[] = [];
  let served = 0;
  let errors = 0;
  const start = performance.now();
  while (served < options.requests) {
    if (performance.now() - start > TIME_LIMIT_MS) {
      console.log(`out of time after ${served} requests`);
      break;
    }
    const goal = Math.min(
      options.requests,
      served + options.requests / SAMPLES,
    );
    while (served < goal) {
      const result = await send(options.seconds);
      served += result.requests;
      errors += result.errors;
      if (result.requests === 0) throw new Error("Cannot soak: no answers");
    }
    const { text } = await visit(origin, { path: "/memory", cookie: "" });
    const { heapUsed, external, rss } = JSON.parse(text);
    samples.push({ requests: served, heapUsed, external, rss });
    console.log(`${formatInteger(served)} requests: heap ${mib(heapUsed)}`);
  }

  const growth = growthOf(samples.map(({ heapUsed }) => heapUsed));
  const met = growth <= TARGET_GROWTH && errors === 0;
  console.log(
    "\n" + renderTable(
      ["requests", "heap", "external", "resident"],
      samples.map(({ requests, heapUsed, external, rss }) => [
        formatInteger(requests),
        mib(heapUsed),
        mib(external),
        mib(rss),
      ]),
    ),
  );
  console.log(
    `${met ? "ok    " : "MISSED"}  the heap grew by ${
      (growth * 100).toFixed(1)
    } % from the second fifth to the last, want ${
      TARGET_GROWTH * 100
    } or less; ${errors} errors`,
  );
  await saveJson(options.out, "soak.json", { growth, errors, samples });
  return met;
}

/** A mixture of everything a client may do, from one request to the next. */
async function mix(origin: string, sessions: number): Promise<
  PlannedRequest[]
> {
  const cookies = await beginSessions(origin, sessions);
  const signed = await beginSessions(origin, sessions, "/signed");
  return cookies.flatMap((cookie, index) => [
    { path: "/read", cookie },
    { path: "/write", cookie },
    { path: "/increment", cookie: cookies[0] ?? "" },
    { path: "/read", cookie: "" },
    { path: "/signed/read", cookie: signed[index] ?? "" },
    { path: "/signed/read", cookie: forge(signed[index] ?? "") },
    { path: "/read", cookie: forge(cookie) },
    { path: "/lazy", cookie },
    { path: "/cycle", cookie: "" },
    { path: "/init", cookie: "" },
  ]);
}

/** How much more the last fifth of the samples has than the second fifth. */
export function growthOf(samples: readonly number[]): number {
  const fifth = Math.max(1, Math.floor(samples.length / 5));
  const early = samples.slice(fifth, 2 * fifth);
  const late = samples.slice(-fifth);
  if (early.length === 0 || late.length === 0) return 0;
  return median(late) / median(early) - 1;
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
