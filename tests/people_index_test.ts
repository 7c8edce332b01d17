/**
 * The index of subjects: nobody is found by another name.
 */

import { assert, assertEquals } from "@std/assert";
import { SessionManager } from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { testOnStores } from "./_helpers.ts";
import { testOnSpyStores } from "./_spy_store.ts";
import { Visitor } from "./_visitor.ts";

/** Subjects that a careless index would confuse. */
const SUBJECTS = [
  "a",
  "a:b",
  "a:",
  "A",
  "a ",
  " a",
  "a\0",
  "a\0b",
  "a/b",
  "",
  "__proto__",
  "constructor",
  "toString",
  "1",
  "01",
  "null",
  "undefined",
  "\ud800",
  "\ud801",
  "\udc00",
  "\ufffd",
  "\ud800x",
  "\ud83d\ude00",
  "é",
  "e\u0301",
  "x".repeat(2_100),
  "x".repeat(2_101),
  "\u20ac".repeat(700),
];

testOnStores(
  "R26 subjects that look alike do not touch each other",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    const ids = new Map<string, string>();
    for (const subject of SUBJECTS) {
      const visitor = new Visitor(sessions);
      const id = await visitor.visit((session) => {
        session.login(subject);
        return session.id;
      });
      assertEquals(await visitor.visit((session) => session.subject), subject);
      ids.set(subject, id);
    }
    assertEquals(ids.size, SUBJECTS.length);
    const listed = async (subject: string) =>
      (await Array.fromAsync(sessions.list({ subject }))).map((info) => [
        info.id,
        info.subject,
      ]);
    for (const [subject, id] of ids) {
      assertEquals(await listed(subject), [[id, subject]], inspect(subject));
    }
    // each ends alone
    const left = new Map(ids);
    for (const [subject, id] of ids) {
      assertEquals(await sessions.revokeAll(subject), 1, inspect(subject));
      left.delete(subject);
      assertEquals(await sessions.get(id), undefined);
      const all = await Array.fromAsync(sessions.list());
      assertEquals(
        new Set(all.map((info) => info.subject)),
        new Set(left.keys()),
        inspect(subject),
      );
    }
  },
);

function inspect(subject: string): string {
  return JSON.stringify(subject.slice(0, 20));
}

testOnStores(
  "nobody is found by a subject that never signed in",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    const visitor = new Visitor(sessions);
    await visitor.visit((session) => session.login("ada"));
    await new Visitor(sessions).visit((session) => session.set("n", 1));
    for (const subject of ["", "ad", "adaa", "ADA", "a", "__proto__"]) {
      assertEquals(await Array.fromAsync(sessions.list({ subject })), []);
      assertEquals(await sessions.revokeAll(subject), 0);
    }
    assertEquals((await Array.fromAsync(sessions.list())).length, 2);
  },
);

testOnSpyStores(
  "a subject found under another one in the index is passed over",
  async (store) => {
    const sessions = new SessionManager({ store });
    const visitor = new Visitor(sessions);
    const id = await visitor.visit((session) => {
      session.login("ada");
      return session.id;
    });
    // a store whose index says more than the truth
    const list = store.list.bind(store);
    store.list = (options = {}) => {
      const { subject: _subject, ...rest } = options;
      return list(rest);
    };
    assertEquals(await Array.fromAsync(sessions.list({ subject: "bob" })), []);
    assertEquals(await sessions.revokeAll("bob"), 0);
    assert(await sessions.get(id) !== undefined);
  },
);

testOnStores(
  "a session that has expired is neither listed nor got, whatever the store still holds",
  async ({ store }) => {
    const clock = new TestClock();
    const sessions = new SessionManager({
      store,
      clock: clock.now,
      idleTimeout: { hours: 1 },
    });
    const visitor = new Visitor(sessions);
    const id = await visitor.visit((session) => {
      session.login("ada");
      return session.id;
    });
    clock.advance({ minutes: 59 });
    assertEquals((await sessions.get(id))?.id, id);
    clock.advance({ minutes: 1 });
    assertEquals(await Array.fromAsync(sessions.list({ subject: "ada" })), []);
    assertEquals(await sessions.get(id), undefined);
    assertEquals(await sessions.revokeAll("ada"), 0);
    assertEquals(await sessions.revoke(id), false);
  },
);

Deno.test("the index has one entry of a session whose id was replaced without a grace, and none once it has expired", async () => {
  using kv = await Deno.openKv(":memory:");
  const clock = new TestClock();
  const sessions = new SessionManager({
    store: kv,
    clock: clock.now,
    rotationGrace: 0,
  });
  const visitor = new Visitor(sessions);
  await visitor.visit((session) => session.login("ada"));
  await visitor.visit((session) => session.regenerate());
  const id = visitor.token.slice(0, 26);
  const keys = async () =>
    await Array.fromAsync(kv.list({ prefix: [] }), ({ key }) => key);
  assertEquals((await keys()).map((key) => key.at(-1)), [id, id]);
  clock.advance({ days: 7 });
  assertEquals(await sessions.get(id), undefined);
  assertEquals(await keys(), []);
});
