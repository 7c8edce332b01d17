/**
 * `session.signal` in the process that ends the session.
 */

import { assert, assertEquals } from "@std/assert";
import { SessionEndedError, SessionManager } from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { getWith } from "./_helpers.ts";
import {
  endOf,
  openStream,
  settled,
  signedIn,
  testOnLiveStores,
} from "./_live.ts";
import type { Visitor } from "./_visitor.ts";

/** So long that only what the process itself knows can come in time. */
const LONG = 60_000;

const ENDS: Record<
  string,
  (sessions: SessionManager, visitor: Visitor, id: string) => Promise<unknown>
> = {
  logout: (_sessions, visitor) => visitor.visit((session) => session.logout()),
  revoked: (sessions, _visitor, id) => sessions.revoke(id),
  rotated: (_sessions, visitor) =>
    visitor.visit((session) => session.login("bob")),
  evicted: async (sessions) => {
    await signedIn(sessions);
    await signedIn(sessions);
  },
};

for (const [reason, end] of Object.entries(ENDS)) {
  testOnLiveStores(
    `Session.signal aborts at once with the reason ${reason}`,
    async (open) => {
      const store = open();
      const clock = new TestClock();
      const sessions = new SessionManager({
        store,
        clock: clock.now,
        pollInterval: LONG,
        maxSessionsPerSubject: 2,
      });
      const visitor = await signedIn(sessions);
      await using stream = await openStream(sessions, visitor.token);
      await using second = await openStream(sessions, visitor.token);
      await settled();
      assertEquals(stream.signal.aborted, false);
      assertEquals(store.watching, 1);

      clock.advance(1);
      const { token } = visitor;
      await end(sessions, visitor, stream.id);
      assertEquals(await endOf(stream.signal), reason);
      assertEquals(await endOf(second.signal), reason);
      assertEquals(store.watching, 0);
      const { reason: error } = stream.signal;
      assert(error instanceof SessionEndedError);
      assert(error.message.includes(`received ${reason}`));
      assert(!error.message.includes(token));
    },
  );
}

testOnLiveStores(
  "Session.signal aborts when revokeAll() ends the session, and only then",
  async (open) => {
    const store = open();
    const sessions = new SessionManager({ store, pollInterval: LONG });
    const one = await signedIn(sessions);
    const two = await signedIn(sessions);
    await using spared = await openStream(sessions, one.token);
    await using ended = await openStream(sessions, two.token);
    assertEquals(await sessions.revokeAll("ada", { except: spared.id }), 1);
    assertEquals(await endOf(ended.signal), "revoked");
    await settled();
    assertEquals(spared.signal.aborted, false);
    assertEquals(store.watching, 1);
  },
);

testOnLiveStores(
  "Session.signal aborts when the session expires, by a timer",
  async (open) => {
    const store = open();
    const sessions = new SessionManager({
      store,
      idleTimeout: 1_000,
      pollInterval: LONG,
    });
    const start = Date.now();
    const visitor = await signedIn(sessions);
    await using stream = await openStream(sessions, visitor.token);
    const rotated = await signedIn(sessions);
    await using second = await openStream(sessions, rotated.token);
    await rotated.visit((session) => session.regenerate());
    for (const { signal } of [stream, second]) {
      assertEquals(await endOf(signal, 1_500), "idle-timeout");
    }
    assert(Date.now() - start >= 900);
    assertEquals(store.watching, 0);
  },
);

testOnLiveStores(
  "Session.signal aborts at the absolute timeout, however much the session is used",
  async (open) => {
    const store = open();
    const clock = new TestClock();
    const sessions = new SessionManager({
      store,
      clock: clock.now,
      idleTimeout: { hours: 1 },
      absoluteTimeout: { hours: 2 },
      pollInterval: 5,
    });
    const visitor = await signedIn(sessions);
    await using stream = await openStream(sessions, visitor.token);
    for (let n = 0; n < 3; n++) {
      clock.advance({ minutes: 39 });
      await visitor.visit((session) => session.set("n", n));
      await settled();
      assertEquals(stream.signal.aborted, false);
    }
    clock.advance({ minutes: 3 });
    assertEquals(await endOf(stream.signal, 1_000), "absolute-timeout");
  },
);

testOnLiveStores(
  "Session.signal of a login's own request goes on, those of others say rotated",
  async (open) => {
    // again and again, for it is a race with the store's own watch, and with polls
    for (let n = 0; n < 25; n++) {
      const store = open();
      const sessions = new SessionManager({ store, pollInterval: 1 });
      const visitor = await signedIn(sessions);
      await using other = await openStream(sessions, visitor.token);
      let own: AbortSignal | undefined;
      const response = await sessions.handle(
        getWith(visitor.token),
        (session) => {
          own = session.signal;
          session.login("bob");
          return new Response(new ReadableStream({ start() {} }));
        },
      );
      assertEquals(await endOf(other.signal), "rotated");
      await settled();
      assertEquals(own?.aborted, false, String(own?.reason));
      assertEquals(store.watching, 1);
      await sessions.revokeAll("bob");
      assert(own !== undefined);
      assertEquals(await endOf(own), "revoked");
      await response.body?.cancel();
    }
  },
);

testOnLiveStores(
  "Session.signal does not abort when the session gets a new id, and follows it",
  async (open) => {
    const store = open();
    const sessions = new SessionManager({ store, pollInterval: LONG });
    const visitor = await signedIn(sessions);
    await using stream = await openStream(sessions, visitor.token);
    for (let n = 0; n < 3; n++) {
      await visitor.visit((session) => session.regenerate());
    }
    await settled();
    assertEquals(stream.signal.aborted, false);
    assertEquals(store.watching, 1);
    await visitor.visit((session) => session.logout());
    assertEquals(await endOf(stream.signal), "logout");
    assertEquals(store.watching, 0);
  },
);

testOnLiveStores(
  "Session.signal of a sign-in outlives the session that it leaves behind, however that ends",
  async (open) => {
    for (const end of ["login", "revoke"] as const) {
      const store = open();
      const sessions = new SessionManager({ store, pollInterval: LONG });
      const visitor = await signedIn(sessions);
      const { token } = visitor;
      let signal: AbortSignal | undefined;
      let id = "";
      const response = await sessions.handle(
        getWith(token),
        async (session) => {
          session.login("ada");
          signal = session.signal;
          if (end === "revoke") await sessions.revoke(token.slice(0, 26));
          else await visitor.visit((session) => session.login("bob"));
          id = session.id;
          return new Response(new ReadableStream());
        },
      );
      await settled();
      assertEquals(signal?.aborted, false, end);
      await sessions.revoke(id);
      assert(signal !== undefined);
      assertEquals(await endOf(signal), "revoked");
      await response.body?.cancel();
    }
  },
);
