/**
 * Listing sessions: newest first, page by page, and nothing that is a credential.
 */

import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import {
  MemoryStore,
  type SessionInfo,
  SessionManager,
} from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { get, testOnStores } from "./_helpers.ts";
import { testOnSpyStores } from "./_spy_store.ts";
import { Visitor } from "./_visitor.ts";

/** Signs a subject in so many times, a second apart; returns the ids, newest first. */
async function signIn(
  sessions: SessionManager,
  clock: TestClock,
  subject: string,
  count: number,
): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n++) {
    clock.advance({ seconds: 1 });
    await sessions.handle(get(), (session) => {
      session.login(subject, { label: `device ${n}` });
      ids.unshift(session.id);
      return new Response();
    });
  }
  return ids;
}

function idsOf(infos: readonly SessionInfo[]): string[] {
  return infos.map(({ id }) => id);
}

testOnStores(
  "SessionManager.list() goes from the newest to the oldest, of one subject or of all",
  async ({ store }) => {
    const clock = new TestClock();
    const sessions = new SessionManager({ store, clock: clock.now });
    const ada = await signIn(sessions, clock, "ada", 5);
    const bob = await signIn(sessions, clock, "bob", 3);
    const later = await signIn(sessions, clock, "ada", 2);

    const list = async (options?: { subject?: string }) =>
      idsOf(await Array.fromAsync(sessions.list(options)));
    assertEquals(await list({ subject: "ada" }), [...later, ...ada]);
    assertEquals(await list({ subject: "bob" }), bob);
    assertEquals(await list({}), [...later, ...bob, ...ada]);
    assertEquals(await list(), [...later, ...bob, ...ada]);
    assertEquals(await list({ subject: "eve" }), []);
  },
);

testOnStores(
  "SessionManager.list() pages by the last id seen",
  async ({ store }) => {
    const clock = new TestClock();
    const sessions = new SessionManager({ store, clock: clock.now });
    const ids = await signIn(sessions, clock, "ada", 10);
    await signIn(sessions, clock, "bob", 4);

    const pages: string[][] = [];
    let cursor: string | undefined;
    while (true) {
      const page = idsOf(
        await Array.fromAsync(
          sessions.list({ subject: "ada", limit: 4, cursor }),
        ),
      );
      if (page.length === 0) break;
      pages.push(page);
      cursor = page.at(-1);
      // whoever signs in between two pages shifts nothing
      await signIn(sessions, clock, "ada", 1);
      // and the last one seen may end
      await sessions.revoke(cursor ?? "");
    }
    assertEquals(pages, [ids.slice(0, 4), ids.slice(4, 8), ids.slice(8)]);

    const all = idsOf(await Array.fromAsync(sessions.list()));
    const paged: string[] = [];
    while (true) {
      const [info] = await Array.fromAsync(
        sessions.list({ limit: 1, cursor: paged.at(-1) }),
      );
      if (info === undefined) break;
      paged.push(info.id);
    }
    assertEquals(paged, all);
    for (const cursor of ["", "0", "\ud800"]) {
      const rest = await Array.fromAsync(sessions.list({ cursor }));
      assertEquals(idsOf(rest), cursor === "\ud800" ? all : []);
    }
  },
);

testOnStores(
  "SessionManager.list() counts only living sessions towards the limit",
  async ({ store }) => {
    const clock = new TestClock();
    const sessions = new SessionManager({
      store,
      clock: clock.now,
      idleTimeout: { hours: 1 },
    });
    const kept = new Visitor(sessions);
    const living = await kept.visit((session) => {
      session.login("ada");
      return session.id;
    });
    await signIn(sessions, clock, "ada", 4);
    clock.advance({ minutes: 30 });
    await kept.visit((session) => session.subject);
    clock.advance({ minutes: 45 });
    const infos = await Array.fromAsync(
      sessions.list({ subject: "ada", limit: 1 }),
    );
    assertEquals(idsOf(infos), [living]);
  },
);

testOnSpyStores(
  "SessionManager.list() passes over what is corrupt, replaced or gone",
  async (store) => {
    const sessions = new SessionManager({ store });
    const visitor = new Visitor(sessions);
    const replaced = await visitor.visit((session) => {
      session.login("ada");
      return session.id;
    });
    const id = await visitor.visit((session) => {
      session.regenerate();
      return session.id;
    });
    assertNotEquals(id, replaced);
    assertEquals((await store.dump()).length, 2);
    await store.commit({
      check: [],
      put: [1, null, "x", {}, { v: 2 }].map((record, index) => ({
        id: `7ZZZZZZZZZZZZZZZZZZZZZZZZ${index}`,
        record,
        expireIn: 60_000,
        subject: "ada",
      })),
      delete: [],
    });
    for (const options of [{}, { subject: "ada" }]) {
      const infos = await Array.fromAsync(sessions.list(options));
      assertEquals(idsOf(infos), [id]);
    }
  },
);

testOnStores(
  "SessionManager.list() streams, and lets the caller stop",
  async ({ store }) => {
    const clock = new TestClock();
    const sessions = new SessionManager({ store, clock: clock.now });
    const ids = await signIn(sessions, clock, "ada", 300);
    store.take();
    const listing = sessions.list({ subject: "ada" });
    assertEquals(store.take().lists, 0);
    const seen: string[] = [];
    for await (const { id } of listing) {
      seen.push(id);
      // sessions end and begin while the list is read
      if (seen.length === 1) {
        await sessions.revoke(ids[299] ?? "");
        await signIn(sessions, clock, "ada", 1);
      }
      if (seen.length === 250) break;
    }
    assertEquals(seen, ids.slice(0, 250));
    const rest = await Array.fromAsync(
      sessions.list({ subject: "ada", cursor: seen.at(-1) }),
    );
    assertEquals(idsOf(rest), ids.slice(250, 299));
  },
);

Deno.test("SessionManager.list() says at the call what is wrong with its options", () => {
  const sessions = new SessionManager({ store: new MemoryStore() });
  const list = (options: unknown) => () =>
    Reflect.apply(sessions.list, sessions, [options]);
  for (const limit of [0, -1, 1.5, NaN, "1"]) {
    assertThrows(list({ limit }), RangeError, "an integer of 1 or more");
  }
  assertThrows(list({ subject: 7 }), TypeError, `"subject" must be a string`);
  assertThrows(list({ cursor: 7 }), TypeError, `"cursor" must be a string`);
  assertThrows(list({ user: "ada" }), TypeError, `received "user"`);
  assertThrows(list("ada"), TypeError, "object of options");
});
