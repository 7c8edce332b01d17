/**
 * Sessions that have expired for one request, and are being used by another.
 */

import { assertEquals } from "@std/assert";
import { SessionManager } from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { read, start, suspend, type Suspended } from "./_races.ts";
import { type SpyStore, testOnSpyStores } from "./_spy_store.ts";

const IDLE_MS = 60_000;

/** A session that has expired, unless the request that began in time ends in time too. */
async function aboutToExpire(store: SpyStore) {
  const clock = new TestClock();
  const options = { store, clock: clock.now, idleTimeout: IDLE_MS };
  const [here, there] = [
    new SessionManager(options),
    new SessionManager(options),
  ];
  const token = await start(here);
  clock.advance(IDLE_MS - 10_000);
  const inTime = await suspend(there, token, (session) => {
    session.set("n", 1);
  });
  clock.advance(20_000);
  return { here, token, inTime };
}

/** Lets a request write just before the next commit, which is a removal. */
function overtake(store: SpyStore, { resume }: Suspended): void {
  store.onCommit = async (call) => {
    store.onCommit = undefined;
    await resume();
    return await call();
  };
}

testOnSpyStores(
  "a session that is written in time lives on, though another request finds it expired",
  async (store) => {
    const { here, token, inTime } = await aboutToExpire(store);
    overtake(store, inTime);
    for (let count = 0; count < 2; count++) {
      assertEquals(await read(here, token), { here: 1, n: 1 });
    }
  },
);
