/**
 * A session is the same one whatever its id is by now, also when nothing leads from the
 * old id to the new one any more.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  MemoryStore,
  type Session,
  SessionManager,
  SessionStoreError,
} from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { ControllableStore } from "./_controllable_store.ts";
import { testOnStores } from "./_helpers.ts";
import { listening } from "./_listening.ts";
import { endOf, openStream, settled, signedIn, until } from "./_live.ts";
import { Visitor } from "./_visitor.ts";

const regenerate = (session: Session) => session.regenerate();
const subject = (session: Session) => session.subject;

testOnStores(
  "SessionManager.revokeAll() ends a session that gets a new id while it is listed",
  async ({ store }) => {
    const there = new SessionManager({ store });
    const moving = await signedIn(there);
    const other = await signedIn(there);
    // the new id stands before what was read already, so that this list does not show it
    const here = new SessionManager({
      store: listening(store, {
        entry: (entries) =>
          entries === 1 ? moving.visit(regenerate) : Promise.resolve(),
      }),
    });
    assertEquals(await here.revokeAll("ada"), 2);
    assertEquals(await moving.visit(subject), undefined);
    assertEquals(await other.visit(subject), undefined);
  },
);

testOnStores(
  "SessionManager.revokeAll() reads no replaced ids, however many there are",
  async ({ store }) => {
    const calls = new ControllableStore({ store });
    let gets = 0;
    const get = calls.get.bind(calls);
    calls.get = (id) => (gets++, get(id));
    const sessions = new SessionManager({ store: calls });
    const visitor = await signedIn(sessions);
    for (let count = 0; count < 50; count++) await visitor.visit(regenerate);
    gets = 0;
    assertEquals(await sessions.revokeAll("ada"), 1);
    assert(gets <= 3, `${gets} reads`);
    assertEquals(await visitor.visit(subject), undefined);
  },
);

testOnStores(
  "SessionManager.revokeAll() spares a session that gets new ids meanwhile",
  async ({ store }) => {
    const there = new SessionManager({ store });
    for (const when of [1, 2]) {
      const mine = await signedIn(there);
      const others = [await signedIn(there), await signedIn(there)];
      const id = await mine.visit((session) => session.id);
      const here = new SessionManager({
        store: listening(store, {
          list: (lists) =>
            lists === when ? mine.visit(regenerate) : Promise.resolve(),
        }),
      });
      assertEquals(await here.revokeAll("ada", { except: id }), 2);
      assertEquals(await mine.visit(subject), "ada");
      for (const other of others) {
        assertEquals(await other.visit(subject), undefined);
      }
      await mine.visit((session) => session.logout());
    }
  },
);

for (const rotationGrace of [0, 10_000]) {
  testOnStores(
    `a request in flight finds its session though the id was replaced and the grace of ${rotationGrace} ms has passed`,
    async ({ store }) => {
      const clock = new TestClock();
      const options = { store, clock: clock.now, rotationGrace };
      const here = new SessionManager(options);
      const there = new SessionManager(options);
      /** Has a tab do something to a session while another one gives it a new id. */
      const race = async (run: (session: Session) => void) => {
        const tab = await signedIn(there);
        const response = await here.handle(
          new Request("https://example.com/", {
            headers: { cookie: `__Host-session=${tab.token}` },
          }),
          async (session) => {
            await tab.visit(regenerate);
            clock.advance(rotationGrace + 1);
            run(session);
            return new Response();
          },
        );
        return { tab, cookies: response.headers.getSetCookie() };
      };
      const ended = await race((session) => session.logout());
      assertEquals(await ended.tab.visit(subject), undefined);
      assert(ended.cookies[0]?.includes("Max-Age=0"));

      const written = await race((session) => session.set("late", 1));
      assertEquals(written.cookies, []);
      assertEquals(await written.tab.visit((s) => s.get("late")), 1);

      const rotated = await race((session) => session.login("eve"));
      assertEquals(await rotated.tab.visit(subject), undefined);

      const again = await race((session) => session.regenerate());
      assertEquals(again.cookies, []);
      assertEquals(await again.tab.visit(subject), "ada");
    },
  );
}

