// deno-lint-ignore-file no-console
/**
 * What the servers have in common.
 *
 * Each answers to GET:
 *
 * - `/init`: starts a session with the profile and a `count` of 1,
 * - `/read`: answers the `count`, 0 without a session,
 * - `/write`: counts up,
 * - `/increment`: counts up, with whatever the library has against lost updates.
 *
 * @module
 */

import { ENV } from "../_data.ts";

/** Answers a request. */
export type Handler = (request: Request) => Response | Promise<Response>;

/** Serves on a free port of the loopback interface, and says where. */
export function serve(handler: Handler): void {
  endWithParent();
  Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: ({ port }) => listening(port),
  }, handler);
}

/** Tells the harness where a server listens. */
export function listening(port: number): void {
  console.log(`listening on http://127.0.0.1:${port}`);
}

/** Chooses a handler by the path, in the cheapest way. */
export function route(handlers: Record<string, Handler>): Handler {
  const table = new Map(Object.entries(handlers));
  return (request) => {
    const { url } = request;
    const handler = table.get(url.slice(url.indexOf("/", 8)));
    return handler === undefined
      ? new Response(null, { status: 404 })
      : handler(request);
  };
}

/** Answers with a count. */
export function answer(count: unknown): Response {
  return new Response(String(count ?? 0));
}

/** Opens the KV file of this server. */
export function openKv(): Promise<Deno.Kv> {
  const path = Deno.env.get(ENV.kv);
  if (path === undefined) {
    throw new TypeError(
      `Cannot open the database: want its path in ${ENV.kv}: received none`,
    );
  }
  return Deno.openKv(path);
}

/** Ends this process when the one that started it has gone, however it went. */
export async function endWithParent(): Promise<void> {
  for await (const _chunk of Deno.stdin.readable);
  Deno.exit();
}
