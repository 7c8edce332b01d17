// deno-lint-ignore-file no-console
/**
 * Whether a request costs more when there are a million sessions.
 *
 * @module
 */

import { SessionManager, withSession } from "@tessera/session";
import { ulid } from "@std/ulid";
import { blankRecord, type SessionRecord } from "../src/_record.ts";
import { generateSecret, hashSecret } from "../src/token.ts";
import { PROFILE } from "./_data.ts";
import type { Options } from "./_options.ts";
import { saveJson, temporaryFolder } from "./_results.ts";
import { median, spreadOf } from "./_statistics.ts";
import { renderTable } from "./_table.ts";

/** How many sessions the small file has. */
const SMALL = 1_000;

/** Sessions per atomic write, which holds at most 800 KiB. */
const BATCH = 500;

/** How long the file may take to fill; what is there by then is measured. */
const FILL_LIMIT_MS = 15 * 60_000;

/** How much more a request may cost. */
const TARGET = 1.15;

/** Requests of one burst. */
const BURST = { serial: 200, concurrent: 1_280 };

/** How many are under way at a time in a concurrent burst. */
const CONCURRENCY = 64;

const DAY_MS = 86_400_000;
const LIFETIMES = { idleTimeout: 7 * DAY_MS, absoluteTimeout: 30 * DAY_MS };

/** What is measured: ours, and the calls of KV beneath it. */
const STEPS = ["read", "write", "kv.get", "kv.set"] as const;

/** What leads to a session. */
interface Credential {
  /** Its id. */
  readonly id: string;
  /** Its secret. */
  readonly secret: string;
}

/** A file of sessions. */
export interface Population {
  /** How many there are. */
  readonly size: number;
  /** Reads or writes one of them. */
  visit(step: Step): Promise<void>;
}

/** What is done with a session. */
export type Step = typeof STEPS[number];
type Way = keyof typeof BURST;

/**
 * Runs the comparison.
 *
 * The target is for ours; the rows of KV itself show how much of it is not ours.
 */
export async function runScale(options: Options): Promise<boolean> {
  await using stack = new AsyncDisposableStack();
  const folder = await temporaryFolder(stack);
  const small = await populate(`${folder}/small.db`, SMALL, stack);
  const large = await populate(`${folder}/large.db`, options.sessions, stack);
  const { size: bytes } = await Deno.stat(`${folder}/large.db`);
  console.log(`the large file has ${Math.round(bytes / 2 ** 20)} MiB`);

  const results = [];
  for (const step of STEPS) {
    for (const way of ["serial", "concurrent"] as const) {
      await burst(small, step, way);
      await burst(large, step, way);
      const costs: [number, number][] = [];
      for (let round = 0; round < options.rounds; round++) {
        // in turn, so that neither always goes first
        const order = round % 2 === 0 ? [small, large] : [large, small];
        const times = new Map<Population, number>();
        for (const population of order) {
          times.set(population, await burst(population, step, way));
        }
        costs.push([times.get(small) ?? 0, times.get(large) ?? 0]);
      }
      const ratio = spreadOf(costs.map(([a, b]) => b / a));
      results.push({
        step,
        way,
        smallUs: median(costs.map(([cost]) => cost)),
        largeUs: median(costs.map(([, cost]) => cost)),
        ratio,
        met: step.startsWith("kv.") || ratio.median <= TARGET,
      });
    }
  }
  console.log(
    "\n" + renderTable(
      ["request", `${small.size} sessions`, `${large.size} sessions`, "ratio"],
      results.map(({ step, way, smallUs, largeUs, ratio, met }) => [
        `${step}, ${way}`,
        `${smallUs.toFixed(1)} µs`,
        `${largeUs.toFixed(1)} µs`,
        `${ratio.median.toFixed(3)} (${ratio.low.toFixed(2)}–${
          ratio.high.toFixed(2)
        })${met ? "" : `, want ${TARGET} or less`}`,
      ]),
    ),
  );
  await saveJson(options.out, "scale.json", {
    small: small.size,
    large: large.size,
    fileBytes: bytes,
    target: TARGET,
    results,
  });
  return results.every(({ met }) => met);
}

/** Visits sessions at random; resolves to what one visit cost, in microseconds. */
async function burst(
  population: Population,
  step: Step,
  way: Way,
): Promise<number> {
  let left = BURST[way];
  const visits = left;
  const run = async () => {
    while (left-- > 0) await population.visit(step);
  };
  const start = performance.now();
  const workers = way === "serial" ? 1 : CONCURRENCY;
  await Promise.all(Array.from({ length: workers }, run));
  return (performance.now() - start) * 1_000 / visits;
}

/**
 * Fills a file with records as the manager writes them; straight through KV, for a
 * commit of the store takes no more than 100.
 *
 * Each session has a secret of its own, so that those of a large file are not all
 * among the few whose hashes are remembered.
 *
 * @param path The path of the file.
 * @param size How many sessions.
 * @param stack What closes it.
 */
export async function populate(
  path: string,
  size: number,
  stack: AsyncDisposableStack,
): Promise<Population> {
  const kv = await Deno.openKv(path);
  stack.defer(() => kv.close());
  const now = Date.now();
  const blank: SessionRecord = {
    ...blankRecord(now, LIFETIMES, true),
    data: new Map<string, unknown>([["profile", PROFILE], ["count", 1]]),
  };
  const recordOf = (secret: string) => (
    { ...blank, secretHash: hashSecret(secret) }
  );
  const expireIn = LIFETIMES.idleTimeout;
  const credentials: Credential[] = [];
  const start = performance.now();
  while (credentials.length < size) {
    if (performance.now() - start > FILL_LIMIT_MS) {
      console.log(`out of time: ${credentials.length} of ${size} sessions`);
      break;
    }
    const added = Array.from(
      { length: Math.min(BATCH, size - credentials.length) },
      () => ({ id: ulid(now), secret: generateSecret() }),
    );
    const atomic = kv.atomic();
    for (const { id, secret } of added) {
      atomic.set(["sessions", "id", id], recordOf(secret), { expireIn });
    }
    await atomic.commit();
    credentials.push(...added);
    const { length } = credentials;
    if (length % 100_000 === 0) console.log(`${length} sessions`);
  }
  const seconds = (performance.now() - start) / 1_000;
  console.log(
    `filled ${credentials.length} sessions in ${seconds.toFixed(1)} s`,
  );

  const sessions = new SessionManager({ store: kv });
  const handlers = {
    read: withSession(
      (_request, session) => new Response(String(session.get("count"))),
      sessions,
    ),
    write: withSession((_request, session) => {
      session.set("count", (session.get<number>("count") ?? 0) + 1);
      return new Response("ok");
    }, sessions),
  };
  const visitByToken = async (
    step: "read" | "write",
    { id, secret }: Credential,
  ) => {
    const headers = { cookie: `__Host-session=${id}.${secret}` };
    const request = new Request("http://localhost/", { headers });
    const response = await handlers[step](request);
    if (await response.text() === "undefined") {
      throw new Error(
        "Cannot measure: the session must be there: received none",
      );
    }
  };
  return {
    size: credentials.length,
    visit: async (step) => {
      const index = Math.floor(Math.random() * credentials.length);
      const credential = credentials[index] as Credential;
      const key = ["sessions", "id", credential.id];
      if (step === "kv.get") await kv.get(key);
      else if (step === "kv.set") {
        await kv.set(key, recordOf(credential.secret), { expireIn });
      } else await visitByToken(step, credential);
    },
  };
}
