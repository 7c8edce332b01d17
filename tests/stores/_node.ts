/**
 * Programs of the repository on Node.js, as a bundle beside the npm packages
 * that they need.
 *
 * Users get the package from JSR by `npx jsr add`; a bundle is the same code,
 * on a machine that does not reach JSR too.
 *
 * @module
 */

import config from "../../deno.json" with { type: "json" };
import { ROOT, stdArguments } from "../../tools/std.ts";

/** No program takes longer, unless something is wrong. */
const RUN_LIMIT_MS = 60_000;

/** What comes from npm, and is not bundled: it has a native part. */
const DENO_KV = "@deno/kv";

/** A folder with `@deno/kv`, and whatever is put there. */
export interface NodeFolder extends AsyncDisposable {
  readonly path: string;
  /** Bundles a program of the repository; returns the file that it has become. */
  bundle(program: string): Promise<string>;
}

/**
 * Makes a temporary folder, and installs what programs need there.
 *
 * @throws {Error} If there is no npm, or it fails.
 */
export async function nodeFolder(): Promise<NodeFolder> {
  const path = await Deno.makeTempDir({ prefix: "tessera_node_" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(path, { recursive: true }));
  await Deno.writeTextFile(
    `${path}/package.json`,
    JSON.stringify({ private: true, type: "module" }),
  );
  const version = config.imports[DENO_KV].replace(/^npm:/, "");
  await run("npm", [
    ...["install", "--no-audit", "--no-fund", "--loglevel=error"],
    version,
  ], path);
  const kept = stack.move();
  return {
    path,
    async bundle(program) {
      const file = `${path}/${program.replace(/.*\/|\.ts$/g, "")}.js`;
      const options = ["--quiet", "--external", DENO_KV, "--output", file];
      const args = ["bundle", ...await stdArguments(), ...options, program];
      await run(Deno.execPath(), args, ROOT);
      return file;
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/**
 * Runs a program to its end.
 *
 * @returns What it wrote to its output.
 * @throws {Error} If it is not there or fails, with what it said.
 */
export async function run(
  program: string,
  args: readonly string[],
  cwd: string | URL,
): Promise<string> {
  const { success, stdout, stderr } = await command(program, {
    args: [...args],
    cwd,
    stdin: "null",
    signal: AbortSignal.timeout(RUN_LIMIT_MS),
  }).output().catch((cause) => refuse(program, cause));
  const [output, errors] = [stdout, stderr].map((bytes) =>
    new TextDecoder().decode(bytes)
  );
  if (!success) {
    throw new Error(
      `Cannot run ${program} ${args.join(" ")}:\n${output}${errors}`,
    );
  }
  return output ?? "";
}

/** Starts Node.js. */
export function startNode(
  args: readonly string[],
  env: Record<string, string>,
): Deno.ChildProcess {
  try {
    return command("node", {
      args: [...args],
      env,
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
  } catch (cause) {
    return refuse("node", cause);
  }
}

/** Colours would be in the way; Deno's own settings are none of Node's business. */
function command(program: string, options: Deno.CommandOptions): Deno.Command {
  const env = { ...options.env, NO_COLOR: "1" };
  return new Deno.Command(program, { ...options, env });
}

function refuse(program: string, cause: unknown): never {
  if (!(cause instanceof Deno.errors.NotFound)) throw cause;
  throw new Deno.errors.NotFound(
    `Cannot test on Node.js: want ${program} on the PATH: received none. ` +
      "Install Node.js 20 or later, which brings npm with it",
    { cause },
  );
}
