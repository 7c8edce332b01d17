/**
 * "Log out everywhere": every session that existed at the call, and no other.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  MemoryStore,
  type SessionEvent,
  SessionManager,
} from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { get, getWith, testOnStores, tokenOf } from "./_helpers.ts";
import { listening } from "./_listening.ts";
import { testOnSpyStores } from "./_spy_store.ts";
import { Visitor } from "./_visitor.ts";

/** Signs a subject in from a new browser, and returns its token. */
async function signIn(
  sessions: SessionManager,
  subject: string,
): Promise<string> {
  return tokenOf(
    await sessions.handle(get(), (session) => {
      session.login(subject);
      return new Response();
    }),
  );
}

/** Who a token says it is. */
async function subjectOf(
  sessions: SessionManager,
  token: string,
): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  await sessions.handle(getWith(token), (session) => {
    resolve(session.subject);
    return new Response();
  });
  return await promise;
}

testOnStores(
  "SessionManager.revokeAll() ends every session of a subject, and no other's",
  async ({ store }) => {
    const events: SessionEvent[] = [];
    const sessions = new SessionManager({
      store,
      onEvent: (event) => events.push(event),
    });
    const tokens = [];
    for (let n = 0; n < 5; n++) tokens.push(await signIn(sessions, "ada"));
    const bob = await signIn(sessions, "bob");
    const anonymous = new Visitor(sessions);
    await anonymous.visit((session) => session.set("n", 1));
    events.length = 0;

    assertEquals(await sessions.revokeAll("ada"), 5);

    assertEquals(
      events.map((event) => event.type === "ended" && event.reason),
      Array(5).fill("revoked"),
    );
    for (const token of tokens) {
      assertEquals(await subjectOf(sessions, token), undefined);
    }
    assertEquals(await subjectOf(sessions, bob), "bob");
    assertEquals(await anonymous.read(), [["n", 1]]);
    assertEquals(await Array.fromAsync(sessions.list({ subject: "ada" })), []);
    assertEquals(await sessions.revokeAll("ada"), 0);
  },
);

testOnStores(
  "SessionManager.revokeAll() spares the session that it is to spare, under any of its ids",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    const others = [];
    for (let n = 0; n < 3; n++) others.push(await signIn(sessions, "ada"));
    const mine = new Visitor(sessions);
    const first = await mine.visit((session) => {
      session.login("ada");
      return session.id;
    });
    const second = await mine.visit((session) => {
      session.regenerate();
      return session.id;
    });

    assertEquals(await sessions.revokeAll("ada", { except: first }), 3);
    assertEquals(await mine.visit(({ subject }) => subject), "ada");
    for (const token of others) {
      assertEquals(await subjectOf(sessions, token), undefined);
    }
    await signIn(sessions, "ada");
    assertEquals(await sessions.revokeAll("ada", { except: second }), 1);
    assertEquals(await mine.visit(({ subject }) => subject), "ada");
    // an id that is nobody's spares nobody
    assertEquals(await sessions.revokeAll("ada", { except: "" }), 1);
    assertEquals(await mine.visit(({ subject }) => subject), undefined);
  },
);

testOnSpyStores(
  "SessionManager.revokeAll() spares a session that gets a new id while the list is read",
  async (store) => {
    const sessions = new SessionManager({ store });
    const other = await signIn(sessions, "ada");
    const mine = new Visitor(sessions);
    const except = await mine.visit((session) => {
      session.login("ada");
      return session.id;
    });
    const list = store.list.bind(store);
    let rotated = false;
    store.list = async function* (options) {
      if (!rotated) {
        rotated = true;
        await mine.visit((session) => session.regenerate());
      }
      yield* list(options);
    };
    assertEquals(await sessions.revokeAll("ada", { except }), 1);
    assertEquals(await mine.visit(({ subject }) => subject), "ada");
    assertEquals(await subjectOf(sessions, other), undefined);
  },
);

testOnSpyStores(
  "SessionManager.revokeAll() ends a session that gets a new id while the list is read",
  async (store) => {
    for (const rotationGrace of [10_000, 0]) {
      const clock = new TestClock();
      const sessions = new SessionManager({
        store,
        rotationGrace,
        clock: clock.now,
      });
      const visitor = new Visitor(sessions);
      await visitor.visit((session) => session.login("ada"));
      clock.advance(1);
      const list = store.list.bind(store);
      let rotated = false;
      store.list = async function* (options) {
        const records = await Array.fromAsync(list(options));
        if (!rotated) {
          rotated = true;
          await visitor.visit((session) => session.regenerate());
        }
        yield* records;
      };
      assertEquals(await sessions.revokeAll("ada"), 1, `${rotationGrace}`);
      store.list = list;
      assertEquals(await visitor.visit(({ subject }) => subject), undefined);
    }
  },
);

