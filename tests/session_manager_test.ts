import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  MemoryStore,
  type Session,
  SessionClosedError,
  SessionManager,
} from "@tessera/session";
import { TestClient, TestClock } from "@tessera/session/testing";
import { SpyStore, testOnSpyStores } from "./_spy_store.ts";
import { Visitor } from "./_visitor.ts";

const ORIGIN = "https://example.com/";

/** Ids that lead nowhere: unknown, malformed, too long, of the wrong type. */
const ODD_IDS = [
  "",
  "x",
  "01ARZ3NDEKTSV4RRFFQ69G5FAV",
  "../../etc/passwd",
  "\0",
  "\ud800",
  "__proto__",
  "x".repeat(5_000),
  undefined,
  null,
  7,
  {},
] as string[];

Deno.test("SessionManager.load() and .commit() are the halves of .handle()", async () => {
  const sessions = new SessionManager({ store: new MemoryStore() });
  const client = new TestClient(async (request) => {
    const session = await sessions.load(request);
    session.update<number>("n", (n = 0) => n + 1);
    return await sessions.commit(session, Response.json(session.get("n")));
  });
  const first = await client.get("/");
  assertEquals(first.headers.getSetCookie().length, 1);
  assertEquals(first.headers.get("vary"), "Cookie");
  assertEquals(await first.json(), 1);
  const second = await client.get("/");
  assertEquals(await second.json(), 2);
  assertEquals(second.headers.getSetCookie(), []);
});

Deno.test("SessionManager.load() without a commit writes nothing, and does not put off the idle timeout", async () => {
  const clock = new TestClock();
  const store = new SpyStore();
  const idleTimeout = { minutes: 10 };
  const sessions = new SessionManager({ store, clock: clock.now, idleTimeout });
  const client = new TestClient(async (request) => {
    if (request.method === "GET") {
      return Response.json((await sessions.load(request)).subject ?? null);
    }
    return await sessions.handle(request, (session) => {
      session.login("ada");
      return new Response();
    });
  }, { clock: clock.now });
  await client.post("/");

  const seen: unknown[] = [];
  for (let poll = 0; poll < 4; poll++) {
    clock.advance({ minutes: 3 });
    const response = await client.get("/");
    assertEquals(response.headers.has("vary"), false);
    seen.push(await response.json());
  }
  assertEquals(seen, ["ada", "ada", "ada", null]);
  assertEquals(store.calls.commit, 1);
});

Deno.test("SessionManager.commit() closes the session, and does not commit it twice", async () => {
  const store = new SpyStore();
  const sessions = new SessionManager({ store });
  const session = await sessions.load(new Request(ORIGIN));
  session.set("n", 1);
  await sessions.commit(session, new Response());
  assertThrows(() => session.set("n", 2), SessionClosedError);
  const again = await sessions.commit(session, new Response());
  assertEquals(store.calls.commit, 1);
  assertEquals(again.headers.getSetCookie().length, 1);
});

Deno.test("SessionManager.commit() refuses what it did not load", async () => {
  const options = { store: new MemoryStore() };
  const sessions = new SessionManager(options);
  const foreign = await new SessionManager(options).load(new Request(ORIGIN));
  foreign.set("n", 1);
  await assertRejects(
    () => sessions.commit(foreign, new Response()),
    TypeError,
    "want one that this manager loaded: received another manager's",
  );
  for (const bad of [{}, new Map(), Object.create(foreign)]) {
    await assertRejects(
      () => sessions.commit(bad as Session, new Response()),
      TypeError,
      "want one that this manager loaded: received object",
    );
  }
  assertEquals(options.store.size, 0);
});

Deno.test("SessionManager.commit() leaves the response of an untouched session as it is", async () => {
  const sessions = new SessionManager({ store: new MemoryStore() });
  const session = await sessions.load(new Request(ORIGIN));
  const response = new Response("hello");
  assertStrictEquals(await sessions.commit(session, response), response);
  assertEquals([...response.headers.keys()], ["content-type"]);
  assertThrows(() => session.set("n", 1), SessionClosedError);
});

testOnSpyStores(
  "SessionManager.edit() changes a session, and merges with requests",
  async (store) => {
    const visitor = new Visitor({ store });
    const { sessions } = visitor;
    const id = await visitor.visit((session) => {
      session.login("alice");
      session.set("n", 1);
      session.set("list", [1]);
      return session.id;
    });
    const result = await visitor.visit(async (session) => {
      session.update<number>("n", (n = 0) => n + 1);
      return await sessions.edit(id, async (edited) => {
        await Promise.resolve();
        assertEquals([edited.id, edited.subject], [id, "alice"]);
        edited.update<number>("n", (n = 0) => n + 10);
        edited.get<number[]>("list")?.push(2);
        edited.flash("notice", "edited");
        return "done";
      });
    });
    assertEquals(result, "done");
    assertEquals(await visitor.read(), [["n", 12], ["list", [1, 2]]]);
    assertEquals(
      await visitor.visit((session) => session.flash("notice")),
      "edited",
    );
    const edits = Array.from(
      { length: 20 },
      () => sessions.edit(id, (s) => s.update<number>("n", (n = 0) => n + 1)),
    );
    const visits = Array.from(
      { length: 20 },
      () => visitor.visit((s) => s.update<number>("n", (n = 0) => n + 1)),
    );
    await Promise.all([...edits, ...visits]);
    assertEquals((await visitor.read())[0], ["n", 52]);
  },
);

