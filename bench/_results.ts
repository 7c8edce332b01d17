// deno-lint-ignore-file no-console
/**
 * Files that the results are kept in.
 *
 * @module
 */

import { describeMachine } from "./_machine.ts";

/** The signals that end a run: of the keyboard, of others, of a terminal that closes. */
export const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Saves results as JSON, with the machine they were measured on; says where, or
 * that they are not saved.
 *
 * @param folder The folder; undefined: they are not saved.
 * @param name The name of the file.
 * @param results What was measured.
 */
export async function saveJson(
  folder: string | undefined,
  name: string,
  results: object,
): Promise<void> {
  if (folder === undefined) {
    console.log("\nnot saved: --out=FOLDER saves what is no whole run");
    return;
  }
  const date = new Date().toISOString().slice(0, 10);
  const value = { date, machine: describeMachine(), ...results };
  const text = JSON.stringify(value, (_key, item) => rounded(item), 2);
  await saveText(folder, name, text + "\n");
}

/** Keeps what is significant of a number. */
function rounded(value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value)
    ? Number(value.toFixed(3))
    : value;
}

/** Saves a text, and says where; nothing if the folder is undefined. */
export async function saveText(
  folder: string | undefined,
  name: string,
  text: string,
): Promise<void> {
  if (folder === undefined) return;
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/${name}`, text);
  console.log(`\nsaved ${folder}/${name}`);
}

/** Creates a temporary folder that is removed with the stack, or when a signal ends us. */
export async function temporaryFolder(
  stack: AsyncDisposableStack,
): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "tessera_bench_" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  for (const signal of SIGNALS) {
    const end = () => {
      try {
        Deno.removeSync(folder, { recursive: true });
      } catch {
        // a server has written once more
      }
      Deno.exit(1); // which ends the servers
    };
    Deno.addSignalListener(signal, end);
    stack.defer(() => Deno.removeSignalListener(signal, end));
  }
  return folder;
}
