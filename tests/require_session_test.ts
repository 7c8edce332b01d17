import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  MemoryStore,
  requireSession,
  type RequireSessionOptions,
  type Session,
  SessionManager,
  SessionSkippedError,
  type SignedInSession,
  skipHeader,
  withSession,
} from "@tessera/session";
import { TestClient } from "@tessera/session/testing";
import { get, testOnStores } from "./_helpers.ts";

interface Data {
  role: string;
  seen: number;
}

/** A client, and `/login?name=…&role=…` beside the guarded rest. */
function guarded(
  sessions: SessionManager<Data>,
  options?: RequireSessionOptions<Data>,
): TestClient {
  const login = withSession((request, session) => {
    const { searchParams } = new URL(request.url);
    session.set("role", searchParams.get("role") ?? "user");
    if (searchParams.has("name")) session.login(searchParams.get("name") ?? "");
    return new Response("signed in");
  }, sessions);
  const guard = requireSession(
    (_request, session) => new Response(`hello ${session.subject}`),
    sessions,
    options,
  );
  return new TestClient((request) =>
    new URL(request.url).pathname === "/login" ? login(request) : guard(request)
  );
}

testOnStores(
  "requireSession() answers 401 when nobody is signed in, and 403 when verify refuses",
  async ({ store }) => {
    const sessions = new SessionManager<Data>({ store });
    const client = guarded(sessions, {
      verify: (session) => session.get("role") === "admin",
    });
    const problem = async (status: number, title: string) => {
      const response = await client.get("/admin");
      assertEquals(response.status, status);
      assertEquals(
        response.headers.get("content-type"),
        "application/problem+json",
      );
      assertEquals(response.headers.get("vary"), "Cookie");
      const { detail, ...rest } = await response.json();
      assertEquals(rest, { type: "about:blank", title, status });
      assertEquals(typeof detail, "string");
    };
    await problem(401, "Unauthorized");
    await client.get("/login"); // a session, and nobody signed in
    await problem(401, "Unauthorized");
    await client.get("/login?name=ada");
    await problem(403, "Forbidden");
    await client.get("/login?name=ada&role=admin");
    assertEquals(await (await client.get("/admin")).text(), "hello ada");
    client.clear();
    await problem(401, "Unauthorized");
  },
);

Deno.test("requireSession() lets pass whoever is signed in, the empty subject included", async () => {
  const client = guarded(
    new SessionManager<Data>({ store: new MemoryStore() }),
  );
  await client.get("/login?name=");
  assertEquals(await (await client.get("/")).text(), "hello ");
});

Deno.test("requireSession() lets pass only what verify says true to", async () => {
  const answers: unknown[] = [
    ...[false, undefined, null, 0, 1, "", "true", {}, [], new Response()],
    ...[Promise.resolve(false), Promise.resolve("yes"), Promise.resolve()],
  ];
  const sessions = new SessionManager<Data>({ store: new MemoryStore() });
  for (const answer of answers) {
    const client = guarded(sessions, { verify: () => answer as boolean });
    await client.get("/login?name=ada");
    assertEquals((await client.get("/")).status, 403, Deno.inspect(answer));
  }
  for (const answer of [true, Promise.resolve(true)]) {
    const client = guarded(sessions, { verify: () => answer });
    await client.get("/login?name=ada");
    assertEquals((await client.get("/")).status, 200);
  }
});

Deno.test("requireSession() hands verify the session and the request, and throws on what it throws", async () => {
  const sessions = new SessionManager<Data>({ store: new MemoryStore() });
  const seen: unknown[] = [];
  const client = guarded(sessions, {
    verify: async (session, request) => {
      await Promise.resolve();
      seen.push(session.subject, new URL(request.url).pathname);
      session.update("seen", (n = 0) => n + 1);
      if (request.url.endsWith("/boom")) {
        throw new Error("the directory is down");
      }
      return session.get("seen") === 2;
    },
  });
  await client.get("/login?name=ada");
  assertEquals((await client.get("/a")).status, 403);
  // what it changed in the session was saved
  assertEquals((await client.get("/b")).status, 200);
  assertEquals(seen, ["ada", "/a", "ada", "/b"]);
  await assertRejects(() => client.get("/boom"), Error, "directory is down");
  assertEquals((await client.get("/c")).status, 403);
});

