import { assert, assertEquals, assertNotEquals } from "@std/assert";
import {
  KvStore,
  SessionManager,
  type SessionOptions,
  type StoreCommitResult,
} from "@tessera/session";
import { TestClient } from "@tessera/session/testing";
import { fails, SpyStore, testOnSpyStores } from "./_spy_store.ts";
import {
  DAY,
  HOUR,
  isAlive,
  MINUTE,
  setUp,
  tokenOf,
  USES,
} from "./_clocked_app.ts";

Deno.test("R21 nothing is stored without an expiry, index entries and pieces of large records included", async () => {
  using kv = await Deno.openKv(":memory:");
  const written = new Map<string, unknown>();
  const spy = new Proxy(kv, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (name !== "atomic") {
        return typeof value === "function" ? value.bind(target) : value;
      }
      return () => {
        const atomic = target.atomic();
        const { set } = atomic;
        atomic.set = (key, value, options) => {
          written.set(JSON.stringify(key), options?.expireIn);
          return set.call(atomic, key, value, options);
        };
        return atomic;
      };
    },
  });
  const { clock, client, use } = setUp({
    store: new KvStore(spy),
    idleTimeout: 6 * DAY,
    absoluteTimeout: 10 * DAY,
  });
  USES["/large"] = (session) => session.set("large", "x".repeat(300_000));
  for (
    const path of ["/start", "/login", "/large", "/flash", "/regenerate"]
  ) await use(path);
  clock.advance(5 * DAY);
  await use("/read");
  assert(client.cookie("__Host-session") !== undefined);
  const kinds = new Set<string>();
  for (const [key, expireIn] of written) {
    assert(
      Number.isSafeInteger(expireIn) && Number(expireIn) > 0 &&
        Number(expireIn) <= 6 * DAY,
      `${key} expires in ${expireIn}`,
    );
    kinds.add(JSON.parse(key)[1]);
  }
  assertEquals([...kinds].sort(), ["id", "part", "subject"]);
  assert(written.size >= 8);
});

Deno.test("R21 every record is put to expire with its session, to the millisecond", async () => {
  const store = new SpyStore();
  const { clock, use } = setUp({
    store,
    idleTimeout: 6 * DAY,
    absoluteTimeout: 10 * DAY,
  });
  const created = clock.now();
  await use("/start");
  clock.set(created + 3 * DAY);
  await use("/read");
  clock.set(created + 8 * DAY);
  await use("/write");
  assertEquals(
    store.commits.map(({ put }) => put.map(({ expireIn }) => expireIn)),
    [[6 * DAY], [6 * DAY], [2 * DAY]],
  );
});

/** Two managers on one store, whose clocks are apart. */
function setUpSkewed(ahead: number, options: SessionOptions = {}) {
  const one = setUp(options);
  const { clock, serve } = one;
  const other = new SessionManager({
    ...options,
    ...(options.store === undefined ? {} : { store: options.store }),
    clock: () => clock.now() + ahead,
  });
  return { ...one, skewed: serve(other) };
}

const LIFETIMES = [
  { idleTimeout: 7 * DAY, absoluteTimeout: 30 * DAY },
  { idleTimeout: 30 * DAY, absoluteTimeout: 30 * DAY },
];

