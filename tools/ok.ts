// deno-lint-ignore-file no-console
/**
 * `deno task ok`: everything that must hold before a change goes in.
 *
 * Runs all of its steps, whichever fail, and sums up. With `--coverage=DIR` it
 * takes the tests as run and looks at the profiles they left there, by way of
 * `DENO_COVERAGE_DIR=DIR deno task test`.
 *
 * @module
 */

import config from "../deno.json" with { type: "json" };
import { deno } from "./deno.ts";
import { stage } from "./stage.ts";
import { ROOT, stdArguments } from "./std.ts";

/** Resolves to an exit code. */
type Step = () => Promise<number>;

/** What a browser, Bun or Node offers, more or less: no `Deno`. */
const WEB_LIBS = ["dom", "dom.iterable", "dom.asynciterable", "esnext"];

async function checkTypes(): Promise<number> {
  const std = await stdArguments();
  return await deno(["check", ...std, "--doc", ".", ...markdownFiles()]);
}

async function checkWebTypes(): Promise<number> {
  await using copy = await stage({ lib: WEB_LIBS });
  return await deno(["check", config.exports["."]], { cwd: copy.url });
}

async function lintDocs(): Promise<number> {
  const std = await stdArguments();
  return await deno([
    "doc",
    ...std,
    "--lint",
    ...Object.values(config.exports),
  ]);
}

async function publishDry(): Promise<number> {
  await using copy = await stage();
  return await deno(["publish", "--dry-run", "--allow-dirty"], {
    cwd: copy.url,
  });
}

/**
 * Holds the profiles of a test run against the thresholds in `deno.json`.
 *
 * The stores that need a server are tested by a task of their own.
 */
function checkCoverage(profiles: string): Promise<number> {
  const root = RegExp.escape(ROOT.href);
  return deno([
    "coverage",
    `--include=^${root}(mod\\.ts|src/)`,
    `--exclude=/src/_?(redis|postgres)_`,
    profiles,
  ]);
}

function markdownFiles(): string[] {
  return [...Deno.readDirSync(ROOT)]
    .map((entry) => entry.name)
    .filter((name) => name.endsWith(".md"));
}

function profilesOf(args: string[]): string | undefined {
  const [arg, ...rest] = args;
  if (arg === undefined) return undefined;
  const profiles = arg.match(/^--coverage=(.+)$/)?.[1];
  if (profiles === undefined || rest.length > 0) {
    throw new TypeError(
      `Cannot run: want --coverage=DIR or nothing: received ${args.join(" ")}`,
    );
  }
  return profiles;
}

async function succeeds(step: Step): Promise<boolean> {
  try {
    return await step() === 0;
  } catch (error) {
    console.error(error);
    return false;
  }
}

async function main(): Promise<number> {
  const given = profilesOf(Deno.args);
  const profiles = given ?? await Deno.makeTempDir({ prefix: "tessera_" });
  const test = () =>
    deno(["task", "test"], { env: { DENO_COVERAGE_DIR: profiles } });
  const steps: Record<string, Step> = {
    "format": () => deno(["fmt", "--check"]),
    "lint": () => deno(["lint"]),
    "types": checkTypes,
    "types without Deno": checkWebTypes,
    "docs": lintDocs,
    ...(given === undefined && { "tests": test }),
    "coverage": () => checkCoverage(profiles),
    "publish": publishDry,
  };

  let code = 0;
  const report: string[] = [];
  for (const [name, step] of Object.entries(steps)) {
    console.log(`\n--- ${name}`);
    const start = performance.now();
    const ok = await succeeds(step);
    const seconds = ((performance.now() - start) / 1_000).toFixed(1);
    if (!ok) code = 1;
    report.push(`${ok ? "ok    " : "FAILED"}  ${name} (${seconds} s)`);
  }
  if (given === undefined) await Deno.remove(profiles, { recursive: true });

  console.log(`\n--- summary\n${report.join("\n")}`);
  return code;
}

Deno.exit(await main());
