/**
 * Signing in and out: a new id, the same data, one entry in the index.
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { SessionManager } from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { Events, testOnStores } from "./_helpers.ts";
import { testOnSpyStores } from "./_spy_store.ts";
import { Visitor } from "./_visitor.ts";

/** The ids that the store has under a subject, newest first. */
async function idsOf(
  sessions: SessionManager,
  subject: string,
): Promise<string[]> {
  return (await Array.fromAsync(sessions.list({ subject }))).map(({ id }) =>
    id
  );
}

testOnSpyStores(
  "Session.login() gives a new id, keeps the data, and enters the index in one atomic write",
  async (store) => {
    const sessions = new SessionManager({ store });
    const visitor = new Visitor(sessions);
    const before = await visitor.visit((session) => {
      session.set("cart", ["apples"]);
      session.flash("notice", "welcome");
      return session.id;
    });
    store.reset();
    const after = await visitor.visit((session) => {
      session.set("colour", "red");
      session.login("ada");
      return session.id;
    });

    assertNotEquals(after, before);
    assertEquals(store.calls, { get: 1, commit: 1, list: 0 });
    const [commit] = store.commits;
    assertEquals(commit?.check.map(({ id }) => id), [before, after]);
    assertEquals(commit?.put.map(({ id, subject }) => [id, subject]), [
      [after, "ada"],
    ]);
    assertEquals(commit?.delete, [{ id: before }]);
    assertEquals(await visitor.read(), [["cart", ["apples"]], [
      "colour",
      "red",
    ]]);
    assertEquals(
      await visitor.visit((session) => session.flash("notice")),
      "welcome",
    );
    assertEquals(await idsOf(sessions, "ada"), [after]);
    assertEquals((await store.dump()).map(({ id }) => id), [after]);
  },
);

testOnSpyStores(
  "Session.login() as somebody else moves the index entry in one atomic write",
  async (store) => {
    const sessions = new SessionManager({ store });
    const visitor = new Visitor(sessions);
    const ada = await visitor.visit((session) => {
      session.login("ada", { label: "laptop" });
      return session.id;
    });
    store.reset();
    const bob = await visitor.visit((session) => {
      session.login("bob");
      return session.id;
    });

    assertEquals(store.calls.commit, 1);
    assertEquals(store.commits[0]?.delete, [{ id: ada, subject: "ada" }]);
    assertEquals(store.commits[0]?.put[0]?.subject, "bob");
    assertEquals(await idsOf(sessions, "ada"), []);
    assertEquals(await idsOf(sessions, "bob"), [bob]);
    assertEquals((await sessions.get(bob))?.label, undefined);
  },
);

testOnStores(
  "Session.login() shows the subject, the id and the times at once, and after the commit",
  async ({ store }) => {
    const clock = new TestClock();
    const visitor = new Visitor(
      new SessionManager({ store, clock: clock.now, idleTimeout: 60_000 }),
    );
    await visitor.visit((session) => session.set("n", 1));
    clock.advance({ seconds: 1 });
    const shown = await visitor.visit(async (session) => {
      const look = () => {
        const { id, subject, authenticatedAt, expiresAt, createdAt } = session;
        return { id, subject, authenticatedAt, expiresAt, createdAt };
      };
      assertEquals(session.authenticatedAt, undefined);
      session.login("ada");
      const atOnce = look();
      await session.commit();
      assertEquals(look(), atOnce);
      return atOnce;
    });
    assertEquals(shown.subject, "ada");
    assertEquals(shown.authenticatedAt, clock.now());
    assertEquals(shown.expiresAt, clock.now() + 60_000);
    assertEquals(shown.createdAt, clock.now() - 1_000);
    const later = await visitor.visit(({ id, subject, expiresAt }) => {
      return { id, subject, expiresAt };
    });
    assertEquals(later, {
      id: shown.id,
      subject: "ada",
      expiresAt: shown.expiresAt,
    });
  },
);

