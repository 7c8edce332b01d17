/**
 * `maxSessionsPerSubject`: when one more signs in, the oldest ends.
 */

import { assert, assertEquals } from "@std/assert";
import { SessionManager } from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { Events, get, getWith, testOnStores, tokenOf } from "./_helpers.ts";
import { fails, testOnSpyStores } from "./_spy_store.ts";
import { Visitor } from "./_visitor.ts";

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

async function isLive(
  sessions: SessionManager,
  token: string,
): Promise<boolean> {
  const response = await sessions.handle(
    getWith(token),
    (session) => Response.json(!session.isNew),
  );
  return await response.json();
}

testOnStores(
  "maxSessionsPerSubject ends the oldest sign-in when one more signs in",
  async ({ store }) => {
    const clock = new TestClock();
    const events = new Events();
    const sessions = new SessionManager({
      store,
      clock: clock.now,
      maxSessionsPerSubject: 3,
      onEvent: events.push,
    });
    // the oldest by sign-in, whatever its use and its age as a session
    const early = new Visitor(sessions);
    await early.visit((session) => session.set("n", 1));
    const tokens: string[] = [];
    for (let n = 0; n < 2; n++) {
      clock.advance({ seconds: 1 });
      tokens.push(await signIn(sessions, "ada"));
    }
    clock.advance({ seconds: 1 });
    await early.visit((session) => session.login("ada"));
    tokens.push(early.token);
    const bob = await signIn(sessions, "bob");
    events.take();

    for (let n = 0; n < 5; n++) {
      clock.advance({ seconds: 1 });
      tokens.push(await signIn(sessions, "ada"));
      assertEquals(events.take(), ["created", "login", "ended evicted"]);
      const live = [];
      for (const token of tokens) {
        if (await isLive(sessions, token)) live.push(token);
      }
      assertEquals(live, tokens.slice(-3));
      events.take();
    }
    assertEquals(await isLive(sessions, bob), true);
  },
);

testOnStores(
  "maxSessionsPerSubject does not count what has ended, nor a sign-in anew",
  async ({ store }) => {
    const clock = new TestClock();
    const events = new Events();
    const sessions = new SessionManager({
      store,
      clock: clock.now,
      maxSessionsPerSubject: 2,
      idleTimeout: { hours: 1 },
      onEvent: events.push,
    });
    await signIn(sessions, "ada"); // expires
    clock.advance({ hours: 1 });
    const ended = new Visitor(sessions);
    await ended.visit((session) => session.login("ada"));
    await ended.visit((session) => session.logout());
    const kept = await signIn(sessions, "ada");
    const mine = new Visitor(sessions);
    await mine.visit((session) => session.login("ada"));
    clock.advance(1);
    await mine.visit((session) => session.login("ada"));
    await mine.visit((session) => session.regenerate());
    await new Visitor(sessions).visit((session) => session.set("n", 1));
    assert(!events.take().includes("ended evicted"));
    assertEquals(await isLive(sessions, kept), true);
    assertEquals(await mine.visit(({ subject }) => subject), "ada");
  },
);

testOnStores(
  "R60 maxSessionsPerSubject holds under 20 concurrent logins",
  async ({ store }) => {
    for (const limit of [1, 3]) {
      const events = new Events();
      const sessions = new SessionManager({
        store,
        maxSessionsPerSubject: limit,
        onEvent: events.push,
      });
      const subject = `ada ${limit}`;
      const tokens = await Promise.all(
        Array.from({ length: 20 }, () => signIn(sessions, subject)),
      );
      const infos = await Array.fromAsync(sessions.list({ subject }));
      assertEquals(infos.length, limit);
      const told = events.take();
      assertEquals(
        told.filter((event) => event === "ended evicted").length,
        20 - limit,
      );
      assertEquals(told.filter((event) => event === "login").length, 20);
      const live = new Set<string>();
      for (const token of tokens) {
        if (await isLive(sessions, token)) live.add(token.slice(0, 26));
      }
      assertEquals(live, new Set(infos.map(({ id }) => id)));
      // and it still holds with the next one, who stays
      const next = await signIn(sessions, subject);
      assertEquals(
        (await Array.fromAsync(sessions.list({ subject }))).length,
        limit,
      );
      assertEquals(await isLive(sessions, next), true);
    }
  },
);

