import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  type ListOptions,
  MemoryStore,
  type Session,
  SessionClosedError,
  type SessionInfo,
  SessionManager,
  SessionSkippedError,
  skipHeader,
  withSession,
} from "@tessera/session";
import { TestClient, TestClock } from "@tessera/session/testing";
import config from "../deno.json" with { type: "json" };
import { stdArguments } from "../tools/std.ts";
import { SpyStore, testOnSpyStores } from "./_spy_store.ts";
import { Visitor } from "./_visitor.ts";

const ORIGIN = "https://example.com/";

/** Ids that lead nowhere: unknown, malformed, too long, of the wrong type. */
const ODD_IDS = [
  "",
  "x",
  "01ARZ3NDEKTSV4RRFFQ69G5FAV",
  "../../etc/passwd",
  "\0",
  "\ud800",
  "__proto__",
  "x".repeat(5_000),
  undefined,
  null,
  7,
  {},
] as string[];

Deno.test("SessionManager.load() and .commit() are the halves of .handle()", async () => {
  const sessions = new SessionManager({ store: new MemoryStore() });
  const client = new TestClient(async (request) => {
    const session = await sessions.load(request);
    session.update<number>("n", (n = 0) => n + 1);
    return await sessions.commit(session, Response.json(session.get("n")));
  });
  const first = await client.get("/");
  assertEquals(first.headers.getSetCookie().length, 1);
  assertEquals(first.headers.get("vary"), "Cookie");
  assertEquals(await first.json(), 1);
  const second = await client.get("/");
  assertEquals(await second.json(), 2);
  assertEquals(second.headers.getSetCookie(), []);
});

Deno.test("SessionManager.commit() closes the session, and does not commit it twice", async () => {
  const store = new SpyStore();
  const sessions = new SessionManager({ store });
  const session = await sessions.load(new Request(ORIGIN));
  session.set("n", 1);
  await sessions.commit(session, new Response());
  assertThrows(() => session.set("n", 2), SessionClosedError);
  const again = await sessions.commit(session, new Response());
  assertEquals(store.calls.commit, 1);
  assertEquals(again.headers.getSetCookie().length, 1);
});

Deno.test("SessionManager.commit() refuses what it did not load", async () => {
  const options = { store: new MemoryStore() };
  const sessions = new SessionManager(options);
  const foreign = await new SessionManager(options).load(new Request(ORIGIN));
  foreign.set("n", 1);
  await assertRejects(
    () => sessions.commit(foreign, new Response()),
    TypeError,
    "want one that this manager loaded: received another manager's",
  );
  for (const bad of [{}, new Map(), Object.create(foreign)]) {
    await assertRejects(
      () => sessions.commit(bad as Session, new Response()),
      TypeError,
      "want one that this manager loaded: received object",
    );
  }
  assertEquals(options.store.size, 0);
});

Deno.test("SessionManager.commit() leaves the response of an untouched session as it is", async () => {
  const sessions = new SessionManager({ store: new MemoryStore() });
  const session = await sessions.load(new Request(ORIGIN));
  const response = new Response("hello");
  assertStrictEquals(await sessions.commit(session, response), response);
  assertEquals([...response.headers.keys()], ["content-type"]);
  assertThrows(() => session.set("n", 1), SessionClosedError);
});

testOnSpyStores(
  "SessionManager.edit() changes a session, and merges with requests",
  async (store) => {
    const visitor = new Visitor({ store });
    const { sessions } = visitor;
    const id = await visitor.visit((session) => {
      session.login("alice");
      session.set("n", 1);
      session.set("list", [1]);
      return session.id;
    });
    const result = await visitor.visit(async (session) => {
      session.update<number>("n", (n = 0) => n + 1);
      return await sessions.edit(id, async (edited) => {
        await Promise.resolve();
        assertEquals([edited.id, edited.subject], [id, "alice"]);
        edited.update<number>("n", (n = 0) => n + 10);
        edited.get<number[]>("list")?.push(2);
        edited.flash("notice", "edited");
        return "done";
      });
    });
    assertEquals(result, "done");
    assertEquals(await visitor.read(), [["n", 12], ["list", [1, 2]]]);
    assertEquals(
      await visitor.visit((session) => session.flash("notice")),
      "edited",
    );
    const edits = Array.from(
      { length: 20 },
      () => sessions.edit(id, (s) => s.update<number>("n", (n = 0) => n + 1)),
    );
    const visits = Array.from(
      { length: 20 },
      () => visitor.visit((s) => s.update<number>("n", (n = 0) => n + 1)),
    );
    await Promise.all([...edits, ...visits]);
    assertEquals((await visitor.read())[0], ["n", 52]);
  },
);

