/**
 * Runs a Deno subcommand as if JSR were always there:
 *
 * ```sh
 * deno run -A tools/deno.ts test -A tests/
 * ```
 *
 * For the subcommands that take an import map: run, test, check, doc, bench.
 *
 * @module
 */

import { ROOT, stdArguments } from "./std.ts";

/** Options for {@linkcode deno}. */
export interface DenoOptions {
  /** The folder to run in. @default {the repository} */
  cwd?: string | URL;
  /** Environment variables to set beside the inherited ones. */
  env?: Record<string, string>;
}

/**
 * Runs this very Deno (there may be no other) and resolves to its exit code.
 * Its input and output are ours, and it is handed the signals that end us.
 */
export async function deno(
  args: string[],
  { cwd = ROOT, env = {} }: DenoOptions = {},
): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), { args, cwd, env }).spawn();
  const forwards = signals().map((signal) => {
    const forward = () => {
      try {
        child.kill(signal);
      } catch {
        // It has ended already.
      }
    };
    Deno.addSignalListener(signal, forward);
    return () => Deno.removeSignalListener(signal, forward);
  });
  const { code } = await child.status;
  for (const remove of forwards) remove();
  return code;
}

function signals(): Deno.Signal[] {
  return Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
}

if (import.meta.main) {
  const [subcommand, ...args] = Deno.args;
  if (subcommand === undefined) {
    throw new TypeError("Cannot run Deno: want a subcommand: received none");
  }
  Deno.exit(await deno([subcommand, ...await stdArguments(), ...args]));
}