for (const ahead of [DAY, -DAY]) {
  const skew = ahead > 0 ? "ahead" : "behind";

  testOnSpyStores(
    `R22 a clock one day ${skew} prolongs nothing past the absolute limit`,
    async (store) => {
      for (const lifetimes of LIFETIMES) {
        const { clock, handler, skewed } = setUpSkewed(ahead, {
          store,
          ...lifetimes,
        });
        const created = clock.now();
        const client = new TestClient(skewed, { clock: clock.now });
        await client.get("/start");
        const token = tokenOf(client);
        assert(await isAlive(handler, token));
        for (let day = 3; day < 29; day += 3) {
          clock.set(created + day * DAY);
          assert(await isAlive(handler, token, "/write"), `day ${day}`);
          assert(await isAlive(skewed, token, "/write"), `day ${day}, ${skew}`);
        }
        clock.set(created + 30 * DAY);
        assertEquals(await isAlive(handler, token), false);
        assertEquals(await isAlive(skewed, token), false);
      }
    },
  );

  testOnSpyStores(
    `R22 a clock one day ${skew} revives nothing that expired`,
    async (store) => {
      for (const [path, wait] of [["/start", 7], ["/login", 7]] as const) {
        const { clock, client, handler, skewed, use } = setUpSkewed(ahead, {
          store,
          absoluteTimeout: 7 * DAY,
        });
        await use(path);
        const token = tokenOf(client);
        clock.advance(wait * DAY);
        assertEquals(await isAlive(handler, token, "/write"), false);
        assertEquals(await isAlive(skewed, token, "/write"), false);
        assertEquals(await isAlive(handler, token), false);
      }
    },
  );

  testOnSpyStores(
    `R22 the idle timeout counts from the last use on a right clock, after one that is a day ${skew}`,
    async (store) => {
      for (const lifetimes of LIFETIMES) {
        const { clock, sessions, handler, skewed } = setUpSkewed(ahead, {
          store,
          ...lifetimes,
        });
        const client = new TestClient(skewed, { clock: clock.now });
        await client.get("/start");
        const token = tokenOf(client);
        const [id = ""] = token.split(".");
        assert(await isAlive(handler, token));
        const { expiresAt = 0 } = await sessions.get(id) ?? {};
        const left = expiresAt - clock.now();
        assert(left <= lifetimes.idleTimeout, `${left} ms are too many`);
        assert(left > 0.9 * lifetimes.idleTimeout, `${left} ms are too few`);
      }
    },
  );
}

testOnSpyStores(
  "R23 a hundred reads within the throttle cost one touch at most",
  async (store) => {
    const { clock, client, handler, use } = setUp({
      store,
      idleTimeout: 100 * MINUTE,
    });
    await use("/start");
    const token = tokenOf(client);
    store.reset();
    for (let read = 0; read < 100; read++) {
      assert(await isAlive(handler, token, "/read"));
      clock.advance(5_999);
    }
    assertEquals(store.calls, { get: 100, commit: 0, list: 0 });
    clock.advance(100);
    store.reset();
    for (let read = 0; read < 100; read++) {
      assert(await isAlive(handler, token, "/read"));
      clock.advance(5_999);
    }
    assertEquals(store.calls, { get: 100, commit: 1, list: 0 });
  },
);

testOnSpyStores(
  "R23 a hundred reads at once cost one touch at most",
  async (store) => {
    const { clock, client, handler, use } = setUp({
      store,
      idleTimeout: 100 * MINUTE,
    });
    await use("/start");
    const token = tokenOf(client);
    clock.advance(50 * MINUTE);
    let written = 0;
    store.onCommit = async (call) => {
      const result = await call();
      // one that comes too late is refused by its check
      if ((result as StoreCommitResult).ok) written++;
      return result;
    };
    const alive = await Promise.all(
      Array.from({ length: 100 }, () => isAlive(handler, token, "/read")),
    );
    assert(alive.every((one) => one));
    assertEquals(written, 1);
  },
);

Deno.test("R23 a touch changes no data, and a read within the throttle sends no cookie", async () => {
  const store = new SpyStore();
  const { clock, client, use } = setUp({ store, idleTimeout: HOUR });
  await use("/start");
  const [before] = await store.dump();
  clock.advance(6 * MINUTE - 1);
  assertEquals((await client.get("/read")).headers.getSetCookie(), []);
  assertEquals((await client.get("/write")).headers.getSetCookie(), []);
  clock.advance(1);
  const touched = await client.get("/read");
  assertEquals(touched.headers.getSetCookie(), [
    `__Host-session=${
      tokenOf(client)
    }; Secure; HttpOnly; Max-Age=3600; SameSite=Lax; Path=/`,
  ]);
  const [after] = await store.dump();
  assertEquals(
    [...(after?.record as { data: Map<string, unknown> }).data],
    [["started", true], ["n", 1]],
  );
  assertNotEquals(after?.version, before?.version);
});

Deno.test("a lifetime beyond 400 days is told to browsers as 400 days, and again while it is in use", async () => {
  const { clock, client, use } = setUp({
    idleTimeout: 6_000 * DAY,
    absoluteTimeout: 6_000 * DAY,
  });
  const maxAge = 34_560_000;
  const [line] = (await client.get("/start")).headers.getSetCookie();
  assert(line?.includes(`; Max-Age=${maxAge};`), line);
  assertEquals(
    client.cookie("__Host-session")?.expiresAt,
    clock.now() + maxAge * 1_000,
  );
  for (let day = 0; day < 5_900; day += 100) {
    clock.advance(100 * DAY);
    assert(client.cookie("__Host-session") !== undefined, `day ${day}`);
    assert(await use("/read"), `day ${day}`);
  }
  clock.advance(100 * DAY);
  assertEquals(client.cookie("__Host-session"), undefined);
});