Deno.test("SessionManager.edit() is undefined where there is no session, and does not call back", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.set("n", 1));
  let called = 0;
  for (const id of ODD_IDS) {
    assertEquals(await visitor.sessions.edit(id, () => ++called), undefined);
  }
  assertEquals(called, 0);
  const [id = ""] = visitor.token.split(".");
  const ended = await visitor.sessions.edit(id, async (session) => {
    session.set("n", 2);
    assertEquals(await visitor.sessions.revoke(id), true);
    return "not done";
  });
  assertEquals(ended, undefined);
  assertEquals(await visitor.sessions.get(id), undefined);
});

Deno.test("SessionManager.edit() saves nothing if the callback throws", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.set("list", [1]));
  const [id = ""] = visitor.token.split(".");
  const failure = new RangeError("the callback's own");
  const error = await assertRejects(() =>
    visitor.sessions.edit(id, (session) => {
      session.set("n", 2);
      session.get<number[]>("list")?.push(2);
      throw failure;
    })
  );
  assertStrictEquals(error, failure);
  assertEquals(await visitor.read(), [["list", [1]]]);
});

Deno.test("SessionManager.edit() refuses a new id, whose token could not travel", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.set("n", 1));
  const { token } = visitor;
  const [id = ""] = token.split(".");
  await visitor.sessions.edit(id, (session) => {
    for (
      const change of [
        () => session.login("alice"),
        () => session.regenerate(),
      ]
    ) {
      assertThrows(
        change,
        TypeError,
        "the new token must travel in a response",
      );
    }
    session.set("n", 2);
  });
  assertEquals(await visitor.read(), [["n", 2]]);
  assertEquals(visitor.token, token);
});

Deno.test("SessionManager.edit() can end the session", async () => {
  for (const end of ["destroy", "logout"] as const) {
    const visitor = new Visitor();
    await visitor.visit((session) => session.set("n", 1));
    const [id = ""] = visitor.token.split(".");
    const result = await visitor.sessions.edit(id, (session) => {
      session[end]();
      return "ended";
    });
    assertEquals(result, "ended");
    assertEquals(await visitor.sessions.get(id), undefined);
    assertEquals(await visitor.read(), []);
  }
});

Deno.test("SessionManager.edit() closes the session when it is done", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.set("n", 1));
  const [id = ""] = visitor.token.split(".");
  const session = await visitor.sessions.edit(id, (session) => [session]);
  assertThrows(() => session?.[0]?.set("n", 2), SessionClosedError);
});

Deno.test("SessionManager.edit(), .get() and .revoke() follow an id that was replaced", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.set("n", 1));
  const [old = ""] = visitor.token.split(".");
  await visitor.visit((session) => session.regenerate());
  const [id = ""] = visitor.token.split(".");
  assert(id !== old);
  await visitor.sessions.edit(old, (session) => session.set("n", 2));
  assertEquals(await visitor.read(), [["n", 2]]);
  assertEquals((await visitor.sessions.get(old))?.id, id);
  assertEquals(await visitor.sessions.revoke(old), true);
  assertEquals(await visitor.read(), []);
});

testOnSpyStores(
  "SessionManager.get() and .revoke() take any id",
  async (store) => {
    const visitor = new Visitor({ store });
    await visitor.visit((session) => session.set("n", 1));
    for (const id of ODD_IDS) {
      assertEquals(await visitor.sessions.get(id), undefined);
      assertEquals(await visitor.sessions.revoke(id), false);
    }
    assertEquals(await visitor.read(), [["n", 1]]);
    const [id = ""] = visitor.token.split(".");
    assertEquals(await visitor.sessions.revoke(id), true);
    assertEquals(await visitor.sessions.revoke(id), false);
    assertEquals(await visitor.sessions.get(id), undefined);
    assertEquals(await visitor.read(), []);
  },
);

Deno.test("SessionManager.get() tells what is known of a session, without using it", async () => {
  const clock = new TestClock(1_000_000);
  const visitor = new Visitor({ clock: clock.now, idleTimeout: 60_000 });
  const id = await visitor.visit((session) => {
    session.set("n", 1);
    session.login("alice", { label: "Firefox" });
    return session.id;
  });
  clock.advance(59_999);
  const expected: SessionInfo = {
    id,
    subject: "alice",
    label: "Firefox",
    createdAt: 1_000_000,
    authenticatedAt: 1_000_000,
    lastSeenAt: 1_000_000,
    expiresAt: 1_060_000,
  };
  assertEquals(await visitor.sessions.get(id), expected);
  assertEquals(await Array.fromAsync(visitor.sessions.list()), [expected]);
  clock.advance(1);
  assertEquals(await Array.fromAsync(visitor.sessions.list()), []);
  assertEquals(await visitor.sessions.get(id), undefined);
});