Deno.test("SessionManager.edit() is undefined where there is no session, and does not call back", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.set("n", 1));
  let called = 0;
  for (const id of ODD_IDS) {
    assertEquals(await visitor.sessions.edit(id, () => ++called), undefined);
  }
  assertEquals(called, 0);
  const [id = ""] = visitor.token.split(".");
  const ended = await visitor.sessions.edit(id, async (session) => {
    session.set("n", 2);
    assertEquals(await visitor.sessions.revoke(id), true);
    return "not done";
  });
  assertEquals(ended, undefined);
  assertEquals(await visitor.sessions.get(id), undefined);
});

Deno.test("SessionManager.edit() that only reads, by a replaced id, is undefined if the session ends meanwhile", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.set("n", 1));
  const [old = ""] = visitor.token.split(".");
  await visitor.visit((session) => session.regenerate());
  const result = await visitor.sessions.edit(old, async (session) => {
    await visitor.visit((one) => one.logout());
    return session.get("n");
  });
  assertEquals(result, undefined);
});

Deno.test("SessionManager.edit() saves nothing if the callback throws", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.set("list", [1]));
  const [id = ""] = visitor.token.split(".");
  const failure = new RangeError("the callback's own");
  const kept: Session[] = [];
  const error = await assertRejects(() =>
    visitor.sessions.edit(id, (session) => {
      kept.push(session);
      session.set("n", 2);
      session.get<number[]>("list")?.push(2);
      throw failure;
    })
  );
  assertStrictEquals(error, failure);
  assertThrows(() => kept[0]?.set("n", 2), SessionClosedError);
  await assertRejects(async () => await kept[0]?.commit(), SessionClosedError);
  assertEquals(await visitor.read(), [["list", [1]]]);
});

Deno.test("SessionManager.edit() refuses what the client would have to be told", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.set("n", 1));
  const { token } = visitor;
  const [id = ""] = token.split(".");
  await visitor.sessions.edit(id, (session) => {
    for (
      const change of [
        () => session.login("alice"),
        () => session.regenerate(),
        () => session.persist(false),
      ]
    ) {
      assertThrows(
        change,
        TypeError,
        "the new cookie must travel in a response",
      );
    }
    session.set("n", 2);
  });
  assertEquals(await visitor.read(), [["n", 2]]);
  assertEquals(visitor.token, token);
});

Deno.test("SessionManager.edit() can end the session", async () => {
  for (const end of ["destroy", "logout"] as const) {
    const visitor = new Visitor();
    await visitor.visit((session) => session.set("n", 1));
    const [id = ""] = visitor.token.split(".");
    const result = await visitor.sessions.edit(id, (session) => {
      session[end]();
      return "ended";
    });
    assertEquals(result, "ended");
    assertEquals(await visitor.sessions.get(id), undefined);
    assertEquals(await visitor.read(), []);
  }
});

Deno.test("SessionManager.edit() closes the session when it is done", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.set("n", 1));
  const [id = ""] = visitor.token.split(".");
  const session = await visitor.sessions.edit(id, (session) => [session]);
  assertThrows(() => session?.[0]?.set("n", 2), SessionClosedError);
});

Deno.test("SessionManager.edit(), .get() and .revoke() follow an id that regenerate() replaced", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.set("n", 1));
  const [old = ""] = visitor.token.split(".");
  await visitor.visit((session) => session.regenerate());
  const [id = ""] = visitor.token.split(".");
  assert(id !== old);
  await visitor.sessions.edit(old, (session) => session.set("n", 2));
  assertEquals(await visitor.read(), [["n", 2]]);
  assertEquals((await visitor.sessions.get(old))?.id, id);
  assertEquals(await visitor.sessions.revoke(old), true);
  assertEquals(await visitor.read(), []);
});

Deno.test("SessionManager.edit(), .get() and .revoke() do not follow an id that login() replaced", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.set("n", 1));
  const [old = ""] = visitor.token.split(".");
  await visitor.visit((session) => session.login("ada"));
  assertEquals(await visitor.sessions.edit(old, () => "edited"), undefined);
  assertEquals(await visitor.sessions.get(old), undefined);
  assertEquals(await visitor.sessions.revoke(old), false);
  assertEquals(await visitor.read(), [["n", 1]]);
});

testOnSpyStores(
  "SessionManager.get() and .revoke() take any id",
  async (store) => {
    const visitor = new Visitor({ store });
    await visitor.visit((session) => session.set("n", 1));
    for (const id of ODD_IDS) {
      assertEquals(await visitor.sessions.get(id), undefined);
      assertEquals(await visitor.sessions.revoke(id), false);
    }
    assertEquals(await visitor.read(), [["n", 1]]);
    const [id = ""] = visitor.token.split(".");
    assertEquals(await visitor.sessions.revoke(id), true);
    assertEquals(await visitor.sessions.revoke(id), false);
    assertEquals(await visitor.sessions.get(id), undefined);
    assertEquals(await visitor.read(), []);
  },
);
