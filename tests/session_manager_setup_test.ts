import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  KvStore,
  type Session,
  SessionManager,
  SessionSkippedError,
  skipHeader,
} from "@tessera/session";
import { TestClient } from "@tessera/session/testing";
import config from "../deno.json" with { type: "json" };
import { stdArguments } from "../tools/std.ts";
import { SpyStore } from "./_spy_store.ts";
import { countTimers } from "./_timers.ts";
import { Visitor } from "./_visitor.ts";

const ORIGIN = "https://example.com/";

/** Everything that a session has. */
const MEMBERS: Record<string, (session: Session) => unknown> = {
  id: (session) => session.id,
  isNew: (session) => session.isNew,
  subject: (session) => session.subject,
  createdAt: (session) => session.createdAt,
  lastSeenAt: (session) => session.lastSeenAt,
  expiresAt: (session) => session.expiresAt,
  authenticatedAt: (session) => session.authenticatedAt,
  size: (session) => session.size,
  get: (session) => session.get("a"),
  has: (session) => session.has("a"),
  set: (session) => session.set("a", 1),
  delete: (session) => session.delete("a"),
  clear: (session) => session.clear(),
  entries: (session) => session.entries(),
  update: (session) => session.update("a", () => 1),
  flash: (session) => session.flash("a"),
  keepFlash: (session) => session.keepFlash(),
  persist: (session) => session.persist(true),
  login: (session) => session.login("alice"),
  logout: (session) => session.logout(),
  regenerate: (session) => session.regenerate(),
  destroy: (session) => session.destroy(),
  commit: (session) => session.commit(),
  signal: (session) => session.signal,
  attach: (session) => session.attach({} as WebSocket),
};

Deno.test("SessionManager leaves out what skip says: no store call, no cookie, and a use is a SessionSkippedError", async () => {
  const store = new SpyStore();
  const visitor = new Visitor({ store });
  await visitor.visit((session) => session.set("n", 1));
  store.reset();
  const sessions = new SessionManager({
    store,
    skip: skipHeader("x-probe", "1"),
  });
  const headers = {
    "x-probe": "1",
    cookie: `__Host-session=${visitor.token}`,
  };
  const skipped = new Request(ORIGIN, { headers });
  const response = new Response("hello");
  const answer = await sessions.handle(skipped, (session) => {
    for (const [name, use] of Object.entries(MEMBERS)) {
      assertThrows(
        () => use(session),
        SessionSkippedError,
        `received a use of "${name}"`,
        name,
      );
    }
    assertThrows(
      () => Object.assign(session, { extra: 1 }),
      SessionSkippedError,
    );
    assertEquals(JSON.stringify(session), "{}");
    return response;
  });
  assertStrictEquals(answer, response);
  assertEquals([...answer.headers.keys()], ["content-type"]);
  const loaded = await sessions.load(skipped);
  assertThrows(() => loaded.get("n"), SessionSkippedError);
  assertStrictEquals(await sessions.commit(loaded, response), response);
  assertEquals(store.calls, { get: 0, commit: 0, list: 0 });

  const other = new Request(ORIGIN, {
    headers: { ...headers, "x-probe": "2" },
  });
  const known = await sessions.handle(
    other,
    (session) => Response.json(session.get("n")),
  );
  assertEquals(await known.json(), 1);
});

for (const name of ["pollInterval", "storeTimeout"] as const) {
  Deno.test(`${name} is 5 seconds by default`, async () => {
    const other = name === "pollInterval" ? "storeTimeout" : "pollInterval";
    await using sessions = new SessionManager({
      store: new SpyStore(),
      [other]: 60_000,
    });
    const timers = countTimers();
    try {
      const visitor = new Visitor(sessions);
      await visitor.visit((session) => session.set("n", 1));
      await visitor.visit((session) => void session.signal);
    } finally {
      timers.restore();
    }
    const delays = timers.delays.map(Math.round);
    assert(delays.includes(5_000), `${delays}`);
  });
}

Deno.test("SessionManager asks Date.now for the time whatever has taken its place", async () => {
  const visitor = new Visitor({ idleTimeout: 60_000 });
  await visitor.visit((session) => session.set("n", 1));
  const id = visitor.token.slice(0, 26);
  const { now } = Date;
  try {
    Date.now = () => now() + 60_000;
    assertEquals(await visitor.sessions.get(id), undefined);
  } finally {
    Date.now = now;
  }
});

