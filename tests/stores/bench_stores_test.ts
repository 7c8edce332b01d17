/**
 * The benchmark of the stores: that it measures, and cleans up.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { childrenOf, cpuSeconds } from "../../bench/_stores_cpu.ts";
import { parseStoresOptions } from "../../bench/_stores_options.ts";
import type { StoresSample } from "../../bench/_stores_run.ts";
import {
  renderCosts,
  renderRates,
  summarizeStores,
} from "../../bench/_stores_summary.ts";
import { ROOT, stdArguments } from "../../tools/std.ts";

/** How long a run may take to end when it is told to. */
const STOP_TIMEOUT_MS = 20_000;

const TINY = ["--rounds=1", "--seconds=0.05", "--sessions=200"];

async function command(
  args: string[],
  env: Record<string, string> = {},
): Promise<Deno.Command> {
  return new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", ...await stdArguments(), "-A", "--no-check"],
      ...["bench/stores.ts", ...TINY, ...args],
    ],
    cwd: ROOT,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

Deno.test("bench:stores measures every engine at 1 and 4 processes, and saves it", async () => {
  const folder = await Deno.makeTempDir({ prefix: "tessera_" });
  try {
    const { code, stdout, stderr } = await (await command([`--out=${folder}`]))
      .output();
    const text = new TextDecoder().decode(stdout);
    assertEquals(code, 0, text + new TextDecoder().decode(stderr));
    const engines = ["KV file", "denokv", "Redis", "PostgreSQL"];
    for (const engine of engines) {
      for (const processes of [1, 4]) {
        const row = new RegExp(`^\\| ${engine} +\\| +${processes} \\|`, "m");
        assert(row.test(text), text);
      }
    }
    const results = JSON.parse(
      await Deno.readTextFile(`${folder}/stores.json`),
    );
    assertEquals(results.cells.length, 4 * 2 * 4);
    for (const cell of results.cells) {
      const { rate, errors, p50, p99 } = cell;
      const right = rate.median > 0 && p50 > 0 && p99 >= p50 && errors === 0;
      assert(right, JSON.stringify(cell));
    }
    assertEquals(results.missing, []);
    assertEquals(Object.values(results.lost), [0, 0, 0, 0]);
    for (const { anonymous, signedIn } of results.sizes) {
      // roughly: files grow by pages, some at a time
      const both = anonymous + signedIn;
      const right = 1_000 < both && both < 20_000;
      assert(right, JSON.stringify(results.sizes));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("bench:stores leaves out what is missing, and says how to get it", async () => {
  const { code, stdout } = await (await command(
    ["--engines=denokv,kv"],
    { DENOKV: "/nowhere/denokv" },
  )).output();
  const text = new TextDecoder().decode(stdout);
  assertEquals(code, 0);
  assert(/^missing +denokv: .*cargo install denokv/m.test(text), text);
  assert(/^\| KV file +\|/m.test(text), text);
  assert(!/^\| denokv/m.test(text), text);
});

Deno.test("bench:stores stops all it has started when a signal ends it", async () => {
  const child = (await command(["--rounds=1000", "--engines=redis"])).spawn();
  const reader = child.stdout.pipeThrough(
    new TextDecoderStream() as ReadableWritablePair<
      string,
      Uint8Array<ArrayBuffer>
    >,
  ).getReader();
  let text = "";
  while (!text.includes("measured round 1 ")) {
    const { done, value } = await reader.read();
    assert(!done, text);
    text += value;
  }
  const started = childrenOf(child.pid);

  child.kill("SIGTERM");

  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
  while (!(await reader.read()).done);
  clearTimeout(timer);
  await child.stderr.cancel();
  assertEquals((await child.status).code, 130);
  assertEquals(started.length, 1 + 4);
  for (const pid of started) {
    // they have ended, or are about to be buried
    const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
    assert(stat === "" || / Z /.test(stat), stat);
  }
});

Deno.test("parseStoresOptions() takes the defaults, and saves only a whole run", () => {
  const whole = parseStoresOptions([]);
  assertEquals(whole.out, "bench/results");
  assertEquals(whole.sessions, 10_000);
  assertEquals(whole.engines.length, 4);
  // 2 numbers of processes, 4 kinds of requests; the limit is three minutes
  const seconds = whole.rounds * whole.seconds * 2 * 4 * whole.engines.length;
  assert(seconds <= 100);
  assertEquals(parseStoresOptions(["--quick"]).out, undefined);
  assertEquals(parseStoresOptions(["--engines=re"]).out, undefined);
  assertEquals(
    parseStoresOptions(["--engines=re,KV"]).engines.map(({ name }) => name),
    ["KV file", "Redis"], // in the order of the table
  );
});

Deno.test("parseStoresOptions() refuses what makes no sense", () => {
  const bad: [string[], string][] = [
    [["--rounds=0"], "--rounds must be an integer of 1 or more: received 0"],
    [["--seconds=0"], "--seconds must be more than 0"],
    [["--seconds=x"], "--seconds must be more than 0"],
    [["--sessions=9"], "--sessions must be an integer of 200 or more"],
    [["--engines=mysql"], "--engines must be of KV file, denokv, Redis, Po"],
    [["--engines="], "--engines must be of KV file"],
    [["--nonsense"], "--nonsense"],
  ];
  for (const [args, text] of bad) {
    assertThrows(() => parseStoresOptions(args), Error, text);
  }
});

Deno.test("summarizeStores() takes medians, and adds up costs and errors", () => {
  const sample = (round: number, rate: number): StoresSample => ({
    engine: "Redis",
    processes: 4,
    what: "login",
    round,
    rate,
    done: 15_625,
    errors: round === 0 ? { SessionConflictError: 2 } : {},
    p50: rate / 100,
    p99: rate / 10,
    engineCpu: 0.25,
    appCpu: 1,
  });
  const samples = [sample(0, 900), sample(1, 3_000), sample(2, 1_000)];
  const cells = summarizeStores(samples, ["KV file", "Redis"]);
  assertEquals(cells, [{
    engine: "Redis",
    processes: 4,
    what: "login",
    rate: { median: 1_000, low: 900, high: 3_000 },
    p50: 10,
    p99: 100,
    engineMicros: 16,
    appMicros: 64,
    errors: 2,
  }]);
  assert(renderRates(cells).includes("| 1,000 ±105 %, 2 failed |"));
  assert(renderCosts(cells).includes("| 64 + 16 |"));
});

Deno.test("cpuSeconds() grows with what a process computes", () => {
  const before = cpuSeconds(Deno.pid);
  const end = performance.now() + 60;
  while (performance.now() < end);
  const used = cpuSeconds(Deno.pid) - before;
  assert(used > 0 && used < 5, String(used));
});