testOnSpyStores(
  "SessionManager.list() goes from the newest to the oldest, by subject, limit and cursor",
  async (store) => {
    const clock = new TestClock();
    const visitor = new Visitor({ store, clock: clock.now });
    const ids: string[] = [];
    const subjects = ["alice", "bob", undefined, "alice", "alice", ""];
    for (const subject of subjects) {
      visitor.client.clear();
      clock.advance(1);
      ids.unshift(
        await visitor.visit((session) => {
          if (subject === undefined) session.set("n", 1);
          else session.login(subject);
          return session.id;
        }),
      );
    }
    const list = (options?: ListOptions) =>
      Array.fromAsync(visitor.sessions.list(options), ({ id }) => id);
    const [empty, alice3, alice2, nobody, bob, alice1] = ids;
    assertEquals(await list(), ids);
    assertEquals(await list({}), ids);
    assertEquals(await list({ subject: "alice" }), [alice3, alice2, alice1]);
    assertEquals(await list({ subject: "" }), [empty]);
    assertEquals(await list({ subject: "bob" }), [bob]);
    assertEquals(await list({ subject: "carol" }), []);
    assertEquals(await list({ limit: 2 }), [empty, alice3]);
    assertEquals(await list({ limit: 2, cursor: alice2 ?? "" }), [nobody, bob]);
    assertEquals(
      await list({ subject: "alice", limit: 1, cursor: alice3 ?? "" }),
      [alice2],
    );
    assertEquals(await list({ cursor: alice1 ?? "" }), []);
    assertEquals(await list({ cursor: "" }), []);
    assertEquals(await list({ cursor: "zzz" }), ids);
    // page by page, with a session that ends in between
    const pages: string[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < 3; page++) {
      const found = await list({ limit: 2, cursor });
      pages.push(...found);
      cursor = found.at(-1);
      await visitor.sessions.revoke(cursor ?? "");
    }
    assertEquals(pages, ids);
  },
);

Deno.test("SessionManager.list() refuses odd options before it reads", async () => {
  const store = new SpyStore();
  const sessions = new SessionManager({ store });
  for (const limit of [0, -1, 1.5, NaN, -Infinity, 2 ** 53]) {
    assertThrows(
      () => sessions.list({ limit }),
      RangeError,
      `"limit" must be an integer of 1 or more: received ${limit}`,
    );
  }
  const list = sessions.list.bind(sessions) as (options: unknown) => unknown;
  for (
    const [options, message] of [
      [{ subject: 1 }, '"subject" must be a string: received number'],
      [{ cursor: null }, '"cursor" must be a string: received null'],
      [{ page: 1 }, 'received "page"'],
      [null, "object of options: received null"],
      ["alice", "object of options: received string"],
    ] as const
  ) assertThrows(() => list(options), TypeError, message);
  assertEquals(store.calls, { get: 0, commit: 0, list: 0 });
  assertEquals(await Array.fromAsync(sessions.list({ limit: Infinity })), []);
});

Deno.test("SessionManager survives an onEvent that throws or rejects", async () => {
  const listeners = [
    () => {
      throw new Error("from onEvent");
    },
    () => Promise.reject(new Error("from onEvent")),
    async () => {
      await Promise.resolve();
      throw new Error("from onEvent");
    },
  ];
  for (const onEvent of listeners) {
    let called = 0;
    const visitor = new Visitor({
      onEvent: () => {
        called++;
        return onEvent();
      },
    });
    await visitor.visit((session) => session.set("n", 1));
    await visitor.visit((session) => session.login("alice"));
    await visitor.visit((session) => session.logout());
    assert(called >= 4);
    assertEquals(await visitor.read(), []);
  }
});

Deno.test("SessionManager hands every event its time, whole and on its clock", async () => {
  const visitor = new Visitor({ clock: () => 1_234.9 });
  await visitor.visit((session) => session.login("alice"));
  assertEquals(visitor.events.map(({ at, type }) => [at, type]), [
    [1_234, "created"],
    [1_234, "login"],
  ]);
});

