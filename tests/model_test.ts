import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { checkRun } from "./_model_check.ts";
import { program } from "./_model_program.ts";
import { type Run, runProgram } from "./_model_run.ts";

const SEED = 20_260_214;
const RUNS = 3_000;

Deno.test("R35 parallel requests of several managers are explained by a sequential model", async () => {
  const seen: Record<string, number> = {};
  const count = (what: string) => seen[what] = (seen[what] ?? 0) + 1;
  await fc.assert(
    fc.asyncProperty(program, fc.scheduler(), async (calls, scheduler) => {
      const run = await runProgram(calls, scheduler);
      run.events.forEach(({ type }) => count(type));
      run.outcomes.forEach(({ result }) => count(`call ${result}`));
      checkRun(run);
    }),
    { seed: SEED, numRuns: RUNS },
  );
});