testOnSpyStores(
  "a login stands although the oldest could not be ended, and the next one ends both",
  async (store) => {
    const clock = new TestClock();
    const sessions = new SessionManager({
      store,
      clock: clock.now,
      maxSessionsPerSubject: 1,
    });
    const tokens = [await signIn(sessions, "ada")];
    store.onList = fails;
    clock.advance(1);
    tokens.push(await signIn(sessions, "ada"));
    store.onList = undefined;
    for (const token of tokens) {
      assertEquals(await isLive(sessions, token), true);
    }
    clock.advance(1);
    const last = await signIn(sessions, "ada");
    for (const token of tokens) {
      assertEquals(await isLive(sessions, token), false);
    }
    assertEquals(await isLive(sessions, last), true);
  },
);

testOnSpyStores(
  "without maxSessionsPerSubject a login lists nothing",
  async (store) => {
    const sessions = new SessionManager({ store });
    for (let n = 0; n < 30; n++) await signIn(sessions, "ada");
    assertEquals(store.calls.list, 0);
    assertEquals(
      (await Array.fromAsync(sessions.list({ subject: "ada" }))).length,
      30,
    );
  },
);

testOnStores(
  "maxSessionsPerSubject takes a clock that is some seconds ahead for a right one",
  async ({ store }) => {
    const clock = new TestClock();
    const options = { store, maxSessionsPerSubject: 2 };
    const here = new SessionManager({ ...options, clock: clock.now });
    const ahead = new SessionManager({
      ...options,
      clock: () => clock.now() + 5_000,
    });
    const tokens = [
      await signIn(here, "ada"),
      await signIn(ahead, "ada"),
      await signIn(here, "ada"),
    ];
    const live = await Promise.all(tokens.map((token) => isLive(here, token)));
    assertEquals(live, [false, true, true]);
  },
);

testOnSpyStores(
  "maxSessionsPerSubject counts a session once that signs in again while they are counted, without a rotationGrace",
  async (store) => {
    const options = { store, rotationGrace: 0 };
    const sessions = new SessionManager({
      ...options,
      maxSessionsPerSubject: 3,
    });
    const elsewhere = new SessionManager(options);
    const oldest = await signIn(sessions, "ada");
    const other = new Visitor(elsewhere);
    await other.visit((session) => session.login("ada"));
    const { length } = store.commits;
    let steps = 0;
    store.onList = async (call) => {
      // once all of the first list was read
      if (++steps === 3) await other.visit((session) => session.login("ada"));
      return await call();
    };
    await signIn(sessions, "ada");
    store.onList = undefined;
    assertEquals(store.commits.length, length + 2);
    assertEquals(await isLive(sessions, oldest), true);
    assertEquals(await isLive(sessions, other.token), true);
  },
);

for (const step of [1, 2, 3, 4]) {
  testOnSpyStores(
    `maxSessionsPerSubject holds without a rotationGrace, though the oldest session gets a new id at step ${step} of their lists`,
    async (store) => {
      const sessions = new SessionManager({
        store,
        maxSessionsPerSubject: 1,
        rotationGrace: 0,
      });
      const phone = new Visitor(sessions);
      await phone.visit((session) => session.login("ada"));
      let steps = 0;
      store.onList = async (call) => {
        if (++steps === step) {
          await phone.visit((session) => session.regenerate());
        }
        return await call();
      };
      const laptop = await signIn(sessions, "ada");
      store.onList = undefined;
      assert(steps >= step);
      assertEquals(await isLive(sessions, phone.token), false);
      assertEquals(await isLive(sessions, laptop), true);
    },
  );
}
