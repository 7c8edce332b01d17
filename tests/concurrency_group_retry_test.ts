/**
 * Requests that are committed together, and of which some were tried before.
 */

import { assertEquals, assertRejects } from "@std/assert";
import {
  type Session,
  SessionManager,
  SessionStoreError,
} from "@tessera/session";
import { tokenOf } from "./_helpers.ts";
import { settled } from "./_live.ts";
import { read, start, suspend, use } from "./_races.ts";
import { appliesAndFails, fails, type Fault, SpyStore } from "./_spy_store.ts";

const increment = (session: Session) =>
  session.update<number>("n", (n = 0) => n + 1);

/** Holds the next commit back: what comes meanwhile is committed together after it. */
function hold(store: SpyStore, then?: Fault): { release: () => void } {
  const gate = Promise.withResolvers<void>();
  store.onCommit = async (call) => {
    store.onCommit = then;
    await gate.promise;
    return await call();
  };
  return { release: gate.resolve };
}

Deno.test("a request that fails at a second try is not committed by the third", async () => {
  const store = new SpyStore();
  const sessions = new SessionManager({ store });
  const other = new SessionManager({ store });
  const token = await start(sessions);
  let runs = 0;
  const [first, failing, good] = await Promise.all([
    suspend(sessions, token, increment),
    suspend(sessions, token, (session) => {
      session.update<number>("n", (n = 0) => {
        if (++runs === 2) throw new Error("not twice");
        return n + 100;
      });
    }),
    suspend(sessions, token, increment),
  ]);
  // another process comes before the two, so that they are tried again
  const { release } = hold(store, async (call) => {
    store.onCommit = undefined;
    await use(other, token, increment);
    return await call();
  });
  const responses = [first.resume()];
  await settled();
  const failed = assertRejects(() => failing.resume(), Error, "not twice");
  responses.push(good.resume());
  await settled();
  release();
  await Promise.all([...responses, failed]);
  assertEquals(await read(sessions, token), { here: 1, n: 3 });
});

Deno.test("a commit that took place unnoticed counts once, and leaves those alone that it is tried again with", async () => {
  const store = new SpyStore();
  const sessions = new SessionManager({ store });
  const token = await start(sessions);
  await use(sessions, token, async (session) => {
    increment(session);
    store.onCommit = async (call) => {
      store.onCommit = undefined;
      store.onGet = fails; // nor can it be looked up
      return await appliesAndFails(call);
    };
    await assertRejects(() => session.commit(), SessionStoreError);
    store.onGet = undefined;
    const [first, second] = await Promise.all([
      suspend(sessions, token, increment),
      suspend(sessions, token, increment),
    ]);
    const { release } = hold(store);
    const responses = [first.resume()];
    await settled();
    const again = session.commit();
    responses.push(second.resume());
    await settled();
    release();
    await Promise.all([...responses, again]);
  });
  assertEquals(await read(sessions, token), { here: 1, n: 3 });
});

Deno.test("a request that is committed together with an edit is handed its token", async () => {
  const store = new SpyStore();
  const sessions = new SessionManager({ store });
  const replaced = await start(sessions);
  const token = tokenOf(
    await use(sessions, replaced, (session) => session.regenerate()),
  );
  const first = await suspend(sessions, token, (one) => one.set("a", 1));
  const late = await suspend(sessions, replaced, (one) => one.set("b", 1));
  const { release } = hold(store);
  const responses = [first.resume()];
  await settled();
  const edit = sessions.edit(token.slice(0, 26), (one) => one.set("c", 1));
  await settled();
  responses.push(late.resume());
  await settled();
  release();
  const [, response] = await Promise.all(responses);
  await edit;
  assertEquals(response && tokenOf(response), token);
  assertEquals(await read(sessions, token), { here: 1, a: 1, b: 1, c: 1 });
});
