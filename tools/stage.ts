/**
 * The package as a user gets it: a copy of what would be published.
 *
 * @module
 */

import { cp } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import config from "../deno.json" with { type: "json" };
import { ROOT, STD_MODULES, STD_TYPES, stdSource } from "./std.ts";

/** A copy of what would be published, in a folder of its own. */
export interface Stage extends AsyncDisposable {
  /** The folder of the copy, with a slash at the end. */
  readonly url: URL;
}

/**
 * Copies what would be published, and nothing else, to a temporary folder.
 *
 * Without JSR the copy links to packages that stand in for the standard
 * library, so even there it is checked with the imports it is published with.
 *
 * @param compilerOptions What to change in those of `deno.json`.
 */
export async function stage(
  compilerOptions: Record<string, unknown> = {},
): Promise<Stage> {
  const folder = await Deno.makeTempDir({ prefix: "tessera_" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const base = pathToFileURL(`${folder}/`);
  const url = new URL("package/", base);
  for (const name of config.publish.include) {
    await cp(new URL(name, ROOT), new URL(name, url), { recursive: true });
  }
  const links = await stdSource() === "jsr" ? [] : await writeStd(base);
  await writeJson(new URL("deno.json", url), {
    ...config,
    compilerOptions: { ...config.compilerOptions, ...compilerOptions },
    links: links.map((name) => `../${name}`),
  });
  const kept = stack.move();
  return { url, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** Writes the packages of the standard library, each in `base` + its name. */
async function writeStd(base: URL): Promise<string[]> {
  const packages: Record<string, Record<string, string>> = {};
  for (const [module, file] of Object.entries(STD_MODULES)) {
    const [scope, name, ...path] = module.split("/");
    const exports = packages[`${scope}/${name}`] ??= {};
    exports[[".", ...path].join("/")] = `./${file}`;
  }
  for (const [name, exports] of Object.entries(packages)) {
    const url = new URL(`${name}/`, base);
    await cp(STD_TYPES, url, { recursive: true });
    await writeJson(new URL("deno.json", url), {
      name,
      version: "1.999.0", // high enough for any range in deno.json
      exports,
      imports: { "deno-std": config.imports["deno-std"] },
    });
  }
  return Object.keys(packages);
}

function writeJson(url: URL, value: unknown): Promise<void> {
  return Deno.writeTextFile(url, JSON.stringify(value, undefined, 2));
}
