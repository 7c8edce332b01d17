/**
 * Requests that change one session while its store does not answer: they wait for it together,
 * not one after the other.
 */

import { assert, assertEquals } from "@std/assert";
import {
  type Session,
  SessionManager,
  SessionStoreError,
} from "@tessera/session";
import { get, getWith, tokenOf } from "./_helpers.ts";
import { fails, hangs, SpyStore } from "./_spy_store.ts";

const LIMIT_MS = 40;
const REQUESTS = 12;

const USES: Record<string, (session: Session) => void> = {
  set: (session) => session.set("n", 2),
  login: (session) => session.login("ada"),
  regenerate: (session) => session.regenerate(),
  logout: (session) => session.logout(),
};

/** Loads one session in many requests, and lets them all change it at the same time. */
async function race(store: SpyStore, use: (session: Session) => void) {
  const sessions = new SessionManager({ store, storeTimeout: LIMIT_MS });
  const first = await sessions.handle(get(), (session) => {
    session.set("n", 1);
    return new Response();
  });
  let loaded = 0;
  const { promise: all, resolve } = Promise.withResolvers<void>();
  return await Promise.allSettled(
    Array.from(
      { length: REQUESTS },
      () =>
        sessions.handle(getWith(tokenOf(first)), async (session) => {
          if (++loaded === REQUESTS) resolve();
          await all;
          use(session);
          return new Response();
        }),
    ),
  );
}

for (const [what, use] of Object.entries(USES)) {
  Deno.test(`${REQUESTS} requests at a time fail together with a store that hangs: ${what}`, async () => {
    const store = new SpyStore();
    store.onCommit = async (call) => {
      store.onCommit = hangs;
      return await call();
    };
    const start = performance.now();
    const results = await race(store, use);
    const waited = performance.now() - start;
    for (const result of results) {
      assert(result.status === "rejected");
      assert(result.reason instanceof SessionStoreError);
    }
    assert(waited < LIMIT_MS * (REQUESTS / 2), `${waited} ms`);
  });
}

Deno.test("requests that wait for one that fails have their own outcome, however long they waited", async () => {
  const store = new SpyStore();
  let commits = 0;
  store.onCommit = async (call) => {
    commits++;
    if (commits === 1) return await call();
    await new Promise((resolve) => setTimeout(resolve, LIMIT_MS * 0.6));
    return commits === 3 ? await fails() : await call();
  };
  const results = await race(store, (session) => session.login("ada"));
  assertEquals(
    results.filter(({ status }) => status === "rejected").length,
    1,
  );
});
