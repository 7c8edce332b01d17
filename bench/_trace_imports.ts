// deno-lint-ignore-file no-console
/**
 * A program that imports a module, and writes how many modules that loaded, and
 * how much code. What is built into Deno does not count.
 *
 * @module
 */

import { Session } from "node:inspector";

/** What the inspector says of a script. */
interface ParsedScript {
  params: { url: string; length: number };
}

const [specifier = ""] = Deno.args;
const loaded = new Map<string, number>();
const session = new Session();
session.connect();
session.on("Debugger.scriptParsed", (message: unknown) => {
  const { url, length } = (message as ParsedScript).params;
  if (!/^(?:file|https?):/.test(url) || url === import.meta.url) return;
  // a CommonJS module is there twice: as itself, and as what imports it
  loaded.set(url, Math.max(length, loaded.get(url) ?? 0));
});
session.post("Debugger.enable");
loaded.clear();
await import(specifier);
session.disconnect();
const bytes = [...loaded.values()].reduce((sum, length) => sum + length, 0);
console.log(JSON.stringify({ modules: loaded.size, bytes }));
