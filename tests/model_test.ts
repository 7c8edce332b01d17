import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { checkRun } from "./_model_check.ts";
import { program } from "./_model_program.ts";
import { runProgram } from "./_model_run.ts";

/** In place of it put the seed, and as `path` the path, that a failure names. */
const SEED = 20_260_214;
const RUNS = 3_000;

Deno.test("R35 whatever races, a sequential run explains what was seen, told and stored", async () => {
  const seen = new Map<string, number>();
  const count = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1);
  await fc.assert(
    fc.asyncProperty(program, fc.scheduler(), async (calls, scheduler) => {
      const run = await runProgram(calls, scheduler);
      run.events.forEach(({ type }) => count(type));
      run.outcomes.forEach(({ result }) => count(`call ${result}`));
      checkRun(run);
    }),
    { seed: SEED, numRuns: RUNS },
  );
  // what never happens has not been checked
  const wanted = ["conflict", "dropped", "ended", "login", "regenerated"];
  const results = ["acknowledged", "dropped", "failed", "none"];
  for (const what of [...wanted, ...results.map((one) => `call ${one}`)]) {
    const often = seen.get(what) ?? 0;
    assert(often > RUNS / 10, `${what}: only ${often} times`);
  }
});

Deno.test("a seed of the model replays the same races", async () => {
  const replay = async () => {
    const told: string[] = [];
    await fc.assert(
      fc.asyncProperty(program, fc.scheduler(), async (calls, scheduler) => {
        const run = await runProgram(calls, scheduler);
        told.push(
          run.outcomes.map((outcome) =>
            [
              outcome.name,
              outcome.result,
              outcome.startedAt,
              outcome.loadedAt,
              outcome.handledAt,
              outcome.endedAt,
              outcome.seenLog,
              outcome.shown.length,
            ].join()
          ).join("; "),
          run.events.map(({ type }) => type).join(),
          String(scheduler),
        );
      }),
      { seed: SEED, numRuns: 100 },
    );
    return told;
  };
  assertEquals(await replay(), await replay());
});