Deno.test("SessionManager[asyncDispose]() closes what it opened, and leaves alone what it was given", async () => {
  const opened: Deno.Kv[] = [];
  const { openKv } = Deno;
  const descriptor = Object.getOwnPropertyDescriptor(Deno, "openKv");
  const value = async () => {
    const kv = await openKv(":memory:");
    opened.push(kv);
    return kv;
  };
  Object.defineProperty(Deno, "openKv", { value, configurable: true });
  try {
    {
      await using sessions = new SessionManager();
      assertEquals(opened.length, 0);
      const client = new TestClient((request) =>
        sessions.handle(request, (session) => {
          session.update<number>("n", (n = 0) => n + 1);
          return Response.json(session.get("n"));
        })
      );
      await client.get("/");
      assertEquals(await (await client.get("/")).json(), 2);
      assertEquals(opened.length, 1);
    }
    const [kv] = opened;
    assert(kv !== undefined);
    await assertRejects(() => kv.get(["a"]), Deno.errors.BadResource);
    await new SessionManager()[Symbol.asyncDispose](); // never used
    assertEquals(opened.length, 1);
  } finally {
    Object.defineProperty(Deno, "openKv", descriptor ?? {});
  }
  using given = await Deno.openKv(":memory:");
  for (const store of [given, Promise.resolve(given)]) {
    const sessions = new SessionManager({ store });
    await sessions.handle(new Request(ORIGIN), (session) => {
      session.set("n", 1);
      return new Response();
    });
    await sessions[Symbol.asyncDispose]();
  }
  assertEquals((await Array.fromAsync(given.list({ prefix: [] }))).length, 2);
});

Deno.test("SessionManager[asyncDispose]() leaves alone a store that others use too, though that opens its own database", async () => {
  for (const isPromise of [false, true]) {
    await using given = new KvStore(() => Deno.openKv(":memory:"));
    const store = isPromise ? Promise.resolve(given) : given;
    const [one, other] = [
      new SessionManager({ store }),
      new SessionManager({ store }),
    ];
    const visitor = new Visitor(one);
    const id = await visitor.visit((session) => {
      session.set("n", 1);
      return session.id;
    });
    await one[Symbol.asyncDispose]();
    assertEquals(await other.edit(id, (session) => session.get("n")), 1);
    await other[Symbol.asyncDispose]();
    assert(await given.get(id) !== undefined);
  }
});

Deno.test("SessionManager without Deno.openKv says which flag, and which line of deno.json, it needs", async () => {
  const folder = await Deno.makeTempDir();
  try {
    // a config of its own, for the package's has the very line
    const file = `${folder}/deno.json`;
    const { imports } = config;
    await Deno.writeTextFile(file, JSON.stringify({ imports }));
    const program = `
      import * as lib from "${new URL("../mod.ts", import.meta.url)}";
      const write = async (_request, lazy) => {
        (lazy.load ? await lazy.load() : lazy).set("n", 1);
        return new Response();
      };
      const request = new Request("https://example.com/");
      for (
        const serve of [
          () => new lib.SessionManager().handle(request, (session) => {
            session.set("n", 1);
            return new Response();
          }),
          () => lib.withSession(write)(request),
          () => lib.withLazySession(write, {})(request),
          () => lib.withSession(write, { store: new lib.MemoryStore() })(request),
        ]
      ) {
        try {
          console.log((await serve()).status);
        } catch (error) {
          console.log(error.name, error.message);
        }
      }
    `;
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        ...await stdArguments(),
        "-A",
        "--no-check",
        "--config",
        file,
        `data:application/typescript,${encodeURIComponent(program)}`,
      ],
      cwd: folder,
      env: { NO_COLOR: "1" },
    });
    const { stdout, stderr } = await child.output();
    const lines = new TextDecoder().decode(stdout).trim().split("\n");
    assertEquals(lines.length, 4, new TextDecoder().decode(stderr));
    assertEquals(lines.pop(), "200");
    for (const line of lines) {
      for (
        const part of [
          "Error Cannot ",
          "Deno.openKv",
          "--unstable-kv",
          '"unstable": ["kv"]',
          "deno.json",
        ]
      ) assert(line.includes(part), `${part} in: ${line}`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
