import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { SessionManager } from "@tessera/session";
import { SpyStore, testOnSpyStores } from "./_spy_store.ts";
import { DAY, HOUR, isAlive, MINUTE, setUp, tokenOf } from "./_clocked_app.ts";

testOnSpyStores(
  "R18 the idle timeout ends a session to the millisecond, though the store still holds it",
  async (store) => {
    const idleTimeout = 10 * MINUTE;
    for (const [wait, alive] of [[-1, true], [0, false]] as const) {
      const { clock, events, client, handler, use } = setUp({
        store,
        idleTimeout,
      });
      await use("/start");
      const token = tokenOf(client);
      const [id = ""] = token.split(".");
      clock.advance(idleTimeout + wait);
      assert(await store.get(id) !== undefined);
      assertEquals(await isAlive(handler, token), alive);
      assertEquals(
        events.filter(({ type }) => type === "refused" || type === "ended")
          .map((event) => "reason" in event && event.reason),
        alive ? [] : ["idle-timeout", "idle-timeout"],
      );
    }
  },
);

Deno.test("R18 a session ends at its idle timeout after the last use, at most a tenth earlier, however it is used", async () => {
  const idleTimeout = 100 * HOUR;
  const paths = ["/read", "/untouched", "/write", "/flash", "/regenerate"];
  const step = fc.record({
    path: fc.constantFrom(...paths),
    gap: fc.oneof(
      fc.integer({ min: 0, max: 90 * HOUR }),
      fc.integer({ min: 0, max: 20 * HOUR }),
      fc.integer({ min: 0, max: 2 * HOUR }),
    ),
  });
  const last = fc.oneof(
    fc.integer({ min: 0, max: 110 * HOUR }),
    fc.constantFrom(90 * HOUR, 100 * HOUR - 1, 100 * HOUR),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 25 }),
      last,
      async (steps, rest) => {
        const { clock, sessions, client, handler, use } = setUp({
          idleTimeout,
          absoluteTimeout: { days: 10_000 },
        });
        await use("/start");
        for (const { path, gap } of steps) {
          clock.advance(gap);
          assert(
            await use(path),
            `lost ${gap} ms after a use, before ${path}`,
          );
          const [id = ""] = tokenOf(client).split(".");
          const left = (await sessions.get(id))?.expiresAt ?? 0;
          assert(left <= clock.now() + idleTimeout, "later than the timeout");
          assert(left > clock.now() + 0.9 * idleTimeout, "over a tenth early");
        }
        const token = tokenOf(client);
        clock.advance(rest);
        const alive = await isAlive(handler, token);
        if (rest <= 90 * HOUR) assert(alive, "ended too early");
        if (rest >= 100 * HOUR) assert(!alive, "ended too late");
      },
    ),
    { seed: 1, numRuns: 150 },
  );
});

Deno.test("R18 an edit outside of a request is no use of the session", async () => {
  const { clock, sessions, client, handler, use } = setUp({
    idleTimeout: HOUR,
  });
  await use("/start");
  const token = tokenOf(client);
  const [id = ""] = token.split(".");
  clock.advance(HOUR - 1);
  assertEquals(await sessions.edit(id, (s) => s.set("n", 1)), undefined);
  assertEquals((await sessions.get(id))?.expiresAt, clock.now() + 1);
  clock.advance(1);
  assertEquals(await isAlive(handler, token), false);
});

Deno.test("R18 the browser keeps the cookie as long as the session is in use, whatever it is used for", async () => {
  const idleTimeout = 7 * DAY;
  for (const path of ["/read", "/untouched", "/write", "/flash"]) {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 6 * DAY }), {
          minLength: 5,
          maxLength: 60,
        }),
        async (gaps) => {
          const { clock, client, use } = setUp({
            idleTimeout,
            absoluteTimeout: 365 * DAY,
          });
          await use("/start");
          for (const gap of gaps) {
            clock.advance(gap);
            if (clock.now() >= 1_700_000_000_000 + 365 * DAY) break;
            assert(client.cookie("__Host-session") !== undefined, "lapsed");
            assert(await use(path), "lost");
          }
        },
      ),
      { seed: 1, numRuns: 25 },
    );
  }
});

Deno.test("R18 writes every minute, all within the throttle, still put off the end and refresh the cookie", async () => {
  const { clock, client, use } = setUp({ idleTimeout: HOUR });
  await use("/start");
  let refreshed = 0;
  for (let minute = 1; minute <= 180; minute++) {
    clock.advance(MINUTE);
    const before = client.cookie("__Host-session")?.expiresAt;
    assert(await use("/write"), `lost after ${minute} minutes`);
    const after = client.cookie("__Host-session")?.expiresAt;
    assert(after !== undefined);
    if (after !== before) refreshed++;
  }
  // every tenth of an hour is every sixth minute
  assertEquals(refreshed, 30);
});

testOnSpyStores(
  "R19 the absolute timeout is put off by neither activity nor a new id",
  async (store) => {
    const { clock, events, client, handler, use } = setUp({
      store,
      idleTimeout: 2 * DAY,
      absoluteTimeout: 10 * DAY,
    });
    const created = clock.now();
    await use("/start");
    for (let day = 1; day < 10; day++) {
      clock.set(created + day * DAY);
      assert(await use(day % 2 === 0 ? "/write" : "/regenerate"), `day ${day}`);
    }
    const token = tokenOf(client);
    clock.set(created + 10 * DAY - 1);
    assert(await isAlive(handler, token));
    clock.set(created + 10 * DAY);
    events.length = 0;
    assertEquals(await isAlive(handler, token), false);
    assertEquals(
      events.map((event) => "reason" in event && event.reason),
      ["absolute-timeout", "absolute-timeout"],
    );
  },
);

