/**
 * The demo: one page on sessions in a Deno KV file.
 *
 * ```sh
 * deno run --unstable-kv --allow-net --allow-env --allow-read --allow-write \
 *   examples/demo/main.ts
 * ```
 *
 * `PORT` and `DEMO_DB` say where it listens and what file it keeps.
 *
 * @module
 */

import { SessionManager } from "@tessera/session";
import { createApp } from "./app.ts";
import type { DemoData, DemoFlash } from "./actions.ts";

const port = Number(Deno.env.get("PORT") ?? 8000);
const path = Deno.env.get("DEMO_DB") ?? "./demo.db";

using kv = await Deno.openKv(path);
await using sessions = new SessionManager<DemoData, DemoFlash>({ store: kv });

const stop = new AbortController();
const signals: Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM"];
// a signal may come twice: from the terminal, and from a parent that passes it on
for (const signal of signals) {
  Deno.addSignalListener(signal, () => stop.abort());
}

const server = Deno.serve({
  port,
  hostname: "127.0.0.1",
  signal: stop.signal,
  onListen({ port }) {
    // deno-lint-ignore no-console -- it is what the demo has to say
    console.log(`Open http://localhost:${port} (Ctrl-C stops)`);
  },
}, createApp(sessions));
await server.finished;
