/**
 * What the start-up of is compared.
 *
 * @module
 */

import config from "../deno.json" with { type: "json" };
import { ROOT } from "../tools/std.ts";
import { npmSpecifier } from "./_peers.ts";

/** What to import, by name; `undefined` for nothing. */
export function importSpecifiers(): Record<string, string | undefined> {
  return {
    "an empty module": undefined,
    "node:crypto": "node:crypto",
    "@tessera/session": new URL(config.exports["."], ROOT).href,
    "hono-sessions": npmSpecifier("hono-sessions"),
    "@hono/session": npmSpecifier("@hono/session"),
    "iron-session": npmSpecifier("iron-session"),
    "express-session": npmSpecifier("express-session"),
  };
}
