/**
 * Requests that are left without a session.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type Session,
  SessionManager,
  SessionSkippedError,
  skipHeader,
  withLazySession,
  withSession,
} from "@tessera/session";
import { getWith, tokenOf } from "./_helpers.ts";
import { SpyStore } from "./_spy_store.ts";

const NO_CALLS = { get: 0, commit: 0, list: 0 };

/** Everything that a handler can do with a session. */
const USES: Record<string, (session: Session) => unknown> = {
  id: (session) => session.id,
  isNew: (session) => session.isNew,
  subject: (session) => session.subject,
  expiresAt: (session) => session.expiresAt,
  size: (session) => session.size,
  get: (session) => session.get("n"),
  has: (session) => session.has("n"),
  entries: (session) => session.entries(),
  set: (session) => session.set("n", 1),
  update: (session) => session.update("n", () => 1),
  flash: (session) => session.flash("n"),
  login: (session) => session.login("ada"),
  logout: (session) => session.logout(),
  commit: (session) => session.commit(),
  signal: (session) => session.signal,
  attach: (session) => session.attach(new EventTarget() as WebSocket),
};

Deno.test("skip leaves a request without session, store call, cookie and Vary", async () => {
  const store = new SpyStore();
  const sessions = new SessionManager({
    store,
    skip: (request) => new URL(request.url).pathname.startsWith("/assets/"),
  });
  const login = await sessions.handle(
    new Request("https://example.com/"),
    (session) => {
      session.login("ada");
      return new Response();
    },
  );
  const headers = { cookie: `__Host-session=${tokenOf(login)}` };
  const asset = new Request("https://example.com/assets/a.css", { headers });
  store.reset();
  const plain = new Response("body {}");
  const response = await sessions.handle(asset, () => plain);
  assert(response === plain);
  assertEquals([...response.headers.keys()], ["content-type"]);

  const lazy = withLazySession(async (_request, lazy) => {
    const session = await lazy.load();
    assertThrows(() => session.subject, SessionSkippedError);
    return new Response();
  }, sessions);
  assertEquals((await lazy(asset)).status, 200);

  const session = await sessions.load(asset);
  assertThrows(() => session.get("n"), SessionSkippedError);
  assert(await sessions.commit(session, plain) === plain);
  assertEquals(store.calls, NO_CALLS);
});

Deno.test("a skipped session can be passed around, and every use is a SessionSkippedError that names it", async () => {
  const sessions = new SessionManager({
    store: new SpyStore(),
    skip: () => true,
  });
  const pass = async (session: Session) => await Promise.resolve(session);
  await sessions.handle(getWith("x"), async (given) => {
    const session = await pass(given);
    assertEquals(typeof Deno.inspect(session), "string");
    assertEquals(JSON.stringify({ session }), `{"session":{}}`);
    for (const [name, use] of Object.entries(USES)) {
      const error = assertThrows(
        () => use(session),
        SessionSkippedError,
        `received a use of "${name}"`,
      );
      assert(error.message.includes(`"skip"`));
    }
    return new Response();
  });
  // in a handler that does not expect it, it is the request's error
  await assertRejects(
    () =>
      withSession((_request, session) => new Response(session.subject), {
        skip: () => true,
      })(getWith("x")),
    SessionSkippedError,
  );
});

Deno.test("skipHeader() leaves out requests with that header and that very value", async () => {
  const store = new SpyStore();
  const handler = withSession((_request, session) => {
    try {
      session.set("seen", true);
      return new Response("session");
    } catch (error) {
      assert(error instanceof SessionSkippedError);
      return new Response("skipped");
    }
  }, { store, skip: skipHeader("X-FastSession-Skip", "skip") });
  const cases: [Record<string, string>, string][] = [
    [{ "x-fastsession-skip": "skip" }, "skipped"],
    [{ "X-FASTSESSION-SKIP": "skip" }, "skipped"],
    [{ "x-fastsession-skip": "Skip" }, "session"],
    [{ "x-fastsession-skip": "skip, skip" }, "session"],
    [{ "x-fastsession-skip": "" }, "session"],
    [{}, "session"],
    [{ "x-other": "skip" }, "session"],
  ];
  for (const [headers, expected] of cases) {
    const response = await handler(
      new Request("https://example.com/", { headers }),
    );
    assertEquals(await response.text(), expected, JSON.stringify(headers));
    assertEquals(response.headers.has("set-cookie"), expected === "session");
  }
  const any = skipHeader("x-probe", "*");
  for (const value of ["1", "*", ""]) {
    const headers = { "x-probe": value };
    assert(any(new Request("https://example.com/", { headers })));
  }
  assert(!any(new Request("https://example.com/")));
  assertThrows(() => skipHeader("x y", "1"), TypeError, "token of RFC 9110");
  assertThrows(
    () => Reflect.apply(skipHeader, undefined, ["x", 1]),
    TypeError,
    `"value" must be a string`,
  );
});

Deno.test("a skip that throws fails the request, and the handler does not run", async () => {
  const sessions = new SessionManager({
    store: new SpyStore(),
    skip: () => {
      throw new RangeError("skip");
    },
  });
  await assertRejects(
    () => sessions.handle(getWith("x"), () => assert(false) as never),
    RangeError,
    "skip",
  );
});