for (const pollInterval of [20, 60_000]) {
  Deno.test(`Session.signal follows a session to a new id of which no trace is left (poll: ${pollInterval} ms)`, async () => {
    const memory = new MemoryStore();
    const rotationGrace = 0;
    const here = new SessionManager({
      store: memory,
      pollInterval,
      rotationGrace,
    });
    const there = new SessionManager({ store: memory, rotationGrace });
    const visitor = await signedIn(there);
    await using stream = await openStream(here, visitor.token);
    await settled();
    await visitor.visit(regenerate);
    await new Promise((resolve) => setTimeout(resolve, 60));
    assertEquals(stream.signal.aborted, false);
    await visitor.visit((session) => session.logout());
    assertEquals(await endOf(stream.signal, 2_000), "revoked");
  });
}

testOnStores(
  "Session.id of a session with a signal is the one that another request has given it",
  async ({ store }) => {
    const sessions = new SessionManager({ store, pollInterval: 10 });
    const visitor = await signedIn(sessions);
    let held: Session | undefined;
    const response = await sessions.handle(
      new Request("https://example.com/", {
        headers: { cookie: `__Host-session=${visitor.token}` },
      }),
      (session) => {
        session.signal;
        held = session;
        return new Response(new ReadableStream({ start() {} }));
      },
    );
    const before = held?.id;
    await visitor.visit(regenerate);
    const now = await visitor.visit((session) => session.id);
    assert(before !== now);
    await until(() => held?.id === now);
    const edited = await sessions.edit(held?.id ?? "", (s) => s.set("n", 1));
    assertEquals(edited, undefined);
    assertEquals(await visitor.visit((session) => session.get("n")), 1);
    await response.body?.cancel();
  },
);

Deno.test("Session.id after a regenerate that joins another one is the one that is in force", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.login("ada"));
  const { token } = visitor;
  await visitor.visit(regenerate);
  const now = await visitor.visit((session) => session.id);
  let seen = "";
  await visitor.sessions.handle(
    new Request("https://example.com/", {
      headers: { cookie: `__Host-session=${token}` },
    }),
    (session) => {
      session.regenerate();
      seen = session.id;
      return new Response();
    },
  );
  assertEquals(seen, now);
});

testOnStores(
  "maxSessionsPerSubject holds though a session gets a new id while they are counted",
  async ({ store }) => {
    const there = new SessionManager({ store });
    const moving = await signedIn(there);
    const here = new SessionManager({
      maxSessionsPerSubject: 1,
      store: listening(store, {
        entry: (entries) =>
          entries === 1 ? moving.visit(regenerate) : Promise.resolve(),
      }),
    });
    const newest = await signedIn(here);
    assertEquals(await moving.visit(subject), undefined);
    assertEquals(await newest.visit(subject), "ada");
  },
);

testOnStores(
  "maxSessionsPerSubject never ends a login on a clock that is a day behind",
  async ({ store }) => {
    const maxSessionsPerSubject = 2;
    const ahead = new SessionManager({ store, maxSessionsPerSubject });
    const before = [await signedIn(ahead), await signedIn(ahead)];
    const behind = new SessionManager({
      store,
      maxSessionsPerSubject,
      clock: () => Date.now() - 86_400_000,
    });
    const first = await signedIn(behind);
    const second = await signedIn(behind);
    assertEquals(await first.visit(subject), "ada");
    assertEquals(await second.visit(subject), "ada");
    for (const visitor of before) {
      assertEquals(await visitor.visit(subject), undefined);
    }
  },
);

Deno.test("maxSessionsPerSubject ends the others although one could not be ended", async () => {
  let refused = 0;
  const store = new ControllableStore({
    fault: (commit) =>
      commit.put.length === 0 && refused++ === 0 ? "refused" : undefined,
  });
  const unlimited = new SessionManager({ store });
  const old = [];
  // more than are ended at a time
  for (let n = 0; n < 250; n++) old.push(await signedIn(unlimited));
  const sessions = new SessionManager({ store, maxSessionsPerSubject: 1 });
  const newest = await signedIn(sessions);
  const left = await Array.fromAsync(sessions.list({ subject: "ada" }));
  assertEquals(left.length, 2);
  assertEquals(await newest.visit(subject), "ada");
});