Deno.test("R22 a use on a clock that is ahead does not put off the end on a right one", async () => {
  const store = new SpyStore();
  const { clock, sessions, client, handler, skewed, use } = setUpSkewed(DAY, {
    store,
    idleTimeout: 30 * DAY,
    absoluteTimeout: 60 * DAY,
  });
  await use("/start");
  const token = tokenOf(client);
  const [id = ""] = token.split(".");
  clock.advance(2.5 * DAY);
  assert(await isAlive(skewed, token)); // a touch, for its clock says 3.5 days
  assertEquals((await sessions.get(id))?.expiresAt, clock.now() + 31 * DAY);
  assert(await isAlive(handler, token));
  assertEquals((await sessions.get(id))?.expiresAt, clock.now() + 30 * DAY);
});

Deno.test("R23 a touch that puts off nothing sends no cookie", async () => {
  const store = new SpyStore();
  const { clock, client, use } = setUp({
    store,
    idleTimeout: 10 * DAY,
    absoluteTimeout: 12 * DAY,
  });
  await use("/start");
  clock.advance(3 * DAY);
  assertEquals((await client.get("/read")).headers.getSetCookie().length, 1);
  store.reset();
  clock.advance(3 * DAY);
  assertEquals((await client.get("/read")).headers.getSetCookie(), []);
  assertEquals(store.calls, { get: 1, commit: 1, list: 0 });
});

testOnSpyStores(
  "R25 a session that was found expired does not come back, though it could not be deleted",
  async (store) => {
    const idleTimeout = 10 * MINUTE;
    const { clock, events, client, handler, sessions, use } = setUp({
      store,
      idleTimeout,
    });
    await use("/start");
    const token = tokenOf(client);
    const request = new Request("https://example.com/", {
      headers: { cookie: `__Host-session=${token}` },
    });
    clock.advance(idleTimeout - 1);
    await sessions.handle(request, async (session) => {
      session.set("n", 2);
      clock.advance(1);
      store.onCommit = fails;
      assertEquals(await isAlive(handler, token), false);
      assertEquals(await isAlive(handler, token), false);
      store.onCommit = undefined;
      return new Response();
    });
    assertEquals(await isAlive(handler, token), false);
    assertEquals(events.filter(({ type }) => type === "dropped").length, 1);
  },
);

testOnSpyStores(
  "R25 a session that was found expired, and could not be deleted, goes on for who used it in time elsewhere",
  async (store) => {
    const idleTimeout = 10 * MINUTE;
    const here = setUp({ store, idleTimeout });
    await here.use("/start");
    const { clock, events, handler } = here;
    const token = tokenOf(here.client);
    const elsewhere = new SessionManager({
      store,
      idleTimeout,
      clock: clock.now,
    });
    const request = new Request("https://example.com/", {
      headers: { cookie: `__Host-session=${token}` },
    });
    clock.advance(idleTimeout - 1);
    await elsewhere.handle(request, async (session) => {
      session.set("n", 2);
      clock.advance(1);
      store.onCommit = fails;
      assertEquals(await isAlive(handler, token), false);
      store.onCommit = undefined;
      return new Response();
    });
    assertEquals(await isAlive(handler, token), true);
    assertEquals(events.filter(({ type }) => type === "ended"), []);
  },
);

Deno.test("R22 a record from the future lives no longer for being edited", async () => {
  const lifetimes = { idleTimeout: 30 * DAY, absoluteTimeout: 30 * DAY };
  const { clock, sessions, skewed } = setUpSkewed(400 * DAY, {
    store: new SpyStore(),
    ...lifetimes,
  });
  const client = new TestClient(skewed, { clock: clock.now });
  await client.get("/start");
  const [id = ""] = tokenOf(client).split(".");
  for (let day = 0; day < 30; day += 5) {
    const edited = await sessions.edit(id, (session) => {
      session.set("day", day);
      return day;
    });
    assertEquals(edited, day);
    clock.advance(5 * DAY);
  }
  assertEquals(await sessions.edit(id, () => true), undefined);
});