Deno.test("SessionManager traces loads and commits, once each", async () => {
  const names: string[] = [];
  const visitor = new Visitor({
    trace: async (name, run) => {
      names.push(`> ${name}`);
      const result = await run();
      names.push(`< ${name}`);
      return result;
    },
  });
  await visitor.visit((session) => {
    names.push("handler");
    session.set("n", 1);
  });
  const expected = [
    "> session.load",
    "< session.load",
    "handler",
    "> session.commit",
    "< session.commit",
  ];
  assertEquals(names.splice(0), expected);
  await visitor.visit((session) => {
    names.push("handler");
    session.get("n");
  });
  assertEquals(names, expected);
});

Deno.test("SessionManager survives a trace that throws, rejects, lies, or does not run", async () => {
  type Run = () => Promise<unknown>;
  const traces: Record<string, (name: string, run: Run) => unknown> = {
    throws: () => {
      throw new Error("from trace");
    },
    rejects: () => Promise.reject(new Error("from trace")),
    "does not run": () => Promise.resolve(undefined),
    "returns nothing": () => undefined,
    "runs and throws": async (_name, run) => {
      await run();
      throw new Error("from trace");
    },
    "runs twice": async (_name, run) => {
      await run();
      return await run();
    },
    "runs and lies": async (_name, run) => {
      await run();
      return "another result";
    },
    "does not wait": (_name, run) => {
      void run();
      return Promise.resolve();
    },
  };
  for (const [name, trace] of Object.entries(traces)) {
    const store = new SpyStore();
    const visitor = new Visitor({ store, trace: trace as never });
    for (let n = 1; n <= 3; n++) {
      await visitor.visit((session) =>
        session.update<number>("n", (n = 0) => n + 1)
      );
      assertEquals(store.calls.commit, n, name);
    }
    assertEquals(await visitor.read(), [["n", 3]], name);
  }
});

Deno.test("SessionManager reports the step's failure, not the trace's, and leaves nothing unhandled", async () => {
  const store = new SpyStore();
  const unhandled: unknown[] = [];
  const note = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    unhandled.push(event.reason);
  };
  addEventListener("unhandledrejection", note);
  try {
    const visitor = new Visitor({
      store,
      trace: async (_name, run) => {
        const running = run();
        await new Promise((resolve) => setTimeout(resolve, 5));
        return await running.catch(() => {
          throw new Error("from trace");
        });
      },
    });
    store.onCommit = () => Promise.reject(new Error("disk on fire"));
    await assertRejects(
      () => visitor.visit((session) => session.set("n", 1)),
      Error,
      "Cannot commit session: the store must answer",
    );
    assertEquals(unhandled, []);
  } finally {
    removeEventListener("unhandledrejection", note);
  }
});

Deno.test("SessionManager refuses a second manager with the same name on one request", async () => {
  const options = { store: new MemoryStore() };
  const inner = withSession((_request, session) => {
    session.set("inner", true);
    return new Response();
  }, options);
  const outer = withSession(async (request, session) => {
    session.set("outer", true);
    return await inner(request);
  }, options);
  await assertRejects(
    () => outer(new Request(ORIGIN)),
    TypeError,
    'must have different names: received "__Host-session" twice; set "cookie: { name }"',
  );
  assertEquals(options.store.size, 0);
  // one after the other is no conflict
  const request = new Request(ORIGIN);
  await inner(request);
  await withSession(() => new Response(), options)(request);
});

Deno.test("SessionManager nests with another name, and one that ends leaves the other", async () => {
  const [one, two] = [new MemoryStore(), new MemoryStore()];
  const inner = withSession((request, session, outer: Session) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/start") {
      session.set("is", "inner");
      outer.set("is", "outer");
    } else if (pathname === "/end/inner") session.destroy();
    else if (pathname === "/end/outer") outer.destroy();
    else return Response.json([outer.get("is"), session.get("is")]);
    return new Response();
  }, { store: one, cookie: { name: "__Host-inner" } });
  const handler = withSession(
    (request, outer) => inner(request, outer),
    { store: two },
  );
  const client = new TestClient(handler);
  const read = async () => await (await client.get("/")).json();
  const started = await client.get("/start");
  assertEquals(started.headers.getSetCookie().length, 2);
  assertEquals(started.headers.get("vary"), "Cookie");
  assertEquals([one.size, two.size], [1, 1]);
  assertEquals(await read(), ["outer", "inner"]);
  await client.get("/end/inner");
  assertEquals(await read(), ["outer", null]);
  await client.get("/start");
  await client.get("/end/outer");
  assertEquals(await read(), [null, "inner"]);
  assertEquals([one.size, two.size], [1, 0]);
});

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
