/**
 * Responses that leave long after their session was committed: the client may have a newer
 * token by then.
 */

import { assert, assertEquals } from "@std/assert";
import {
  type Session,
  SessionManager,
  type SessionStore,
  SessionStoreError,
} from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { ControllableStore } from "./_controllable_store.ts";
import { call, testOnStores } from "./_helpers.ts";
import { fails, testOnSpyStores } from "./_spy_store.ts";

/** Two managers of one store, as in two processes, and a session that somebody is signed in to. */
async function setUp(store: SessionStore) {
  const clock = new TestClock();
  const one = new SessionManager({ store, clock: clock.now });
  const other = new SessionManager({ store, clock: clock.now });
  const { token } = await call(one, undefined, (session) => {
    session.login("ada");
  });
  assert(token !== undefined);
  return { clock, one, other, token };
}

/** What is committed early, such that the client has to be told. */
const EARLY: Record<string, (session: Session, clock: TestClock) => void> = {
  touch: (_session, clock) => clock.advance({ days: 2 }),
  regenerate: (session) => session.regenerate(),
  persist: (session) => session.persist(false),
};

for (const [early, begin] of Object.entries(EARLY)) {
  for (const elsewhere of [false, true]) {
    const where = elsewhere ? "another process" : "this process";
    const name = `an early commit (${early}), and in ${where}`;

    testOnStores(
      `${name} a login: the late response keeps its dead token to itself`,
      async ({ store }) => {
        const { clock, one, other, token } = await setUp(store);
        if (early === "touch") begin({} as Session, clock);
        let newer: string | undefined;
        const late = await call(one, token, async (session) => {
          if (early !== "touch") begin(session, clock);
          await session.commit();
          const login = await call(
            elsewhere ? other : one,
            token,
            (session) => session.login("grace"),
          );
          newer = login.token;
        });
        assert(newer !== undefined);
        assertEquals(late.token, undefined);
        let subject: string | undefined;
        await call(one, newer, (session) => subject = session.subject);
        assertEquals(subject, "grace");
      },
    );

    testOnStores(
      `${name} a revocation: the late response sends no token`,
      async ({ store }) => {
        const { clock, one, other, token } = await setUp(store);
        if (early === "touch") begin({} as Session, clock);
        const late = await call(one, token, async (session) => {
          if (early !== "touch") begin(session, clock);
          await session.commit();
          assert(await (elsewhere ? other : one).revoke(session.id));
        });
        assertEquals(late.token, undefined);
      },
    );

    testOnStores(
      `${name} a regenerate: the late response sends the token in force`,
      async ({ store }) => {
        const { clock, one, other, token } = await setUp(store);
        if (early === "touch") begin({} as Session, clock);
        let mine: string | undefined;
        let newer: string | undefined;
        const late = await call(one, token, async (session) => {
          if (early !== "touch") begin(session, clock);
          await session.commit();
          mine = session.id;
          // by the token of an id that this very request has replaced, it would join it
          if (early === "regenerate") return;
          const next = await call(
            elsewhere ? other : one,
            token,
            (session) => session.regenerate(),
          );
          newer = next.token;
        });
        assertEquals(late.token?.slice(0, 26), (newer ?? mine)?.slice(0, 26));
        let subject: string | undefined;
        await call(one, late.token, (session) => subject = session.subject);
        assertEquals(subject, "ada");
      },
    );
  }
}

for (const rotationGrace of [0, 10_000]) {
  testOnStores(
    `an early commit, and two regenerates and the grace of ${rotationGrace} ms after it: the late response keeps its dead token to itself`,
    async ({ store }) => {
      const { clock, token } = await setUp(store);
      const options = { store, clock: clock.now, rotationGrace };
      const [one, other] = [
        new SessionManager(options),
        new SessionManager(options),
      ];
      let newer: string | undefined;
      const late = await call(one, token, async (session) => {
        session.persist(false);
        await session.commit();
        ({ token: newer } = await call(other, token, (s) => s.regenerate()));
        ({ token: newer } = await call(other, newer, (s) => s.regenerate()));
        clock.advance(rotationGrace + 1);
      });
      assertEquals(late.token, undefined);
      let subject: string | undefined;
      await call(one, newer, (session) => subject = session.subject);
      assertEquals(subject, "ada");
    },
  );
}

testOnStores(
  "the late response to an early commit tells what is in force by then: how long to keep the cookie",
  async ({ store }) => {
    const { clock, one, other, token } = await setUp(store);
    clock.advance({ days: 2 });
    const browserSession = await call(one, token, async (session) => {
      await session.commit(); // a touch
      await call(other, token, (session) => session.persist(false));
    });
    const [line = ""] = browserSession.response.headers.getSetCookie();
    assert(line !== "" && !line.includes("Max-Age"), line);
    const { response } = await call(one, token, async (session) => {
      session.persist(true);
      await session.commit();
      clock.advance({ days: 3 });
    });
    const [later = ""] = response.headers.getSetCookie();
    assert(later.includes(`Max-Age=${4 * 86_400};`), later);
  },
);