Deno.test("requireSession() answers with what reject returns, a redirect that keeps the target", async () => {
  const sessions = new SessionManager<Data>({ store: new MemoryStore() });
  const client = guarded(sessions, {
    verify: () => false,
    reject: async (request, session, status) => {
      await Promise.resolve();
      if (status === 403) {
        return new Response(`no, ${session.subject}`, { status: 451 });
      }
      session.set("seen", 7);
      const { pathname, search } = new URL(request.url);
      const login = new URL("/login", request.url);
      login.searchParams.set("to", `${pathname}${search}`);
      return Response.redirect(login, 303);
    },
  });
  const response = await client.get("/orders?page=2");
  assertEquals(response.status, 303);
  const location = new URL(response.headers.get("location") ?? "");
  assertEquals(location.pathname, "/login");
  assertEquals(location.searchParams.get("to"), "/orders?page=2");
  // what reject changes in the session is saved, immutable as its response is
  assertEquals(response.headers.getSetCookie().length, 1);

  await client.get("/login?name=ada");
  const refused = await client.get("/orders");
  assertEquals([refused.status, await refused.text()], [451, "no, ada"]);
});

Deno.test("requireSession() passes on what comes after the request", async () => {
  const sessions = new SessionManager({ store: new MemoryStore() });
  const login = withSession((_request, session) => {
    session.login("ada");
    return new Response();
  }, sessions);
  const guard = requireSession(
    (_request, session, info: { id: number }, more: string) =>
      Response.json([session.subject, info.id, more]),
    sessions,
  );
  const client = new TestClient((request) =>
    request.url.endsWith("/login")
      ? login(request)
      : guard(request, { id: 7 }, "x")
  );
  await client.get("/login");
  assertEquals(await (await client.get("/")).json(), ["ada", 7, "x"]);
});

Deno.test("requireSession() guards a request too that skip leaves out", async () => {
  const sessions = new SessionManager({
    store: new MemoryStore(),
    skip: skipHeader("x-probe", "1"),
  });
  const guard = requireSession(() => {
    throw new Error("nobody is signed in");
  }, sessions);
  const headers = { "x-probe": "1" };
  await assertRejects(
    () => guard(new Request("https://example.com/", { headers })),
    SessionSkippedError,
    `"subject"`,
  );
  assertEquals((await guard(get())).status, 401);
});

Deno.test("requireSession() says at once what is wrong with its arguments", () => {
  const sessions = new SessionManager({ store: new MemoryStore() });
  const make = (...args: unknown[]) => () =>
    Reflect.apply(requireSession, undefined, args);
  const handler = () => new Response();
  assertThrows(make(handler), TypeError, `"manager" must be a SessionManager`);
  assertThrows(make(handler, { store: 1 }), TypeError, "received object");
  assertThrows(make(handler, sessions, { verify: true }), TypeError, "verify");
  assertThrows(make(handler, sessions, { reject: 403 }), TypeError, "reject");
  assertThrows(make(handler, sessions, { check: 1 }), TypeError, `"check"`);
});

Deno.test("the types of requireSession() know that somebody is signed in", () => {
  const sessions = new SessionManager<Data>({ store: new MemoryStore() });
  requireSession(
    (_request, session) => {
      const subject: string = session.subject;
      const role: string | undefined = session.get("role");
      // @ts-expect-error -- no such key
      session.get("roll");
      // @ts-expect-error -- the wrong type
      session.set("seen", "often");
      return new Response(`${subject} ${role}`);
    },
    sessions,
    {
      verify: (session) => session.subject.length > 0,
      reject: (_request, session, status) => {
        const problem: 401 | 403 = status;
        // @ts-expect-error -- maybe nobody is
        const subject: string = session.subject;
        return new Response(`${problem} ${subject}`);
      },
    },
  );
  // @ts-expect-error -- verify answers with a boolean
  requireSession(() => new Response(), sessions, { verify: () => "yes" });
  const isSession = (session: SignedInSession<Data>): Session<Data> => session;
  assert(isSession !== undefined);
});
