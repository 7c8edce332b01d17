// deno-lint-ignore-file no-console
/**
 * `deno task bench`: how fast, beside what. See README.md.
 *
 * @module
 */

import { renderChart } from "./_chart.ts";
import { readCommandLine } from "./_command_line.ts";
import { INCREMENTS, raceIncrements, type Survival } from "./_concurrency.ts";
import { Contest } from "./_contest.ts";
import { load, startServers } from "./_load.ts";
import { describeMachine } from "./_machine.ts";
import {
  EXTRA_TARGETS_US,
  measureOneAtATime,
  type OneAtATime,
} from "./_one_at_a_time.ts";
import {
  chooseDriver,
  type Options,
  parseOptions,
  sends,
  USAGE,
} from "./_options.ts";
import { saveJson, saveText, temporaryFolder } from "./_results.ts";
import { runScale } from "./_scale.ts";
import { runSoak } from "./_soak.ts";
import { runStartup } from "./_startup.ts";
import { judge, summarize, type Verdict } from "./_summary.ts";
import { renderResults, renderTable } from "./_table.ts";
import { wrkVersion } from "./_wrk.ts";

async function runLoad(options: Options, wrk: string | undefined) {
  await using stack = new AsyncDisposableStack();
  const folder = await temporaryFolder(stack);
  const single = await measureOneAtATime(folder, options.quick ? 400 : 3_000);
  const { running, missing } = await startServers(options, folder, stack);
  const contest = new Contest(running);
  const samples = await load(contest, options, { folder });
  const survivals = await raceIncrements(contest);
  const servers = running.map(({ name, version, store }) => (
    { name, version, store }
  ));
  const rows = summarize(servers, samples);
  const verdicts = [...judge(rows), ...judgeSingle(single)];

  console.log("\n" + renderResults(rows));
  console.log(renderSingle(single));
  console.log(renderSurvivals(survivals));
  for (const { name, reason, remedy } of missing) {
    console.log(`missing  ${name}: ${reason}; to get it: ${remedy}`);
  }
  for (const { name, during, reason } of contest.dropped) {
    console.log(`dropped  ${name}: ${during}: ${reason}`);
  }
  for (const { met, text } of verdicts) {
    console.log(`${met ? "ok    " : "MISSED"}  ${text}`);
  }
  const { rounds, seconds, connections, sessions, driver } = options;
  await saveJson(options.out, "latest.json", {
    driver: driver === "wrk" ? `wrk ${wrk}` : "own",
    settings: { rounds, seconds, connections, sessions },
    servers,
    missing: missing.map(({ name, remedy }) => ({ name, remedy })),
    dropped: contest.dropped,
    rows,
    oneAtATime: single,
    concurrency: { increments: INCREMENTS, survivals },
    verdicts,
    samples,
  });
  await saveText(options.out, "chart.svg", renderChart(rows));
}

function judgeSingle(results: readonly OneAtATime[]): Verdict[] {
  return results.map(({ step, extra }) => ({
    text: `one ${step} at a time: ${extra.toFixed(1)} µs over by hand, want ${
      EXTRA_TARGETS_US[step]
    } or less`,
    met: extra <= EXTRA_TARGETS_US[step],
  }));
}

function renderSingle(results: readonly OneAtATime[]): string {
  return renderTable(
    ["one at a time, in process", "by hand", "ours", "more"],
    results.map(({ step, byHand, ours, extra }) => [
      step,
      ...[byHand, ours, extra].map((us) => `${us.toFixed(1)} µs`),
    ]),
  );
}

function renderSurvivals(survivals: readonly Survival[]): string {
  return renderTable(
    [`${INCREMENTS} increments at once`, "answered", "survived"],
    survivals.map(({ server, answered, survived }) => [
      server,
      String(answered),
      String(survived),
    ]),
  );
}

/** Reads the command line, and sees that what it asks for can be had. */
async function prepare(args: readonly string[]) {
  const options = parseOptions(args);
  const wrk = await wrkVersion();
  const driver = chooseDriver(options, wrk);
  return { ...options, driver, wrk };
}

async function main(): Promise<number> {
  const options = await readCommandLine(USAGE, prepare);
  const { mode, driver, wrk } = options;
  const { cpu, cores, os, deno, v8 } = describeMachine();
  console.log(`${cpu}, ${cores} cores, ${os}, Deno ${deno}, V8 ${v8}`);
  if (sends(mode)) {
    console.log(driver === "wrk" ? `driven by wrk ${wrk}` : "driven by Deno");
  }
  switch (mode) {
    case "load":
      await runLoad(options, wrk);
      return 0; // a loss is a result too
    case "scale":
      return await runScale(options) ? 0 : 1;
    case "soak":
      return await runSoak(options, driver) ? 0 : 1;
    case "startup":
      return await runStartup(options) ? 0 : 1;
  }
}

Deno.exit(await main());
