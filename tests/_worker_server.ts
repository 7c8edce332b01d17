/**
 * A server in a process of its own, on the database that it is told: what the tests of several
 * processes, and of killed ones, run.
 *
 * @module
 */

import { KvStore, type Session, SessionManager } from "@tessera/session";

const [path = ""] = Deno.args;
const store = new KvStore(() => Deno.openKv(path));
const manager = new SessionManager({ store });

/** What a request does, by its path; what is returned is the answer, in JSON. */
const actions: Record<
  string,
  (session: Session, query: URLSearchParams) => unknown
> = {
  "/read": (session) => ({
    id: session.id,
    subject: session.subject,
    isNew: session.isNew,
    data: Object.fromEntries(session.entries()),
  }),
  "/count": (session) => session.update<number>("n", (n = 0) => n + 1),
  "/set": (session, query) =>
    session.set(query.get("key") ?? "", query.get("value")),
  "/large": (session, query) =>
    session.set("large", "x".repeat(Number(query.get("size")))),
  "/flash": (session, query) => session.flash("notice", query.get("value")),
  "/show": (session) => session.flash("notice"),
  "/login": (session, query) => session.login(query.get("subject") ?? ""),
  "/logout": (session) => session.logout(),
  "/regenerate": (session) => session.regenerate(),
};

async function answer(request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  const location = searchParams.get("location");
  return await manager.handle(request, (session) => {
    const result = actions[pathname]?.(session, searchParams);
    return location === null
      ? Response.json(result ?? null)
      : new Response(null, { status: 303, headers: { location } });
  });
}

/** Serves the same request so many times at once, without the network in between. */
async function burst(request: Request): Promise<Response> {
  const { searchParams, origin } = new URL(request.url);
  const paths = searchParams.getAll("path");
  const { headers } = request;
  const responses = await Promise.allSettled(
    paths.map((path) =>
      answer(new Request(new URL(path, origin), { headers }))
    ),
  );
  return Response.json({
    errors: responses.flatMap((one) =>
      one.status === "rejected" ? [String(one.reason)] : []
    ),
    cookies: responses.flatMap((one) =>
      one.status === "fulfilled" ? one.value.headers.getSetCookie() : []
    ),
  });
}

const server = Deno.serve(
  {
    hostname: "127.0.0.1",
    port: 0,
    onListen: ({ port }) =>
      void Deno.stdout.writeSync(new TextEncoder().encode(`${port}\n`)),
  },
  (request) =>
    new URL(request.url).pathname === "/burst"
      ? burst(request)
      : answer(request),
);

// ends with the process that started it, whatever becomes of that
await Deno.stdin.readable.pipeTo(new WritableStream());
await server.shutdown();
await store[Symbol.asyncDispose]();
