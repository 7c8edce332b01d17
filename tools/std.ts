/**
 * Where the tasks take the standard library from.
 *
 * The package depends on `jsr:@std/*`, and so do its users. A machine that
 * reaches npm but not JSR can still work on it: the same modules are on npm as
 * `deno-std`, without their types, which `std_types/` adds. An import map puts
 * one in the place of the other.
 *
 * That is also why there is no lock file: what it would hold depends on the
 * machine that wrote it. The npm packages are pinned in `deno.json` instead.
 *
 * @module
 */

import config from "../deno.json" with { type: "json" };

/** The folder of the repository, with a slash at the end. */
export const ROOT = new URL("../", import.meta.url);

/** The files that stand in for the standard library: its npm build, typed. */
export const STD_TYPES = new URL("./std_types/", import.meta.url);

/** Which of them stands in for which module. */
export const STD_MODULES: Readonly<Record<string, string>> = {
  "@std/assert": "assert.ts",
  "@std/http/cookie": "http_cookie.ts",
  "@std/ulid": "ulid.ts",
};

/** Set to `jsr` or `npm`, it answers the question below. Children inherit it. */
const STD_VARIABLE = "TESSERA_STD";

const JSR_TIMEOUT_MS = 3_000;

/**
 * Tells whether the standard library comes from JSR or from npm.
 *
 * JSR is asked once, unless the environment variable `TESSERA_STD` says which.
 *
 * @throws {TypeError} If `TESSERA_STD` is something else.
 */
export async function stdSource(): Promise<"jsr" | "npm"> {
  const given = Deno.env.get(STD_VARIABLE);
  if (given === "jsr" || given === "npm") return given;
  if (given !== undefined) {
    throw new TypeError(
      `Cannot use ${STD_VARIABLE}: want "jsr" or "npm": received "${given}"`,
    );
  }
  const source = await jsrAnswers() ? "jsr" : "npm";
  Deno.env.set(STD_VARIABLE, source);
  return source;
}

async function jsrAnswers(): Promise<boolean> {
  const registry = Deno.env.get("JSR_URL") ?? "https://jsr.io";
  try {
    const response = await fetch(new URL("/@std/ulid/meta.json", registry), {
      signal: AbortSignal.timeout(JSR_TIMEOUT_MS),
    });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

/**
 * The arguments that make a Deno subcommand find the standard library: none
 * with JSR, an import map without it. Put them right after the subcommand.
 */
export async function stdArguments(): Promise<string[]> {
  if (await stdSource() === "jsr") return [];
  const map = JSON.stringify({ imports: npmImports() });
  return [`--import-map=data:application/json,${encodeURIComponent(map)}`];
}

/** The imports of `deno.json`, with the standard library taken from npm. */
function npmImports(): Record<string, string> {
  const imports: Record<string, string> = {};
  for (const [name, address] of Object.entries(config.imports)) {
    if (name.startsWith("@std/")) continue;
    imports[name] = address;
    // What deno.json implies, an import map has to say.
    imports[`${name}/`] = address.replace("npm:", "npm:/") + "/";
  }
  for (const [name, file] of Object.entries(STD_MODULES)) {
    imports[name] = new URL(file, STD_TYPES).href;
  }
  return imports;
}
