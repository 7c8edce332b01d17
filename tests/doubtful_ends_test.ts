/**
 * Sessions that are gone when the store fails to end them: it may have ended them unnoticed,
 * or somebody else may have moved them away.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type Session,
  SessionManager,
  type SessionOptions,
  SessionStoreError,
} from "@tessera/session";
import { call, Events } from "./_helpers.ts";
import { appliesAndFails, fails, SpyStore } from "./_spy_store.ts";

/** Two managers of one store, as in two processes, and an anonymous session. */
async function setUp(options: SessionOptions = {}) {
  const store = new SpyStore();
  const events = new Events();
  const make = () =>
    new SessionManager({
      store,
      onEvent: events.push,
      ...options,
    });
  const [one, other] = [make(), make()];
  const { token = "" } = await call(one, undefined, (session) => {
    session.set("cart", ["apples"]);
  });
  const [id = ""] = token.split(".");
  events.take();
  return { store, events, one, other, token, id };
}

/** Lets the next commit fail, before it has any effect. */
function refuseOnce(store: SpyStore): void {
  store.onCommit = <T>() => {
    store.onCommit = undefined;
    return fails<T>();
  };
}

/** How a session can move away from its id meanwhile. */
const MOVES: Record<string, (session: Session) => void> = {
  login: (session) => session.login("ada"),
  regenerate: (session) => session.regenerate(),
};

for (const [move, run] of Object.entries(MOVES)) {
  for (const elsewhere of [false, true]) {
    const where = elsewhere ? "another process" : "this process";

    Deno.test(`a logout that the store refused is not reported as done after a ${move} in ${where}`, async () => {
      const { store, events, one, other, token } = await setUp({
        rotationGrace: 0, // of the old id no trace is left
      });
      let newer: string | undefined;
      await assertRejects(
        () =>
          call(one, token, async (session) => {
            ({ token: newer } = await call(
              elsewhere ? other : one,
              token,
              run,
            ));
            refuseOnce(store);
            session.logout();
          }),
        SessionStoreError,
      );
      assertEquals(events.take().includes("ended logout"), false);
      let cart: unknown;
      await call(one, newer, (session) => cart = session.get("cart"));
      assertEquals(cart, ["apples"]);
    });
  }

  Deno.test(`a revocation that the store refused is not reported as done after a ${move} in another process`, async () => {
    const { store, events, one, other, token, id } = await setUp({
      rotationGrace: 0,
    });
    store.onCommit = async () => {
      store.onCommit = undefined;
      await call(other, token, run);
      return fails();
    };
    await assertRejects(() => one.revoke(id), SessionStoreError);
    assertEquals(events.take().includes("ended revoked"), false);
  });
}

Deno.test("a logout that is tried again is not reported as done after a login in another process", async () => {
  const { store, events, one, other, token } = await setUp();
  const { cookie } = await call(one, token, async (session) => {
    session.logout();
    store.onCommit = store.onGet = fails;
    await assertRejects(() => session.commit(), SessionStoreError);
    store.onCommit = store.onGet = undefined;
    await call(other, token, (session) => session.login("ada"));
    events.take();
    await session.commit();
  });
  assertEquals(cookie, undefined);
  assertEquals(events.take().includes("ended logout"), false);
});

Deno.test("a revocation that the store refused is not reported as done while a login is on its way", async () => {
  const { store, events, one, token, id } = await setUp();
  const applied = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<void>();
  const revoking = Promise.withResolvers<void>();
  store.onCommit = async (call) => {
    if (store.commits.at(-1)?.put.length === 0) {
      revoking.resolve();
      await applied.promise;
      return fails();
    }
    await revoking.promise;
    const result = await call();
    applied.resolve();
    await answered.promise;
    return result;
  };
  let signal: AbortSignal | undefined;
  const login = call(one, token, (session) => {
    signal = session.signal;
    session.login("ada");
  });
  await assertRejects(() => one.revoke(id), SessionStoreError);
  answered.resolve();
  const { token: newer } = await login;
  assertEquals(signal?.aborted, false);
  assertEquals(events.take().includes("ended revoked"), false);
  store.onCommit = undefined;
  let subject: string | undefined;
  await call(one, newer, (session) => subject = session.subject);
  assertEquals(subject, "ada");
});

Deno.test("a logout that took place unnoticed is reported as done", async () => {
  const { store, events, one, token } = await setUp();
  store.onCommit = appliesAndFails;
  const { cookie } = await call(one, token, (session) => session.logout());
  assert(cookie?.includes("Max-Age=0"));
  assertEquals(events.take().includes("ended logout"), true);
});

Deno.test("a logout that the store refused is not reported as done, however far the session went on", async () => {
  const { store, events, one, other, token } = await setUp();
  await assertRejects(
    () =>
      call(one, token, async (session) => {
        let newer: string | undefined = token;
        for (let logins = 0; logins < 2; logins++) {
          ({ token: newer } = await call(
            other,
            newer,
            (session) => session.login("ada"),
          ));
          for (let writes = 0; writes < 6; writes++) {
            await call(other, newer, (session) => session.set("n", writes));
          }
        }
        refuseOnce(store);
        session.logout();
      }),
    SessionStoreError,
  );
  assertEquals(events.take().includes("ended logout"), false);
});

Deno.test("a slow logout that the store refused is not reported as done after a login long before", async () => {
  let now = Date.now();
  const { store, one, other, token } = await setUp({ clock: () => now });
  await assertRejects(
    () =>
      call(one, token, async (session) => {
        await call(other, token, (session) => session.login("ada"));
        now += 200_000;
        refuseOnce(store);
        session.logout();
      }),
    SessionStoreError,
  );
});

Deno.test("logouts that took place unnoticed look with one list where the sessions went, and not for long", async () => {
  const { store, one } = await setUp({ storeTimeout: 50 });
  const tokens: (string | undefined)[] = [];
  for (let n = 0; n < 20; n++) {
    const { token } = await call(
      one,
      undefined,
      (session) => session.set("n", n),
    );
    tokens.push(token);
  }
  store.reset();
  store.onCommit = appliesAndFails;
  const answers = await Promise.all(
    tokens.slice(0, 10).map((token) =>
      call(one, token, (session) => session.logout())
    ),
  );
  for (const { cookie } of answers) assert(cookie?.includes("Max-Age=0"));
  assert(store.calls.list <= 2, `${store.calls.list} lists`);
  store.onList = async (call) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return await call();
  };
  const start = performance.now();
  await assertRejects(
    () => call(one, tokens[10], (session) => session.logout()),
    SessionStoreError,
  );
  assert(performance.now() - start < 1_000);
});

for (const answered of [false, true]) {
  Deno.test(
    `of two revocations at a time one is reported as done, if the store refused the other ${
      answered ? "after" : "before"
    } its answer`,
    async () => {
      const { store, events, one, id } = await setUp();
      const applied = Promise.withResolvers<void>();
      const refused = Promise.withResolvers<void>();
      let commits = 0;
      store.onCommit = async (call) => {
        if (++commits > 1) {
          await (answered ? first : applied.promise);
          return fails();
        }
        const result = await call();
        applied.resolve();
        if (!answered) await refused.promise;
        return result;
      };
      const first = one.revoke(id);
      const second = one.revoke(id);
      await assertRejects(() => second, SessionStoreError);
      refused.resolve();
      assertEquals(await first, true);
      const ends = events.take().filter((event) => event.startsWith("ended"));
      assertEquals(ends, ["ended revoked"]);
    },
  );
}