Deno.test("a late answer of onError sends the token in force, or none", async () => {
  for (
    const [elsewhere, tells, waits] of [
      ["nothing", true, true],
      ["nothing", true, false],
      ["a login", false, true],
    ]
  ) {
    const sessions = new SessionManager({
      store: new ControllableStore({
        pause: () => new Promise((resolve) => setTimeout(resolve, 1)),
      }),
      onError: () => new Response("back soon", { status: 503 }),
    });
    const { token } = await call(sessions, undefined, (session) => {
      session.login("ada");
    });
    const late = await call(sessions, token, async (session) => {
      session.regenerate();
      const committed = session.commit();
      if (waits) await committed;
      if (elsewhere === "a login") {
        await call(sessions, token, (session) => session.login("grace"));
      }
      throw new SessionStoreError("from elsewhere");
    });
    assertEquals(late.response.status, 503);
    assertEquals(late.token !== undefined, tells, `${elsewhere} meanwhile`);
  }
});

testOnStores(
  "a commit that is not early, or has nothing to tell, is not looked at again",
  async ({ store }) => {
    const { one, token } = await setUp(store);
    await call(one, token, (session) => session.regenerate());
    assertEquals(store.take().gets, 1);
    await call(one, token, (session) => session.set("n", 1));
    store.take();
    const { token: current } = await call(one, token, () => {});
    store.take();
    await call(one, current, async (session) => {
      session.set("n", 2);
      await session.commit();
    });
    assertEquals(store.take().gets, 1);
  },
);

Deno.test("a store that fails between an early commit and the response costs nobody their token", async () => {
  let fails = false;
  const store = new ControllableStore({
    pause: () => fails ? Promise.reject(new Error("away")) : Promise.resolve(),
  });
  const sessions = new SessionManager({ store });
  const { token } = await call(sessions, undefined, async (session) => {
    session.login("ada");
    await session.commit();
    fails = true;
  });
  fails = false;
  let subject: string | undefined;
  await call(sessions, token, (session) => subject = session.subject);
  assertEquals(subject, "ada");
});

/** What makes a response ask for the token in force, by the token that the request comes with. */
const ASKING: Record<
  string,
  (
    one: SessionManager,
    token: string,
    clock: TestClock,
  ) => Promise<[token: string, begin: (session: Session) => unknown]>
> = {
  "a replaced id": async (one, token) => {
    await call(one, token, (session) => session.regenerate());
    return [token, () => {}];
  },
  "an early regenerate": (_one, token) =>
    Promise.resolve([token, (session) => {
      session.regenerate();
      return session.commit();
    }]),
  "an early touch": (_one, token, clock) => {
    clock.advance({ days: 2 });
    return Promise.resolve([token, (session) => session.commit()]);
  },
};

for (const [what, prepare] of Object.entries(ASKING)) {
  for (const fault of [undefined, "fails"] as const) {
    testOnStores(
      `a response that asks for its token (${what}) while a login ends it sends none, ${
        fault === undefined ? "though it reads it" : "nor if the read fails"
      }`,
      async ({ store }) => {
        const asked = Promise.withResolvers<void>();
        const signedIn = Promise.withResolvers<void>();
        let holds = false;
        const held: SessionStore = {
          get: async (id) => {
            const found = await store.get(id);
            const isForward = found !== undefined &&
              "forward" in (found.record as object);
            if (!holds || isForward) return found;
            holds = false;
            asked.resolve();
            await signedIn.promise;
            if (fault === "fails") throw new Error("reset");
            return found;
          },
          commit: (commit) => store.commit(commit),
          list: (options) => store.list(options),
        };
        const { clock, one, token } = await setUp(held);
        const [brought, begin] = await prepare(one, token, clock);
        const late = call(one, brought, async (session) => {
          void session.isNew;
          await begin(session);
          holds = true;
        });
        const answer = late.catch(() => ({ token: undefined }));
        await asked.promise;
        const login = await call(
          one,
          token,
          (session) => session.login("grace"),
        );
        signedIn.resolve();
        assert(login.token !== undefined);
        assertEquals((await answer).token, undefined);
      },
    );
  }
}

testOnSpyStores(
  "a regenerate that was evicted while its answer was on the way sends no token",
  async (store) => {
    const clock = new TestClock();
    const sessions = new SessionManager({
      store,
      clock: clock.now,
      maxSessionsPerSubject: 1,
    });
    const signIn = () =>
      call(sessions, undefined, (session) => session.login("ada"));
    const { token } = await signIn();
    clock.advance(1);
    store.onCommit = async (commit) => {
      store.onCommit = undefined;
      const result = await commit();
      await signIn();
      return result;
    };
    const late = await call(
      sessions,
      token,
      (session) => session.regenerate(),
    );
    assertEquals(late.token, undefined);
    assertEquals((await Array.fromAsync(sessions.list())).length, 1);
  },
);

testOnSpyStores(
  "a response that cannot ask for its token does not prolong one that another process may have replaced",
  async (store) => {
    const { clock, one, other, token } = await setUp(store);
    clock.advance({ days: 2 });
    const late = await call(one, token, async (session) => {
      await session.commit();
      await call(other, token, (session) => session.login("grace"));
      store.onGet = fails;
    });
    assertEquals(late.token, undefined);
  },
);