Deno.test("a logout that took place unnoticed, tried again in its request, is its own", async () => {
  let fault: "lost" | undefined;
  let away = false;
  const controlled = new ControllableStore({ fault: () => fault });
  const get = controlled.get.bind(controlled);
  controlled.get = async (id) => {
    if (away) throw new Error("away");
    return await get(id);
  };
  const visitor = new Visitor({ store: controlled });
  await visitor.visit((session) => session.login("ada"));
  await visitor.visit(async (session) => {
    session.logout();
    fault = "lost";
    away = true;
    await assertRejects(() => session.commit(), SessionStoreError);
    fault = undefined;
    away = false;
  });
  assert(visitor.response.headers.getSetCookie()[0]?.includes("Max-Age=0"));
  const ends = visitor.events.filter(({ type }) => type === "ended");
  assertEquals(ends.map((event) => "reason" in event && event.reason), [
    "logout",
  ]);
});

Deno.test("a replaced id leads on for the grace although the session was about to expire", async () => {
  const clock = new TestClock();
  const visitor = new Visitor({ clock: clock.now, idleTimeout: 60_000 });
  await visitor.visit((session) => session.login("ada"));
  const { token } = visitor;
  clock.advance({ seconds: 58 });
  await visitor.visit(regenerate);
  clock.advance({ seconds: 9 });
  const response = await visitor.sessions.handle(
    new Request("https://example.com/", {
      headers: { cookie: `__Host-session=${token}` },
    }),
    (session) => Response.json(session.subject ?? null),
  );
  assertEquals(await response.json(), "ada");
});

Deno.test("Session.signal does not take the end of a replaced id for the session's", async () => {
  const clock = new TestClock();
  const memory = new MemoryStore();
  const options = {
    store: memory,
    clock: clock.now,
    idleTimeout: 60_000,
    rotationGrace: 1_000,
  };
  // blind, so that it looks when the session that it knows of has expired
  const blind = new SessionManager({
    ...options,
    store: listening(memory, {}),
    pollInterval: 30,
  });
  const there = new SessionManager(options);
  const visitor = await signedIn(there);
  await using stream = await openStream(blind, visitor.token);
  await settled();
  clock.advance({ seconds: 50 });
  await visitor.visit(regenerate);
  clock.advance({ seconds: 20 });
  await new Promise((resolve) => setTimeout(resolve, 100));
  assertEquals(stream.signal.aborted, false);
});

testOnStores(
  "Session.id follows a new id also while the handler still runs",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    const visitor = await signedIn(sessions);
    const response = await sessions.handle(
      new Request("https://example.com/", {
        headers: { cookie: `__Host-session=${visitor.token}` },
      }),
      async (session) => {
        session.signal;
        const before = session.id;
        await visitor.visit(regenerate);
        await until(() => session.id !== before);
        return Response.json((await sessions.get(session.id))?.subject);
      },
    );
    assertEquals(await response.json(), "ada");
  },
);

Deno.test("LineageFinder looks for all that are missed at a time with one list, begun after the last of them", async () => {
  const memory = new MemoryStore();
  const there = new SessionManager({ store: memory, rotationGrace: 0 });
  const visitors = await Promise.all(
    Array.from({ length: 20 }, () => signedIn(there)),
  );
  const store = listening(memory, {});
  const here = new SessionManager({
    store,
    pollInterval: 20,
    rotationGrace: 0,
  });
  const streams = await Promise.all(
    visitors.map(({ token }) => openStream(here, token)),
  );
  await settled();
  const before = store.lists;
  await Promise.all(
    visitors.map((visitor, index) =>
      visitor.visit((session) =>
        index % 2 === 0 ? session.regenerate() : session.logout()
      )
    ),
  );
  const ended = streams.filter((_, index) => index % 2 === 1);
  await until(() => ended.every(({ signal }) => signal.aborted));
  assert(store.lists - before <= 4, `${store.lists - before} lists`);
  for (const [index, { signal }] of streams.entries()) {
    assertEquals(signal.aborted, index % 2 === 1);
  }
  for (const stream of streams) await stream[Symbol.asyncDispose]();
});
