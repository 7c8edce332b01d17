// deno-lint-ignore-file no-console
/**
 * `deno task bench:stores`: how far each engine carries. See README.md.
 *
 * @module
 */

import { readCommandLine } from "./_command_line.ts";
import { describeMachine } from "./_machine.ts";
import { saveJson, SIGNALS } from "./_results.ts";
import { LOOPS } from "./_stores_cases.ts";
import {
  parseStoresOptions,
  STORES_USAGE,
  type StoresOptions,
} from "./_stores_options.ts";
import {
  countLost,
  measureContenders,
  startContenders,
} from "./_stores_run.ts";
import {
  renderCosts,
  renderLatencies,
  renderRates,
  summarizeStores,
} from "./_stores_summary.ts";
import { formatInteger, renderTable } from "./_table.ts";

async function run(
  options: StoresOptions,
  signal: AbortSignal,
): Promise<number> {
  const { cpu, cores, os, deno } = describeMachine();
  console.log(`${cpu}, ${cores} cores, ${os}, Deno ${deno}`);
  await using stack = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "tessera_bench_" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const { contenders, missing } = await startContenders(
    options,
    folder,
    stack,
    signal,
  );
  const samples = await measureContenders(contenders, options, signal);
  const cells = summarizeStores(samples, contenders.map(({ name }) => name));
  const sizes = contenders.map(({ name, size }) => ({ engine: name, ...size }));
  const lost: Record<string, number> = {};
  for (const contender of contenders) {
    lost[contender.name] = await countLost(contender);
  }

  console.log("\n" + renderRates(cells));
  console.log(renderLatencies(cells));
  console.log(renderCosts(cells));
  console.log(renderTable(
    ["bytes per session of 500 bytes", "anonymous", "signed in"],
    sizes.map(({ engine, anonymous, signedIn }) => [
      engine,
      formatInteger(anonymous),
      formatInteger(signedIn),
    ]),
  ));
  for (const { name, reason } of missing) {
    console.log(`missing  ${name}: ${reason}`);
  }
  const losses = Object.entries(lost).filter(([, count]) => count > 0);
  for (const [name, count] of losses) {
    console.log(`LOST     ${name}: ${count} acknowledged hot writes`);
  }
  const { rounds, seconds, sessions } = options;
  await saveJson(options.out, "stores.json", {
    settings: { rounds, seconds, sessions, loops: LOOPS },
    missing,
    sizes,
    lost,
    cells,
    samples,
  });
  return losses.length === 0 ? 0 : 1;
}

const options = await readCommandLine(STORES_USAGE, parseStoresOptions);
const stop = new AbortController();
for (const signal of SIGNALS) {
  Deno.addSignalListener(signal, () => stop.abort());
}
try {
  Deno.exit(await run(options, stop.signal));
} catch (error) {
  if (!stop.signal.aborted) throw error;
  Deno.exit(130); // everything was stopped on the way here
}
