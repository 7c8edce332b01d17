import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type ListOptions,
  MemoryStore,
  type SessionInfo,
  SessionManager,
  type SessionStore,
} from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { SpyStore, testOnSpyStores } from "./_spy_store.ts";
import { Visitor } from "./_visitor.ts";

Deno.test("SessionManager.get() tells what is known of a session, without using it", async () => {
  const clock = new TestClock(1_000_000);
  const visitor = new Visitor({ clock: clock.now, idleTimeout: 60_000 });
  const id = await visitor.visit((session) => {
    session.set("n", 1);
    session.login("alice", { label: "Firefox" });
    return session.id;
  });
  clock.advance(59_999);
  const expected: SessionInfo = {
    id,
    subject: "alice",
    label: "Firefox",
    createdAt: 1_000_000,
    authenticatedAt: 1_000_000,
    lastSeenAt: 1_000_000,
    expiresAt: 1_060_000,
  };
  assertEquals(await visitor.sessions.get(id), expected);
  assertEquals(await Array.fromAsync(visitor.sessions.list()), [expected]);
  clock.advance(1);
  assertEquals(await Array.fromAsync(visitor.sessions.list()), []);
  assertEquals(await visitor.sessions.get(id), undefined);
});

testOnSpyStores(
  "SessionManager.list() goes from the newest to the oldest, by subject, limit and cursor",
  async (store) => {
    const clock = new TestClock();
    const visitor = new Visitor({ store, clock: clock.now });
    const ids: string[] = [];
    const subjects = ["alice", "bob", undefined, "alice", "alice", ""];
    for (const subject of subjects) {
      visitor.client.clear();
      clock.advance(1);
      ids.unshift(
        await visitor.visit((session) => {
          if (subject === undefined) session.set("n", 1);
          else session.login(subject);
          return session.id;
        }),
      );
    }
    const list = (options?: ListOptions) =>
      Array.fromAsync(visitor.sessions.list(options), ({ id }) => id);
    const [empty, alice3, alice2, nobody, bob, alice1] = ids;
    assertEquals(await list(), ids);
    assertEquals(await list({}), ids);
    assertEquals(await list({ subject: "alice" }), [alice3, alice2, alice1]);
    assertEquals(await list({ subject: "" }), [empty]);
    assertEquals(await list({ subject: "bob" }), [bob]);
    assertEquals(await list({ subject: "carol" }), []);
    assertEquals(await list({ limit: 2 }), [empty, alice3]);
    assertEquals(await list({ limit: 2, cursor: alice2 ?? "" }), [nobody, bob]);
    assertEquals(
      await list({ subject: "alice", limit: 1, cursor: alice3 ?? "" }),
      [alice2],
    );
    assertEquals(await list({ cursor: alice1 ?? "" }), []);
    assertEquals(await list({ cursor: "" }), []);
    assertEquals(await list({ cursor: "zzz" }), ids);
    // page by page, with a session that ends in between
    const pages: string[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < 3; page++) {
      const found = await list({ limit: 2, cursor });
      pages.push(...found);
      cursor = found.at(-1);
      await visitor.sessions.revoke(cursor ?? "");
    }
    assertEquals(pages, ids);
  },
);

Deno.test("SessionManager.list() refuses odd options before it reads", async () => {
  const store = new SpyStore();
  const sessions = new SessionManager({ store });
  for (const limit of [0, -1, 1.5, NaN, -Infinity, 2 ** 53]) {
    assertThrows(
      () => sessions.list({ limit }),
      RangeError,
      `"limit" must be an integer of 1 or more: received ${limit}`,
    );
  }
  const list = sessions.list.bind(sessions) as (options: unknown) => unknown;
  for (
    const [options, message] of [
      [{ subject: 1 }, '"subject" must be a string: received number'],
      [{ cursor: null }, '"cursor" must be a string: received null'],
      [{ page: 1 }, 'received "page"'],
      [null, "object of options: received null"],
      ["alice", "object of options: received string"],
    ] as const
  ) assertThrows(() => list(options), TypeError, message);
  assertEquals(store.calls, { get: 0, commit: 0, list: 0 });
  assertEquals(await Array.fromAsync(sessions.list({ limit: Infinity })), []);
});

Deno.test("SessionManager.list() lets go of the store's list when the caller stops", async () => {
  const memory = new MemoryStore();
  let open = 0;
  const store: SessionStore = {
    get: (id) => memory.get(id),
    commit: (commit) => memory.commit(commit),
    async *list(options) {
      open++;
      try {
        yield* memory.list(options);
      } finally {
        open--;
      }
    },
  };
  const sessions = new SessionManager({ store });
  for (let n = 0; n < 3; n++) {
    await new Visitor(sessions).visit((session) => session.set("n", n));
  }
  for await (const { id } of sessions.list()) {
    assertEquals([id.length, open], [26, 1]);
    break;
  }
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(open, 0);
});

testOnSpyStores(
  "SessionManager.list() shows a session that gets a new id meanwhile, once",
  async (store) => {
    const sessions = new SessionManager({ store });
    const visitors = Array.from({ length: 3 }, () => new Visitor(sessions));
    for (const visitor of visitors) {
      await visitor.visit((session) => session.login("ada"));
    }
    const idOf = ({ token }: Visitor) => token.slice(0, 26);
    for (const subject of ["ada", undefined]) {
      let steps = 0;
      store.onList = async (call) => {
        if (steps++ === 0) {
          for (const visitor of visitors.slice(0, 2)) {
            await visitor.visit((session) => session.regenerate());
            await visitor.visit((session) => session.regenerate());
          }
        }
        return await call();
      };
      const listed = await Array.fromAsync(sessions.list({ subject }));
      store.onList = undefined;
      // one that was read before it moved is listed under its old id
      const ids = await Promise.all(
        listed.map(async ({ id }) => (await sessions.get(id))?.id),
      );
      assertEquals(ids.sort(), visitors.map(idOf).sort());
      const [first] = await Array.fromAsync(sessions.list({ limit: 1 }));
      const rest = sessions.list({ subject, cursor: first?.id });
      assertEquals((await Array.fromAsync(rest)).length, 2);
    }
  },
);

testOnSpyStores(
  "SessionManager.list() by pages goes down, whatever gets a new id meanwhile",
  async (store) => {
    const sessions = new SessionManager({ store });
    const visitors = Array.from({ length: 6 }, () => new Visitor(sessions));
    for (const visitor of visitors) {
      await visitor.visit((session) => session.login("ada"));
    }
    let steps = 0;
    store.onList = async (call) => {
      if (steps++ === 0) {
        await visitors[3]?.visit((session) => session.regenerate());
      }
      return await call();
    };
    const ids: string[] = [];
    for (let pages = 0; pages < 6; pages++) {
      const page = await Array.fromAsync(
        sessions.list({ subject: "ada", limit: 3, cursor: ids.at(-1) }),
      );
      ids.push(...page.map(({ id }) => id));
    }
    assertEquals(ids, [...new Set(ids)].sort().reverse());
    assert(ids.length >= 5);
  },
);