testOnSpyStores(
  "R19 a login restarts the absolute timeout, and nothing else does",
  async (store) => {
    const { clock, sessions, client, handler, use } = setUp({
      store,
      idleTimeout: 8 * DAY,
      absoluteTimeout: 10 * DAY,
    });
    const created = clock.now();
    await use("/start");
    clock.set(created + 6 * DAY);
    assert(await use("/login"));
    clock.set(created + 13 * DAY);
    assert(await use("/write"));
    const token = tokenOf(client);
    const [id = ""] = token.split(".");
    const info = await sessions.get(id);
    assertEquals(info?.createdAt, created);
    assertEquals(info?.authenticatedAt, created + 6 * DAY);
    assertEquals(info?.expiresAt, created + 16 * DAY);
    clock.set(created + 16 * DAY - 1);
    assert(await isAlive(handler, token));
    clock.set(created + 16 * DAY);
    assertEquals(await isAlive(handler, token), false);
  },
);

testOnSpyStores(
  "R20 a token replayed after logout or expiry is anonymous, also when the clock goes back",
  async (store) => {
    const { clock, sessions, client, handler, use } = setUp({
      store,
      idleTimeout: HOUR,
    });
    await use("/start");
    const loggedOut = tokenOf(client);
    await sessions.handle(
      new Request("https://example.com/", {
        headers: { cookie: `__Host-session=${loggedOut}` },
      }),
      (session) => {
        session.logout();
        return new Response();
      },
    );
    assertEquals(await isAlive(handler, loggedOut), false);
    assertEquals(await isAlive(handler, loggedOut, "/write"), false);

    client.clear();
    await use("/start");
    const expired = tokenOf(client);
    clock.advance(HOUR);
    assertEquals(await isAlive(handler, expired, "/write"), false);
    clock.advance(-30 * MINUTE);
    assertEquals(await isAlive(handler, expired), false);
  },
);

Deno.test("R18 a request under way keeps its session alive if it counts as a use, and for one idle timeout", async () => {
  const idleTimeout = 100 * MINUTE;
  // used while a touch was due, or while it was not; and when it commits
  const stories: [used: number, committed: number, saved: boolean][] = [
    [99 * MINUTE, 101 * MINUTE, true],
    [99 * MINUTE, 199 * MINUTE - 1, true],
    [99 * MINUTE, 199 * MINUTE, false],
    [10 * MINUTE, 100 * MINUTE, true],
    [10 * MINUTE - 1, 100 * MINUTE - 1, true],
    [10 * MINUTE - 1, 100 * MINUTE, false],
  ];
  for (const [used, committed, saved] of stories) {
    const { clock, sessions, client, use } = setUp({ idleTimeout });
    const start = clock.now();
    await use("/start");
    const [id = ""] = tokenOf(client).split(".");
    const headers = { cookie: `__Host-session=${tokenOf(client)}` };
    clock.set(start + used);
    const request = new Request("https://example.com/", { headers });
    await sessions.handle(request, (session) => {
      clock.set(start + committed);
      session.set("n", 1);
      return new Response();
    });
    const story = `used after ${used}, committed after ${committed}`;
    const n = await sessions.edit(id, (session) => session.get("n"));
    assertEquals(n, saved ? 1 : undefined, story);
    if (!saved) assertEquals(await sessions.get(id), undefined, story);
  }
});

Deno.test("R19 a shorter absolute timeout holds for the sessions from before it too", async () => {
  const store = new SpyStore();
  const { clock, client, handler, serve, use } = setUp({ store });
  const start = clock.now();
  await use("/start");
  const token = tokenOf(client);
  const shorter = serve(
    new SessionManager({
      store,
      clock: clock.now,
      idleTimeout: 7 * DAY,
      absoluteTimeout: 10 * DAY,
    }),
  );
  clock.set(start + HOUR);
  assert(await isAlive(shorter, token));
  for (const day of [3, 6, 9]) {
    clock.set(start + day * DAY);
    assert(await isAlive(shorter, token));
  }
  clock.set(start + HOUR + 10 * DAY);
  assertEquals(await isAlive(shorter, token), false);
  assertEquals(await isAlive(handler, token), false);
});

Deno.test("R22 a session of a clock that goes ahead is shown to end at most the absolute timeout from now", async () => {
  const store = new SpyStore();
  const lifetimes = { idleTimeout: 3 * DAY, absoluteTimeout: 3 * DAY };
  const ahead = setUp({ store, ...lifetimes });
  ahead.clock.advance(DAY);
  await ahead.use("/start");
  const cookie = `__Host-session=${tokenOf(ahead.client)}`;
  const { clock, sessions } = setUp({ store, ...lifetimes });
  const end = clock.now() + 3 * DAY;
  const [listed] = await Array.fromAsync(sessions.list());
  assertEquals(listed?.expiresAt, end);
  assertEquals((await sessions.get(listed?.id ?? ""))?.expiresAt, end);
  const request = new Request("https://example.com/", { headers: { cookie } });
  await sessions.handle(request, (session) => {
    assertEquals(session.expiresAt, end);
    return new Response();
  });
});
