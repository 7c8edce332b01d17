import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import {
  KvStore,
  MemoryStore,
  type Session,
  type SessionEvent,
  SessionManager,
  type SessionOptions,
} from "@tessera/session";
import { TestClient, TestClock } from "@tessera/session/testing";
import { SpyStore, testOnSpyStores } from "./_spy_store.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** What a request does to its session, by the path that asks for it. */
const USES: Record<string, (session: Session) => void> = {
  "/start": (session) => session.set("started", true),
  "/login": (session) => session.login("alice"),
  "/read": (session) => void session.get("started"),
  "/ignore": () => {},
  "/write": (session) => session.update<number>("n", (n = 0) => n + 1),
  "/flash": (session) => session.flash("notice", "hi"),
  "/regenerate": (session) => session.regenerate(),
};

/** A browser whose clock is the server's, and the manager behind it. */
function setUp(options: SessionOptions = {}) {
  const clock = new TestClock(1_700_000_000_000);
  const events: SessionEvent[] = [];
  const sessions = new SessionManager({
    store: new MemoryStore(),
    clock: clock.now,
    onEvent: (event) => events.push(event),
    ...options,
  });
  const serve = (manager: SessionManager) => (request: Request) =>
    manager.handle(request, (session) => {
      USES[new URL(request.url).pathname]?.(session);
      return Response.json({
        alive: !session.isNew,
        id: session.id,
        expiresAt: session.expiresAt,
        started: session.get("started") ?? false,
      });
    });
  const handler = serve(sessions);
  const client = new TestClient(handler, { clock: clock.now });
  /** Sends a request, and says whether it had a session. */
  const use = async (path: string): Promise<boolean> =>
    (await (await client.get(path)).json()).alive;
  return { clock, events, sessions, client, handler, serve, use };
}

/** Sends the cookie as it is, whatever a browser would make of its Max-Age. */
async function isAlive(
  handler: (request: Request) => Promise<Response>,
  token: string,
  path = "/ignore",
): Promise<boolean> {
  const headers = { cookie: `__Host-session=${token}` };
  const request = new Request(`https://example.com${path}`, { headers });
  return (await (await handler(request)).json()).alive;
}

function tokenOf(client: TestClient): string {
  const cookie = client.cookie("__Host-session");
  assert(cookie !== undefined, "the browser has no session cookie");
  return cookie.value;
}

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
  const paths = ["/read", "/ignore", "/write", "/flash", "/regenerate"];
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
    { numRuns: 150 },
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
  for (const path of ["/read", "/ignore", "/write", "/flash"]) {
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
      { numRuns: 25 },
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
    store.reset();
    const alive = await Promise.all(
      Array.from({ length: 100 }, () => isAlive(handler, token, "/read")),
    );
    assert(alive.every((one) => one));
    assertEquals(store.calls.commit, 1);
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
    idleTimeout: 3_000 * DAY,
    absoluteTimeout: 3_000 * DAY,
  });
  await use("/start");
  const maxAge = 34_560_000;
  assertEquals(
    client.cookie("__Host-session")?.expiresAt,
    clock.now() + maxAge * 1_000,
  );
  for (let day = 0; day < 2_900; day += 100) {
    clock.advance(100 * DAY);
    assert(client.cookie("__Host-session") !== undefined, `day ${day}`);
    assert(await use("/read"), `day ${day}`);
  }
  clock.advance(100 * DAY);
  assertEquals(client.cookie("__Host-session"), undefined);
});
