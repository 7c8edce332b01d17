/**
 * Ids that were replaced again and again within one grace.
 */

import { assertEquals } from "@std/assert";
import { MemoryStore, SessionManager } from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { tokenOf } from "./_helpers.ts";
import { read, start, testRaces, use } from "./_races.ts";

Deno.test("a token leads on over 64 replaced ids, and no further", async () => {
  const sessions = new SessionManager({ store: new MemoryStore() });
  const tokens = [await start(sessions)];
  for (let n = 0; n < 65; n++) {
    const response = await use(sessions, tokens[n] ?? "", (session) => {
      session.regenerate();
    });
    tokens.push(tokenOf(response));
  }
  const [first = "", second = ""] = tokens;
  assertEquals(await read(sessions, second), { here: 1 });
  assertEquals(await read(sessions, first), undefined);
});

Deno.test("an id that is named leads on over 1,000 replaced ids, and no further", async () => {
  const store = new MemoryStore();
  const clock = new TestClock();
  const sessions = new SessionManager({ store, clock: clock.now });
  const token = await start(sessions);
  const id = token.slice(0, 26);
  const expireIn = 10_000;
  const forwardTo = (forward: string) => ({
    v: 1,
    forward,
    secretHash: "",
    sealed: "",
    expiresAt: clock.now() + expireIn,
  });
  const put = Array.from({ length: 1_001 }, (_, n) => ({
    id: `${n}`,
    record: forwardTo(n === 0 ? id : `${n - 1}`),
    expireIn,
  }));
  await store.commit({ check: [], put, delete: [] });
  assertEquals((await sessions.get("999"))?.id, id);
  assertEquals(await sessions.get("1000"), undefined);
});

testRaces(
  "a replaced id leads to its session for the whole grace, though the idle timeout is shorter",
  async (race) => {
    const clock = new TestClock();
    const manager = race.manager({
      clock: clock.now,
      idleTimeout: { seconds: 5 },
    });
    const old = await start(manager, (session) => session.set("n", 1));
    const current = tokenOf(
      await use(manager, old, (session) => session.regenerate()),
    );
    for (let seconds = 3; seconds <= 9; seconds += 3) {
      clock.advance({ seconds: 3 });
      assertEquals(await read(manager, current), { n: 1 });
      assertEquals(await read(manager, old), { n: 1 });
    }
    const response = await use(manager, old, (session) => session.logout());
    assertEquals(tokenOf(response), "");
    assertEquals(await read(manager, current), undefined);
  },
);
