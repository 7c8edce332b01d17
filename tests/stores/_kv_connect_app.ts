/**
 * An app on a remote Deno KV, in a process of its own. Run with the address of
 * the database, the manager's options in JSON, and `reopening` if the store is
 * to open the database itself.
 *
 * @module
 */

import { KvStore, SessionManager } from "@tessera/session";

const [address = "", options = "{}", mode] = Deno.args;
const open = () => Deno.openKv(address);

const sessions = new SessionManager({
  store: mode === "reopening" ? new KvStore(open) : await open(),
  onError: ({ name, message }) =>
    Response.json({ name, message }, { status: 503 }),
  ...JSON.parse(options),
});

/** What a request does, by its path. */
const actions: Record<string, (request: Request) => Promise<Response>> = {
  "/count": (request) =>
    sessions.handle(request, (session) => {
      session.update<number>("count", (count = 0) => count + 1);
      return new Response("counted");
    }),
  "/read": (request) =>
    sessions.handle(request, (session) => {
      const { id, isNew } = session;
      return Response.json({ id, isNew, count: session.get("count") ?? null });
    }),
  /** Lasts as long as the session, and ends with the reason of its end. */
  "/stream": (request) =>
    sessions.handle(request, ({ id, signal }) => {
      const end = new ReadableStream<string>({
        start(controller) {
          controller.enqueue(`${id}\n`);
          signal.addEventListener("abort", () => {
            controller.enqueue(String(signal.reason.reason));
            controller.close();
          });
        },
      });
      return new Response(end.pipeThrough(new TextEncoderStream()));
    }),
  "/revoke": async (request) => {
    const id = new URL(request.url).searchParams.get("id") ?? "";
    return Response.json(await sessions.revoke(id));
  },
  /** Counts so many times at once, without the network in between. */
  "/burst": async (request) => {
    const times = Number(new URL(request.url).searchParams.get("times"));
    const responses = await Promise.all(
      Array.from(
        { length: times },
        () => actions["/count"]?.(new Request(request)),
      ),
    );
    return Response.json(responses.map((response) => response?.status));
  },
};

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) =>
    void Deno.stdout.writeSync(new TextEncoder().encode(`${port}\n`)),
}, async (request) => {
  const action = actions[new URL(request.url).pathname];
  return await action?.(request) ?? new Response(null, { status: 404 });
});
