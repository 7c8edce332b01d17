// deno-lint-ignore-file no-console
/**
 * What it costs to import a library: time, modules, bytes.
 *
 * @module
 */

import { ROOT, stdArguments } from "../tools/std.ts";
import { importSpecifiers } from "./_imports.ts";
import type { Options } from "./_options.ts";
import { saveJson, temporaryFolder } from "./_results.ts";
import { type Spread, spreadOf } from "./_statistics.ts";
import { renderTable } from "./_table.ts";

/** The most that ours may take more than an empty module, in milliseconds. */
const TARGET_MS = 20;

/** How long a start may take: the first may download. */
const START_TIMEOUT_MS = 120_000;

/** What an import costs. */
interface ImportCost {
  /** What is imported. */
  readonly name: string;
  /** From the start of the process to its end, in milliseconds. */
  readonly process: Spread;
  /** How much more than an empty module, in the same round. */
  readonly extra: Spread;
  /** How many modules are loaded. */
  readonly modules: number;
  /** The code of those modules as it is run, in bytes. */
  readonly loadedBytes: number;
  /** What is downloaded, in bytes. */
  readonly downloadedBytes: number;
}

/** Measures starts, one of each in turn. */
export async function runStartup(options: Options): Promise<boolean> {
  await using stack = new AsyncDisposableStack();
  const folder = await temporaryFolder(stack);
  const std = await stdArguments();
  const files = new Map<string, string>();
  for (const [index, entry] of Object.entries(importSpecifiers()).entries()) {
    const [name, specifier] = entry;
    const file = `${folder}/start_${index}.ts`;
    await Deno.writeTextFile(
      file,
      specifier === undefined
        ? "export {};\n"
        : `import ${JSON.stringify(specifier)};\n`,
    );
    files.set(name, file);
  }
  const times = new Map<string, number[]>();
  const failed = new Set<string>();
  for (let round = -1; round < options.rounds; round++) {
    for (const [name, file] of files) {
      if (failed.has(name)) continue;
      const start = performance.now();
      const output = await deno(["run", "-A", ...std, file]);
      const time = performance.now() - start;
      if (output === undefined) {
        failed.add(name);
        console.log(`missing  ${name}: its registry must be within reach`);
      } else if (round >= 0) {
        times.set(name, [...times.get(name) ?? [], time]);
      }
    }
  }
  const empty = times.get("an empty module") ?? [];
  const costs: ImportCost[] = [];
  for (const [name, own] of times) {
    const specifier = importSpecifiers()[name];
    costs.push({
      name,
      process: spreadOf(own),
      extra: spreadOf(own.map((time, index) => time - (empty[index] ?? 0))),
      ...(specifier === undefined
        ? { modules: 0, loadedBytes: 0, downloadedBytes: 0 }
        : { ...await graphOf(specifier, std) }),
    });
  }
  console.log(
    "\n" + renderTable(
      ["import of", "process", "over empty", "modules", "code", "download"],
      costs.map((cost) => [
        cost.name,
        `${cost.process.median.toFixed(1)} ms`,
        `${cost.extra.median.toFixed(1)} ms`,
        String(cost.modules),
        kb(cost.loadedBytes),
        kb(cost.downloadedBytes),
      ]),
    ),
  );
  const ours = costs.find(({ name }) => name === "@tessera/session");
  const met = ours !== undefined && ours.extra.median <= TARGET_MS;
  console.log(
    `${met ? "ok    " : "MISSED"}  the import costs ${
      ours?.extra.median.toFixed(1)
    } ms over an empty module, want ${TARGET_MS} or less`,
  );
  await saveJson(options.out, "startup.json", { targetMs: TARGET_MS, costs });
  return met;
}

/** Finds out what an import loads and downloads. */
async function graphOf(
  specifier: string,
  std: readonly string[],
): Promise<Omit<ImportCost, "name" | "process" | "extra">> {
  const tracer = new URL("_trace_imports.ts", import.meta.url).href;
  const traced = await deno(["run", "-A", ...std, tracer, specifier]);
  const { modules, bytes } = JSON.parse(traced ?? `{"modules":0,"bytes":0}`);
  return {
    modules,
    loadedBytes: bytes,
    downloadedBytes: await downloadOf(specifier, std),
  };
}

/** The sizes that `deno info` knows: of modules, and of whole npm packages. */
async function downloadOf(
  specifier: string,
  std: readonly string[],
): Promise<number> {
  const output = await deno(["info", "--json", ...std, specifier]);
  const { modules, npmPackages } = JSON.parse(
    output ?? `{"modules":[],"npmPackages":{}}`,
  ) as {
    modules: { size?: number }[];
    npmPackages: Record<string, { localPath?: string }>;
  };
  let bytes = modules.reduce((sum, { size = 0 }) => sum + size, 0);
  for (const { localPath } of Object.values(npmPackages)) {
    if (localPath !== undefined) bytes += await sizeOf(localPath);
  }
  return bytes;
}

/** The size of the files of a folder, those of its folders included. */
async function sizeOf(folder: string): Promise<number> {
  let bytes = 0;
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) bytes += await sizeOf(path);
    else if (entry.isFile) bytes += (await Deno.stat(path)).size;
  }
  return bytes;
}

/** Runs Deno; resolves to its output, or `undefined` if it fails. */
async function deno(args: readonly string[]): Promise<string | undefined> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
    signal: AbortSignal.timeout(START_TIMEOUT_MS),
  }).output();
  return success ? new TextDecoder().decode(stdout) : undefined;
}

function kb(bytes: number): string {
  return `${(bytes / 1_000).toFixed(0)} KB`;
}