testOnStores(
  "SessionManager.revokeAll() ends a session that the first list does not show, as it just got a new id",
  async ({ store }) => {
    const clock = new TestClock();
    const there = new SessionManager({
      store,
      clock: clock.now,
      rotationGrace: 0,
    });
    const moving = new Visitor(there);
    await moving.visit((session) => session.login("ada"));
    clock.advance(1);
    // finds its id, and when it looks what is there, it is gone
    const here = new SessionManager({
      clock: clock.now,
      store: listening(store, {
        entry: (entries) =>
          entries === 1
            ? moving.visit((session) => session.regenerate())
            : Promise.resolve(),
      }),
    });
    assertEquals(await here.revokeAll("ada"), 1);
    assertEquals(await moving.visit(({ subject }) => subject), undefined);
  },
);

testOnSpyStores(
  "SessionManager.revokeAll() leaves alone who signs in while the list is read",
  async (store) => {
    const clock = new TestClock();
    const sessions = new SessionManager({ store, clock: clock.now });
    const old = await signIn(sessions, "ada");
    const list = store.list.bind(store);
    let late: string | undefined;
    store.list = async function* (options) {
      clock.advance(1);
      late ??= await signIn(sessions, "ada");
      yield* list(options);
    };
    assertEquals(await sessions.revokeAll("ada"), 1);
    assertEquals(await subjectOf(sessions, old), undefined);
    assertEquals(await subjectOf(sessions, late ?? ""), "ada");
  },
);

testOnStores(
  "SessionManager.revokeAll() ends sessions too that a clock ahead of ours signed in",
  async ({ store }) => {
    const clock = new TestClock();
    const ahead = new TestClock(clock.now() + 3_600_000);
    const there = new SessionManager({ store, clock: ahead.now });
    const token = await signIn(there, "ada");
    const here = new SessionManager({ store, clock: clock.now });
    assertEquals(await here.revokeAll("ada"), 1);
    assertEquals(await subjectOf(there, token), undefined);
  },
);

testOnStores(
  "R26 revokeAll ends 2,000 sessions while 10 more sign in, and counts right",
  async ({ store }) => {
    const clock = new TestClock();
    const sessions = new SessionManager({ store, clock: clock.now });
    const old: string[] = [];
    for (let n = 0; n < 2_000; n += 50) {
      old.push(
        ...await Promise.all(
          Array.from({ length: 50 }, () => signIn(sessions, "ada")),
        ),
      );
    }
    const similar = await signIn(sessions, "ada:b");
    clock.advance(1);
    const revoking = sessions.revokeAll("ada");
    clock.advance(1);
    const late = await Promise.all(
      Array.from({ length: 10 }, () => signIn(sessions, "ada")),
    );
    assertEquals(await revoking, 2_000);

    const infos = await Array.fromAsync(sessions.list({ subject: "ada" }));
    assertEquals(
      infos.map(({ id }) => id).sort(),
      late.map((token) => token.split(".")[0]).sort(),
    );
    for (const token of late) {
      assertEquals(await subjectOf(sessions, token), "ada");
    }
    for (const token of [old[0], old[999], old[1_999]]) {
      assertEquals(await subjectOf(sessions, token ?? ""), undefined);
    }
    assertEquals(await subjectOf(sessions, similar), "ada:b");
    assertEquals((await Array.fromAsync(sessions.list())).length, 11);
  },
);

testOnStores(
  "two calls of revokeAll at once count each session once",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    for (let n = 0; n < 40; n++) await signIn(sessions, "ada");
    const counts = await Promise.all([
      sessions.revokeAll("ada"),
      sessions.revokeAll("ada"),
    ]);
    assertEquals(counts.reduce((sum, count) => sum + count, 0), 40);
  },
);

Deno.test("SessionManager.revokeAll() says what is wrong with its arguments", async () => {
  const sessions = new SessionManager({ store: new MemoryStore() });
  const calls: [unknown[], string][] = [
    [[], `"subject" must be a string: received undefined`],
    [[7], `"subject" must be a string: received number`],
    [["ada", { except: 7 }], `"except" must be a string`],
    [["ada", { spare: "x" }], `received "spare"`],
    [["ada", "x"], "object of options"],
  ];
  for (const [args, text] of calls) {
    const error = await assertRejects(
      () => Reflect.apply(sessions.revokeAll, sessions, args),
      TypeError,
      text,
    );
    assert(!error.message.includes("ada"));
  }
});
