/**
 * The demo: one page on sessions, in a Deno KV file or wherever you want them.
 *
 * ```sh
 * deno run --unstable-kv --allow-net --allow-env --allow-read --allow-write \
 *   examples/demo/main.ts
 * ```
 *
 * `PORT` says where it listens, and `DEMO_STORE` where the sessions are: a path,
 * `redis://…`, `postgres://…`, or `http(s)://…` for KV Connect with an access
 * token in `DENO_KV_ACCESS_TOKEN`. `DEMO_DB` is the path if there is none.
 *
 * @module
 */

import { SessionManager } from "@tessera/session";
import { createApp } from "./app.ts";
import type { DemoData, DemoFlash } from "./actions.ts";
import { openStore } from "./store.ts";

const port = Number(Deno.env.get("PORT") ?? 8000);
const address = Deno.env.get("DEMO_STORE") || Deno.env.get("DEMO_DB") ||
  "./demo.db";

await using stack = new AsyncDisposableStack();
const store = await openStore(address, stack);
const sessions = stack.use(
  new SessionManager<DemoData, DemoFlash>({ store }),
);

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
// a server that is away must not keep the program: Deno repeats for ever what it could not send
Deno.unrefTimer(setTimeout(() => Deno.exit(1), 5_000));