testOnStores(
  "Session.login() restarts the absolute timeout, and regenerate() does not",
  async ({ store }) => {
    const clock = new TestClock();
    const visitor = new Visitor(
      new SessionManager({
        store,
        clock: clock.now,
        idleTimeout: { days: 20 },
        absoluteTimeout: { days: 30 },
      }),
    );
    const isKnown = () => visitor.visit((session) => !session.isNew);
    await visitor.visit((session) => session.set("n", 1));
    clock.advance({ days: 15 });
    await visitor.visit((session) => session.regenerate());
    clock.advance({ days: 14 });
    await visitor.visit((session) => session.login("ada"));
    clock.advance({ days: 15 });
    assertEquals(await isKnown(), true); // 44 days old
    await visitor.visit((session) => session.regenerate());
    clock.advance({ days: 14 });
    assertEquals(await isKnown(), true); // 29 days after the login
    await visitor.visit((session) => session.regenerate());
    clock.advance({ days: 1 });
    assertEquals(await isKnown(), false);
  },
);

testOnStores(
  "Session.login() the last of several in one request counts",
  async ({ store }) => {
    const events = new Events();
    const sessions = new SessionManager({ store, onEvent: events.push });
    const visitor = new Visitor(sessions);
    await visitor.visit((session) => {
      session.login("ada", { label: "phone" });
      session.login("bob");
      session.regenerate();
      assertEquals(session.subject, "bob");
    });
    assertEquals(events.take(), ["created", "login"]);
    const [info, ...more] = await Array.fromAsync(sessions.list());
    assertEquals([info?.subject, info?.label, more], ["bob", undefined, []]);
  },
);

testOnStores(
  "Session.login() with what is no subject is a TypeError and changes nothing",
  async ({ store }) => {
    const visitor = new Visitor(new SessionManager({ store }));
    const login = (...args: unknown[]) =>
      visitor.visit((session) => {
        Reflect.apply(session.login, session, args);
      });
    for (const subject of [undefined, null, 1, {}, ["ada"]]) {
      const error = await login(subject).catch((error) => error);
      assert(error instanceof TypeError);
      assert(error.message.includes(`"subject" must be a string`));
    }
    for (const options of [{ label: 1 }, { labels: "x" }, null, "phone"]) {
      const error = await login("ada", options).catch((error) => error);
      assert(error instanceof TypeError, String(options));
    }
    assertEquals(visitor.client.cookies, []);
    assertEquals(store.commits, 0);
  },
);

testOnSpyStores(
  "Session.logout() deletes the record and its index entry together",
  async (store) => {
    const sessions = new SessionManager({ store });
    const visitor = new Visitor(sessions);
    const id = await visitor.visit((session) => {
      session.login("ada");
      return session.id;
    });
    store.reset();
    await visitor.visit((session) => session.logout());
    assertEquals(store.commits.map((commit) => commit.delete), [
      [{ id, subject: "ada" }],
    ]);
    assertEquals(await store.dump(), []);
    assertEquals(await Array.fromAsync(store.list({ subject: "ada" })), []);
    assertEquals(await visitor.visit(({ subject }) => subject), undefined);
  },
);

testOnSpyStores(
  "a touch extends the record and its index entry together",
  async (store) => {
    const clock = new TestClock();
    const visitor = new Visitor(
      new SessionManager({ store, clock: clock.now, idleTimeout: 100_000 }),
    );
    await visitor.visit((session) => session.login("ada"));
    const [login] = store.commits[0]?.put ?? [];
    assertEquals([login?.subject, login?.expireIn], ["ada", 100_000]);
    clock.advance(10_000);
    store.reset();
    await visitor.visit((session) => session.subject);
    const [touch] = store.commits[0]?.put ?? [];
    assertEquals(touch?.id, login?.id);
    assertEquals([touch?.subject, touch?.expireIn], ["ada", 100_000]);
  },
);

Deno.test("index entries expire with their records, touches extend both in the database", async () => {
  using kv = await Deno.openKv(":memory:");
  const expiries = new Map<string, number | undefined>();
  const atomic = kv.atomic.bind(kv);
  kv.atomic = () => {
    const operation = atomic();
    const set = operation.set.bind(operation);
    operation.set = (key, value, options) => {
      expiries.set(String(key[1]), options?.expireIn);
      return set(key, value, options);
    };
    return operation;
  };
  const clock = new TestClock();
  const visitor = new Visitor(
    new SessionManager({ store: kv, clock: clock.now, idleTimeout: 100_000 }),
  );
  await visitor.visit((session) => session.login("ada"));
  const [...kinds] = expiries.keys();
  assertEquals(kinds.length, 2);
  assertEquals([...expiries.values()], [100_000, 100_000]);
  clock.advance(10_000);
  expiries.clear();
  await visitor.visit((session) => session.subject);
  assertEquals([...expiries.keys()], kinds);
  assertEquals([...expiries.values()], [100_000, 100_000]);
});
