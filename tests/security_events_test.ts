/**
 * Every step in the life of a session is told, with its reason.
 */

import { assertEquals, assertRejects } from "@std/assert";
import {
  MemoryStore,
  type Session,
  type SessionEvent,
  SessionManager,
  type SessionOptions,
  type SessionStore,
  type StandardSchema,
} from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { Events, get, getWith, testOnStores, tokenOf } from "./_helpers.ts";

function remember(session: Session): Response {
  session.set("seen", true);
  return new Response(session.id);
}

function logout(session: Session): Response {
  session.logout();
  return new Response();
}

function regenerate(session: Session): Response {
  session.regenerate();
  return new Response(session.id);
}

function login(subject: string): (session: Session) => Response {
  return (session) => {
    session.login(subject);
    return new Response(session.id);
  };
}

/** A manager on a clock of its own, with what it reports. */
function setUp(store: SessionStore, options: SessionOptions = {}) {
  const clock = new TestClock();
  const events = new Events();
  const sessions = new SessionManager({
    store,
    clock: clock.now,
    onEvent: events.push,
    ...options,
  });
  return { clock, events, sessions };
}

testOnStores(
  "R57 a life from creation to logout is told step by step",
  async ({ store }) => {
    const { clock, events, sessions } = setUp(store);
    const at = clock.now();
    const created = await sessions.handle(get(), remember);
    const id = await created.text();
    assertEquals(events.all.splice(0), [{ type: "created", id, at }]);

    const rotated = await sessions.handle(
      getWith(tokenOf(created)),
      regenerate,
    );
    const second = tokenOf(rotated).slice(0, 26);
    assertEquals(events.all.splice(0), [
      { type: "regenerated", id: second, previousId: id, at },
    ]);

    clock.advance({ minutes: 1 });
    const signedIn = await sessions.handle(
      getWith(tokenOf(rotated)),
      login("ada"),
    );
    const third = tokenOf(signedIn).slice(0, 26);
    assertEquals(events.all.splice(0), [
      { type: "ended", id: second, reason: "rotated", at: at + 60_000 },
      { type: "login", id: third, at: at + 60_000 },
    ]);

    await sessions.handle(getWith(tokenOf(signedIn)), logout);
    assertEquals(events.all.splice(0), [
      { type: "ended", id: third, reason: "logout", at: at + 60_000 },
    ]);
  },
);

testOnStores(
  "R57 each way a token can be refused has its reason",
  async ({ store }) => {
    const { clock, events, sessions } = setUp(store, {
      idleTimeout: { days: 1 },
      absoluteTimeout: { days: 2 },
      maxSessionsPerSubject: 1,
    });
    const make = async (subject?: string) => {
      const use = subject === undefined ? remember : login(subject);
      const token = tokenOf(await sessions.handle(get(), use));
      events.take();
      return token;
    };
    const assertRefused = async (token: string, told: string[]) => {
      const response = await sessions.handle(
        getWith(token),
        (session) => Response.json(session.isNew),
      );
      assertEquals(await response.json(), true);
      const last = events.all.at(-1);
      assertEquals(last?.at, clock.now());
      assertEquals(
        last?.id,
        token.length === 70 ? token.slice(0, 26) : undefined,
      );
      assertEquals(events.take(), told);
    };

    await assertRefused("junk", ["refused malformed"]);
    const unknown = `01ARZ3NDEKTSV4RRFFQ69G5FAV.${"a".repeat(42)}A`;
    await assertRefused(unknown, ["refused unknown"]);
    const good = await make();
    await assertRefused(good.slice(0, 27) + unknown.slice(27), [
      "refused bad-secret",
    ]);

    const out = await make();
    await sessions.handle(getWith(out), logout);
    assertEquals(events.take(), ["ended logout"]);
    await assertRefused(out, ["refused logout"]);

    const revoked = await make();
    await sessions.revoke(revoked.slice(0, 26));
    assertEquals(events.take(), ["ended revoked"]);
    await assertRefused(revoked, ["refused revoked"]);

    const before = await make();
    await sessions.handle(getWith(before), login("bob"));
    assertEquals(events.take(), ["ended rotated", "login"]);
    await assertRefused(before, ["refused rotated"]);

    const oldest = await make("ada");
    clock.advance({ minutes: 1 });
    await sessions.handle(get(), login("ada"));
    assertEquals(events.take(), ["created", "login", "ended evicted"]);
    await assertRefused(oldest, ["refused evicted"]);

    const idle = await make();
    clock.advance({ days: 1 });
    await assertRefused(idle, ["ended idle-timeout", "refused idle-timeout"]);
    await assertRefused(idle, ["refused idle-timeout"]);

    const aged = await make();
    for (let round = 0; round < 3; round++) {
      clock.advance({ hours: 15 });
      await sessions.handle(getWith(aged), remember);
    }
    assertEquals(events.take(), []);
    clock.advance({ hours: 3 });
    await assertRefused(aged, [
      "ended absolute-timeout",
      "refused absolute-timeout",
    ]);
  },
);

