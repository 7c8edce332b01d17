/**
 * What others see of a sign-in, and what is left after a sign-out.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  SessionClosedError,
  type SessionEvent,
  SessionManager,
} from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { getWith, testOnStores } from "./_helpers.ts";
import { Visitor } from "./_visitor.ts";

testOnStores(
  "R6 a planted id never sees the user, not even while the victim signs in",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    const attacker = new Visitor(sessions);
    await attacker.visit((session) => session.set("planted", true));
    const planted = attacker.token;

    const seen: unknown[] = [];
    const spy = () =>
      sessions.handle(getWith(planted), (session) => {
        seen.push(session.subject, session.get("secret"));
        return new Response();
      });
    const polls = Promise.withResolvers<void>();
    let polling = true;
    const poll = (async () => {
      for (let count = 0; polling; count++) {
        await spy();
        if (count === 5) polls.resolve();
      }
    })();
    await polls.promise;
    const login = await sessions.handle(getWith(planted), async (session) => {
      session.login("victim");
      session.set("secret", "the victim's");
      await spy();
      return new Response();
    });
    for (let count = 0; count < 5; count++) await spy();
    polling = false;
    await poll;

    assert(login.headers.getSetCookie().length === 1);
    assert(seen.length >= 20);
    assertEquals(new Set(seen), new Set([undefined]));
    // the attacker's own browser stays outside as well
    assertEquals(await attacker.visit(({ isNew }) => isNew), true);
  },
);

testOnStores(
  "R30 after logout() the session of this request is closed, and tells nobody's name",
  async ({ store }) => {
    const visitor = new Visitor(new SessionManager({ store }));
    await visitor.visit((session) => {
      session.login("ada");
      session.set("secret", "old");
    });
    await visitor.visit((session) => {
      session.logout();
      assertEquals(session.subject, undefined);
      assertEquals(session.authenticatedAt, undefined);
      for (
        const use of [
          () => session.get("secret"),
          () => session.login("bob"),
          () => session.set("secret", "new"),
        ]
      ) {
        assertThrows(use, SessionClosedError, "received a ");
      }
    });
    assertEquals(await visitor.read(), []);
    assertEquals(visitor.client.cookies, []);
  },
);

testOnStores(
  "R59 authenticatedAt tells how long ago the subject signed in, for step-up checks",
  async ({ store }) => {
    const clock = new TestClock();
    const visitor = new Visitor(
      new SessionManager({ store, clock: clock.now }),
    );
    const isFresh = () =>
      visitor.visit(({ authenticatedAt = 0 }) =>
        clock.now() - authenticatedAt < 300_000
      );
    assertEquals(
      await visitor.visit(({ authenticatedAt }) => authenticatedAt),
      undefined,
    );
    await visitor.visit((session) => session.login("ada"));
    const signedInAt = clock.now();
    assertEquals(await isFresh(), true);
    clock.advance({ days: 2 });
    await visitor.visit((session) => session.set("n", 1));
    await visitor.visit((session) => session.regenerate());
    assertEquals(await isFresh(), false);
    assertEquals(
      await visitor.visit(({ authenticatedAt }) => authenticatedAt),
      signedInAt,
    );
    await visitor.visit((session) => session.login("ada"));
    assertEquals(await isFresh(), true);
  },
);

testOnStores(
  "events tell a login, what it replaced, and the logout",
  async ({ store }) => {
    const events: SessionEvent[] = [];
    const visitor = new Visitor(
      new SessionManager({ store, onEvent: (event) => events.push(event) }),
    );
    const old = await visitor.visit((session) => {
      session.set("n", 1);
      return session.id;
    });
    const id = await visitor.visit((session) => {
      session.login("ada");
      return session.id;
    });
    await visitor.visit((session) => session.logout());
    assertEquals(
      events.map((event) => [
        event.type,
        event.id,
        "reason" in event ? event.reason : undefined,
      ]),
      [
        ["created", old, undefined],
        ["ended", old, "rotated"],
        ["login", id, undefined],
        ["ended", id, "logout"],
      ],
    );
    assert(!Deno.inspect(events).includes("ada"));
  },
);
