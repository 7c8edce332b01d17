/**
 * Responses whose body cannot be sent any more, when a commit would follow.
 */

import { assertEquals, assertRejects } from "@std/assert";
import {
  type Session,
  SessionManager,
  type SessionOptions,
} from "@tessera/session";
import { TestClient, TestClock } from "@tessera/session/testing";
import { getWith, key } from "./_helpers.ts";
import { start, use } from "./_races.ts";
import { SpyStore } from "./_spy_store.ts";

const COOKIE = "__Host-session";

/** Bodies that the handler has put out of reach, and what is said of them. */
const BODIES: Record<
  string,
  { spoil: (r: Response) => unknown; says: string }
> = {
  locked: {
    spoil: (response) => response.body?.getReader(),
    says: "received one that is locked to a reader",
  },
  read: {
    spoil: (response) => response.text(),
    says: "received one that was read already",
  },
};

/** What a session is told of in a cookie, by what it does and whether there was one before. */
const TELLING: [what: string, known: boolean, run: (s: Session) => void][] = [
  ["login", false, (session) => session.login("ada")],
  ["login", true, (session) => session.login("ada")],
  ["set", false, (session) => session.set("n", 2)],
  ["flash", false, (session) => session.flash("notice", 2)],
  ["regenerate", true, (session) => session.regenerate()],
  ["persist", true, (session) => session.persist(false)],
  ["destroy", true, (session) => session.destroy()],
];

async function setUp(known: boolean) {
  const store = new SpyStore();
  const clock = new TestClock();
  const sessions = new SessionManager({ store, clock: clock.now });
  const client = new TestClient(
    (request) =>
      sessions.handle(request, (session) => {
        session.update<number>("n", (n = 0) => n + 1);
        return new Response();
      }),
    { clock: clock.now },
  );
  if (known) await client.get("/");
  const cookie = `${COOKIE}=${client.cookie(COOKIE)?.value}`;
  const request = () =>
    new Request("https://example.com/", { headers: known ? { cookie } : {} });
  store.reset();
  return { store, sessions, request, clock };
}

for (const [body, { spoil, says }] of Object.entries(BODIES)) {
  for (const [what, known, run] of TELLING) {
    const whose = known ? "a known" : "a new";
    Deno.test(`nothing is committed if the body of the response is ${body}: ${what} in ${whose} session`, async () => {
      const { store, sessions, request } = await setUp(known);
      const before = await store.dump();
      const spoiled = async () => {
        const response = new Response("hello");
        await spoil(response);
        return response;
      };
      const message =
        `Cannot respond: the body of the response must be there to send: ${says}`;
      await assertRejects(
        () =>
          sessions.handle(request(), async (session) => {
            run(session);
            return await spoiled();
          }),
        TypeError,
        message,
      );
      const session = await sessions.load(request());
      run(session);
      const response = await spoiled();
      await assertRejects(
        () => sessions.commit(session, response),
        TypeError,
        message,
      );
      assertEquals(store.calls.commit, 0);
      assertEquals(await store.dump(), before);
    });
  }
}

Deno.test("nothing is committed if the body of the response is locked: a set when the session is due for a touch", async () => {
  const { store, sessions, request, clock } = await setUp(true);
  clock.advance({ days: 1 });
  await assertRejects(
    () =>
      sessions.handle(request(), (session) => {
        session.set("n", 2);
        const response = new Response("hello");
        response.body?.getReader();
        return response;
      }),
    TypeError,
    "locked to a reader",
  );
  assertEquals(store.calls.commit, 0);
});

for (const what of ["signed with an older key", "of a replaced id"]) {
  Deno.test(`nothing is committed if the body of the response is locked: a set by a token ${what}`, async () => {
    const store = new SpyStore();
    const [old, young] = [key("old"), key("young")];
    const before = new SessionManager({ store, secrets: [old] });
    const token = await start(before);
    let sessions = before;
    if (what === "of a replaced id") {
      await use(before, token, (session) => session.regenerate());
    } else sessions = new SessionManager({ store, secrets: [young, old] });
    store.reset();
    const response = new Response("hello");
    response.body?.getReader();
    await assertRejects(
      () =>
        sessions.handle(getWith(token), (session) => {
          session.set("n", 2);
          return response;
        }),
      TypeError,
      "locked to a reader",
    );
    assertEquals(store.calls.commit, 0);
  });
}

Deno.test("the body of a response is looked at only if the client is to be told of a commit", async () => {
  const { store, sessions, request } = await setUp(true);
  for (
    const run of [
      (session: Session) => session.get("n"),
      (session: Session) => session.set("n", { is: "an object" }),
      (session: Session) => session.get("n"),
      (session: Session) => session.flash("notice", 1),
    ]
  ) {
    const response = new Response("hello");
    Object.defineProperty(response, "body", {
      get: () => {
        throw new Error("the body was looked at");
      },
    });
    await sessions.handle(request(), (session) => {
      run(session);
      return response;
    });
  }
  assertEquals(store.calls.commit, 2);
});

/** What needs no other response, though the session is used. */
const SILENT: [
  what: string,
  options: SessionOptions,
  run: (s: Session) => unknown,
][] = [
  ["a touch of a cookie without Max-Age", { cookie: { persistent: false } }, (
    session,
  ) => session.get("n")],
  ["a touch that prolongs nothing", { absoluteTimeout: { days: 3 } }, (
    session,
  ) => session.get("n")],
  ["an early commit that was dropped", {}, async (session) => {
    session.persist(false);
    await elsewhere?.(session.id);
    await session.commit();
  }],
];

/** Ends a session by another manager. */
let elsewhere: ((id: string) => Promise<boolean>) | undefined;

for (const [what, options, run] of SILENT) {
  Deno.test(`a locked body passes where nothing is to be told: ${what}`, async () => {
    const store = new SpyStore();
    const clock = new TestClock();
    const sessions = new SessionManager({
      store,
      clock: clock.now,
      ...options,
    });
    const other = new SessionManager({ store, clock: clock.now });
    elsewhere = (id) => other.revoke(id);
    const client = new TestClient(
      (request) =>
        sessions.handle(request, (session) => {
          session.set("n", 1);
          return new Response();
        }),
      { clock: clock.now },
    );
    await client.get("/");
    const cookie = `${COOKIE}=${client.cookie(COOKIE)?.value}`;
    clock.advance({ days: 2 });
    const request = new Request("https://example.com/", {
      headers: { cookie },
    });
    const response = await sessions.handle(request, async (session) => {
      await run(session);
      const response = new Response("locked");
      response.body?.getReader();
      return response;
    });
    assertEquals(response.headers.getSetCookie(), []);
  });
}

Deno.test("a trace changes nothing about which responses pass", async () => {
  for (const trace of [undefined, <T>(_name: string, run: () => T) => run()]) {
    const sessions = new SessionManager({ store: new SpyStore(), trace });
    const response = new Response("read");
    await response.text();
    const request = new Request("https://example.com/");
    assertEquals(await sessions.handle(request, () => response), response);
  }
});