testOnStores(
  "R57 what happened in another process is unknown",
  async ({ store }) => {
    const here = setUp(store);
    const there = setUp(store);
    const token = tokenOf(await here.sessions.handle(get(), remember));
    await there.sessions.revoke(token.slice(0, 26));
    here.events.take();
    await here.sessions.handle(
      getWith(token),
      (session) => session.isNew ? NO : OK,
    );
    assertEquals(here.events.take(), ["refused unknown"]);
  },
);

testOnStores(
  "R57 who comes by a replaced id is told how the session ended",
  async ({ store }) => {
    const { events, sessions } = setUp(store);
    const replaced = tokenOf(await sessions.handle(get(), remember));
    await sessions.handle(getWith(replaced), regenerate);
    await sessions.handle(getWith(replaced), logout);
    events.take();
    await sessions.handle(getWith(replaced), () => new Response());
    assertEquals(events.take(), ["refused logout"]);
  },
);

const [OK, NO] = [new Response("ok"), new Response("no")];

testOnStores(
  "R57 changes that come too late, and conflicts, are told",
  async ({ store }) => {
    const { events, sessions } = setUp(store);
    const other = new SessionManager({ store });
    const token = tokenOf(await sessions.handle(get(), remember));
    const id = token.slice(0, 26);
    events.take();

    await sessions.handle(getWith(token), async (session) => {
      session.set("here", 1);
      await other.edit(id, (same) => same.set("there", 2));
      return new Response();
    });
    const conflict = events.all.splice(0);
    assertEquals(conflict.map(({ type }) => type), ["conflict"]);
    assertEquals(conflict[0], {
      type: "conflict",
      id,
      attempt: 1,
      at: conflict[0]?.at ?? 0,
    });

    await sessions.handle(getWith(token), async (session) => {
      session.set("late", 1);
      await sessions.revoke(id);
      return new Response();
    });
    assertEquals(events.take(), [
      "ended revoked",
      "conflict",
      "dropped revoked",
    ]);

    const next = tokenOf(await sessions.handle(get(), remember));
    events.take();
    await sessions.handle(getWith(next), async (session) => {
      session.set("late", 1);
      await other.revoke(session.id);
      return new Response();
    });
    assertEquals(events.take(), ["conflict", "dropped unknown"]);
  },
);

testOnStores(
  "R57 data that does not fit, and a store that fails, are told",
  async ({ store }) => {
    const schema: StandardSchema<{ count: number }> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value) => {
          const { count } = value as { count?: unknown };
          return typeof count === "number"
            ? { value: { count } }
            : { issues: [{ message: "no count", path: ["count"] }] };
        },
      },
    };
    const token = tokenOf(await setUp(store).sessions.handle(get(), remember));
    const events = new Events();
    const typed = new SessionManager({ store, schema, onEvent: events.push });
    await typed.handle(getWith(token), (session) => session.isNew ? NO : OK);
    const [invalid] = events.all.splice(0);
    assertEquals(invalid, {
      type: "invalid",
      id: token.slice(0, 26),
      issues: [{ message: "no count", path: ["count"] }],
      at: invalid?.at ?? 0,
    });

    const failure = new Error("the disk is on fire");
    const broken: SessionStore = {
      get: () => Promise.reject(failure),
      commit: () => Promise.reject(failure),
      list: (options) => store.list(options),
    };
    const failing = setUp(broken);
    await assertRejects(() =>
      failing.sessions.handle(getWith(token), remember)
    );
    const [told] = failing.events.all;
    assertEquals(told, {
      type: "store-error",
      error: failure,
      at: failing.clock.now(),
    });
  },
);

Deno.test("R57 what a listener throws, or rejects with, breaks nothing", async () => {
  const listeners: ((event: SessionEvent) => unknown)[] = [
    () => {
      throw new Error("mine");
    },
    () => Promise.reject(new Error("mine")),
  ];
  for (const onEvent of listeners) {
    const sessions = new SessionManager({ store: new MemoryStore(), onEvent });
    const response = await sessions.handle(getWith("junk"), remember);
    assertEquals(response.status, 200);
    tokenOf(response);
  }
});
