import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type CookieOptions,
  KvStore,
  MemoryStore,
  type Session,
  SessionClosedError,
  type SessionEvent,
  SessionManager,
  withSession,
} from "@tessera/session";
import { TestClient, TestClock } from "@tessera/session/testing";
import { stdArguments } from "../tools/std.ts";
import { testOnSpyStores } from "./_spy_store.ts";

const COOKIE = "__Host-session";

/** Serves `/start`, `/login`, `/logout` and more, on one manager. */
function serve(
  manager: SessionManager,
): (request: Request) => Promise<Response> {
  const uses: Record<string, (session: Session) => void> = {
    "/start": (session) => session.set("n", 1),
    "/login": (session) => session.login("alice"),
    "/logout": (session) => session.logout(),
    "/destroy": (session) => session.destroy(),
    "/persist": (session) => session.persist(true),
    "/keep": (session) => session.keepFlash(),
    "/regenerate": (session) => session.regenerate(),
  };
  return withSession((request, session) => {
    uses[new URL(request.url).pathname]?.(session);
    return new Response(session.isNew ? "anonymous" : "known");
  }, manager);
}

function request(path: string, token?: string): Request {
  const headers: HeadersInit = token === undefined
    ? {}
    : { cookie: `${COOKIE}=${token}` };
  return new Request(`https://example.com${path}`, { headers });
}

function tokenOf(client: TestClient, name = COOKIE): string {
  const cookie = client.cookie(name);
  assert(cookie !== undefined, "the browser has no session cookie");
  return cookie.value;
}

for (const path of ["/logout", "/destroy"]) {
  testOnSpyStores(
    `R24 ${path} deletes the record, and every trace of it`,
    async (store) => {
      const events: SessionEvent[] = [];
      const manager = new SessionManager({
        store,
        onEvent: (event) => events.push(event),
      });
      const client = new TestClient(serve(manager));
      await client.get("/start");
      await client.get("/login");
      const [id = ""] = tokenOf(client).split(".");
      assertEquals((await store.dump()).length, 1);
      store.reset();

      await client.get(path);

      assertEquals(store.calls, { get: 1, commit: 1, list: 0 });
      assertEquals(store.commits[0]?.delete, [{ id, subject: "alice" }]);
      assertEquals(await store.dump(), []);
      assertEquals(await Array.fromAsync(store.list({ subject: "alice" })), []);
      assertEquals(client.cookies, []);
      const last = events.at(-1);
      assertEquals([last?.type, last?.id], ["ended", id]);
      assertEquals(last?.type === "ended" && last.reason, "logout");
    },
  );
}

Deno.test("R24 a logout leaves nothing in the database, pieces of a large record included", async () => {
  using kv = await Deno.openKv(":memory:");
  const handler = withSession((request, session) => {
    if (request.url.endsWith("/start")) {
      session.login("alice");
      session.set("large", "x".repeat(200_000));
    } else session.logout();
    return new Response();
  }, { store: kv });
  const client = new TestClient(handler);
  await client.get("/start");
  const before = await Array.fromAsync(kv.list({ prefix: [] }));
  assert(before.length >= 5, `${before.length} entries`);
  await client.get("/logout");
  assertEquals(await Array.fromAsync(kv.list({ prefix: [] })), []);
});

testOnSpyStores(
  "R24 a logout ends the ids too that the session had before",
  async (store) => {
    const handler = serve(new SessionManager({ store }));
    const client = new TestClient(handler);
    await client.get("/start");
    const tokens = [tokenOf(client)];
    await client.get("/regenerate");
    tokens.push(tokenOf(client));
    await client.get("/regenerate");
    tokens.push(tokenOf(client));
    assertEquals(
      await (await handler(request("/", tokens[0]))).text(),
      "known",
    );

    // ended by way of the oldest id, which still leads to the session
    const response = await handler(request("/logout", tokens[0]));
    assertEquals(response.headers.getSetCookie().length, 1);
    for (const token of tokens) {
      const later = await handler(request("/", token));
      assertEquals(await later.text(), "anonymous");
    }
    assertEquals(await store.dump(), []);
  },
);

const COOKIES: { cookie: CookieOptions; deletion: string }[] = [
  {
    cookie: {},
    deletion: "__Host-session=; Secure; HttpOnly; Max-Age=0; SameSite=Lax; " +
      "Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
  },
  {
    cookie: {
      domain: "example.com",
      path: "/app",
      sameSite: "Strict",
    },
    deletion: "__Secure-session=; Secure; HttpOnly; Max-Age=0; " +
      "Domain=example.com; SameSite=Strict; Path=/app; " +
      "Expires=Thu, 01 Jan 1970 00:00:00 GMT",
  },
  {
    cookie: { partitioned: true, sameSite: "None" },
    deletion: "__Host-session=; Secure; HttpOnly; Partitioned; Max-Age=0; " +
      "SameSite=None; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
  },
  {
    cookie: { secure: false, name: "sid" },
    deletion: "sid=; HttpOnly; Max-Age=0; SameSite=Lax; Path=/; " +
      "Expires=Thu, 01 Jan 1970 00:00:00 GMT",
  },
];

for (const { cookie, deletion } of COOKIES) {
  Deno.test(`R28 the deletion cookie repeats every attribute of ${JSON.stringify(cookie)}`, async () => {
    const manager = new SessionManager({ store: new MemoryStore(), cookie });
    const path = cookie.path ?? "";
    const handler = withSession((request, session) => {
      if (request.url.endsWith("/start")) session.set("n", 1);
      else session.destroy();
      return new Response();
    }, manager);
    const client = new TestClient(handler);
    const set = await client.get(`${path}/start`);
    assertEquals(client.cookies.length, 1);
    const ended = await client.get(`${path}/end`);

    const [line = ""] = ended.headers.getSetCookie();
    assertEquals(attributes(line), attributes(deletion));
    assertEquals(ended.headers.getSetCookie().length, 1);
    assertEquals(ended.headers.get("cache-control"), "no-store");
    assertEquals(client.cookies, []);
    // but for value and time it is the cookie that was set
    const [first = ""] = set.headers.getSetCookie();
    const constant = (text: string) =>
      attributes(text).filter((one) => !/^(Max-Age|Expires)=/.test(one));
    assertEquals(constant(line).slice(1), constant(first).slice(1));
  });
}

/** The pair, and then the attributes in the order of the alphabet. */
function attributes(line: string): string[] {
  const [pair = "", ...rest] = line.split("; ");
  return [pair, ...rest.sort()];
}

testOnSpyStores(
  "R28 a deletion cookie is sent only by the request that ended a live session",
  async (store) => {
    const clock = new TestClock();
    const manager = new SessionManager({ store, clock: clock.now });
    const handler = serve(manager);
    const client = new TestClient(handler, { clock: clock.now });
    await client.get("/start");
    const ended = tokenOf(client);
    const first = await handler(request("/logout", ended));
    assertEquals(first.headers.getSetCookie().length, 1);

    client.clear();
    await client.get("/start");
    const expired = tokenOf(client);
    clock.advance({ days: 7 });

    client.clear();
    await client.get("/start");
    const live = tokenOf(client);
    const forged = live.slice(0, -2) + (live.endsWith("AA") ? "BA" : "AA");

    const bad = {
      none: undefined,
      ended,
      expired,
      forged,
      malformed: "x",
      empty: "",
      unknown: `01ARZ3NDEKTSV4RRFFQ69G5FAV.${"A".repeat(43)}`,
    };
    for (const [name, token] of Object.entries(bad)) {
      for (const path of ["/logout", "/destroy", "/", "/keep", "/regenerate"]) {
        const response = await handler(request(path, token));
        assertEquals(response.headers.getSetCookie(), [], `${name} at ${path}`);
        assertEquals(await response.text(), "anonymous", `${name} at ${path}`);
      }
    }
    assertEquals(
      (await handler(request("/logout", live))).headers.getSetCookie().length,
      1,
    );
  },
);

testOnSpyStores(
  "R28 of two requests that end one session, one sends the deletion cookie",
  async (store) => {
    const events: SessionEvent[] = [];
    for (const batch of [true, false]) {
      const manager = new SessionManager({
        store,
        batch,
        onEvent: (event) => events.push(event),
      });
      const handler = serve(manager);
      const client = new TestClient(handler);
      await client.get("/start");
      const token = tokenOf(client);
      events.length = 0;
      const responses = await Promise.all(
        Array.from({ length: 5 }, () => handler(request("/logout", token))),
      );
      const sent = responses.filter(({ headers }) => headers.has("set-cookie"));
      assertEquals(sent.length, 1);
      assertEquals(events.filter(({ type }) => type === "ended").length, 1);
      assertEquals(events.filter(({ type }) => type === "dropped").length, 4);
    }
  },
);

testOnSpyStores(
  "R28 a logout whose record is already gone sends nothing",
  async (store) => {
    const manager = new SessionManager({ store });
    const client = new TestClient(withSession(async (request, session) => {
      if (request.url.endsWith("/start")) session.set("n", 1);
      else {
        assertEquals(await manager.revoke(session.id), true);
        session.logout();
      }
      return new Response();
    }, manager));
    await client.get("/start");
    const response = await client.get("/logout");
    assertEquals(response.headers.getSetCookie(), []);
    assertEquals(response.headers.get("cache-control"), null);
    assertEquals(client.cookies.length, 1);
  },
);

testOnSpyStores(
  "R29 10,000 anonymous logouts store nothing and ask for nothing",
  async (store) => {
    const handler = serve(new SessionManager({ store }));
    for (let count = 0; count < 10_000; count++) {
      const response = await handler(
        request(count % 2 === 0 ? "/logout" : "/destroy"),
      );
      assert(!response.headers.has("set-cookie"));
    }
    assertEquals(store.calls, { get: 0, commit: 0, list: 0 });
    assertEquals(await store.dump(), []);
  },
);

Deno.test("R30 a use after destroy in the same request is an error, never the old data", async () => {
  const manager = new SessionManager({ store: new MemoryStore() });
  const client = new TestClient(withSession((request, session) => {
    if (request.url.endsWith("/start")) {
      session.login("alice");
      session.set("secret", "old");
      session.flash("notice", "old");
      return new Response();
    }
    const before = session.get("secret");
    session.destroy();
    const uses: Record<string, () => unknown> = {
      get: () => session.get("secret"),
      has: () => session.has("secret"),
      size: () => session.size,
      entries: () => session.entries(),
      set: () => session.set("secret", "new"),
      delete: () => session.delete("secret"),
      clear: () => session.clear(),
      update: () => session.update("secret", () => "new"),
      "flash, taken": () => session.flash("notice"),
      "flash, queued": () => session.flash("notice", "new"),
      keepFlash: () => session.keepFlash(),
      persist: () => session.persist(true),
      login: () => session.login("bob"),
      regenerate: () => session.regenerate(),
    };
    for (const [name, use] of Object.entries(uses)) {
      const error = assertThrows(
        use,
        SessionClosedError,
        "the session must still be open: received a ",
        name,
      );
      assert(error.message.includes("after destroy"), `${name}: ${error}`);
      assert(!error.message.includes("old"), name);
    }
    assertEquals(session.subject, undefined);
    assertEquals(session.authenticatedAt, undefined);
    assert(!Deno.inspect(session).includes("old"));
    // a second end changes nothing, and is no error
    session.destroy();
    session.logout();
    return Response.json({ before });
  }, manager));
  await client.get("/start");
  const response = await client.get("/end");
  assertEquals(await response.json(), { before: "old" });
  assertEquals(client.cookies, []);
});

testOnSpyStores(
  "R31 anonymous traffic that stores nothing leaves no record and no cookie, and asks for nothing",
  async (store) => {
    const manager = new SessionManager({ store });
    const uses: ((session: Session) => unknown)[] = [
      () => {},
      (session) => session.get("x"),
      (session) => session.has("x"),
      (session) => [...session.entries()],
      (session) => [session.id, session.isNew, session.subject, session.size],
      (session) => session.delete("x"),
      (session) => session.clear(),
      (session) => session.flash("x"),
      (session) => session.keepFlash(),
      (session) => session.regenerate(),
      (session) => session.persist(true),
      (session) => session.destroy(),
      (session) => session.commit(),
      (session) => {
        session.set("x", 1);
        session.delete("x");
      },
      (session) => {
        session.set("x", 1);
        session.clear();
      },
      (session) => {
        session.flash("x", 1);
        assertEquals(session.flash("x"), 1);
      },
      (session) => {
        session.set("x", 1);
        session.login("alice");
        session.destroy();
      },
    ];
    for (const use of uses) {
      const response = await manager.handle(request("/"), async (session) => {
        await use(session);
        return new Response();
      });
      assertEquals(response.headers.getSetCookie(), [], String(use));
      assertEquals(response.headers.get("cache-control"), null);
    }
    assertEquals(store.calls, { get: 0, commit: 0, list: 0 });
    assertEquals(await store.dump(), []);
  },
);

testOnSpyStores(
  "R31 a session costs a get to read, and a get and a commit to write or to end",
  async (store) => {
    const client = new TestClient(serve(new SessionManager({ store })));
    const calls = async (path: string) => {
      store.reset();
      await client.get(path);
      return store.calls;
    };
    assertEquals(await calls("/"), { get: 0, commit: 0, list: 0 });
    assertEquals(await calls("/start"), { get: 0, commit: 1, list: 0 });
    assertEquals(await calls("/"), { get: 1, commit: 0, list: 0 });
    assertEquals(await calls("/start"), { get: 1, commit: 1, list: 0 });
    assertEquals(await calls("/login"), { get: 1, commit: 1, list: 0 });
    assertEquals(await calls("/regenerate"), { get: 1, commit: 1, list: 0 });
    assertEquals(await calls("/logout"), { get: 1, commit: 1, list: 0 });
  },
);

testOnSpyStores(
  "R32 forged and unknown ids create nothing, and are never adopted",
  async (store) => {
    const manager = new SessionManager({ store });
    const handler = serve(manager);
    const client = new TestClient(handler);
    await client.get("/start");
    const live = tokenOf(client);
    const [id = ""] = live.split(".");
    const before = await store.dump();
    const forged = [
      `${id}.${"A".repeat(43)}`,
      `01ARZ3NDEKTSV4RRFFQ69G5FAV.${"A".repeat(43)}`,
      `01ARZ3NDEKTSV4RRFFQ69G5FAV.${live.split(".")[1]}`,
      id,
      `${id}.`,
      `${live}.`,
      live.toLowerCase(),
    ];
    store.reset();
    for (const token of forged) {
      for (const path of ["/", "/logout", "/regenerate", "/keep", "/persist"]) {
        const response = await handler(request(path, token));
        assertEquals(await response.text(), "anonymous");
        assertEquals(response.headers.getSetCookie(), []);
      }
    }
    assertEquals(store.calls.commit, 0);
    assertEquals(await store.dump(), before);

    for (const token of forged) {
      const attacker = new TestClient(handler);
      await attacker.get("/start", {
        headers: { cookie: `${COOKIE}=${token}` },
      });
      assert(!tokenOf(attacker).includes(id));
      assert(!tokenOf(attacker).includes("01ARZ3NDEKTSV4RRFFQ69G5FAV"));
    }
    assertEquals((await store.dump()).length, 1 + forged.length);
  },
);

testOnSpyStores(
  "R34 a reader never writes data back over a writer",
  async (store) => {
    const clock = new TestClock();
    const manager = new SessionManager({ store, clock: clock.now });
    let written = Promise.withResolvers<void>();
    let loaded = Promise.withResolvers<void>();
    const handler = withSession(async (request, session) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/start") session.set("cart", ["apples"]);
      else if (pathname === "/write") {
        session.get<string[]>("cart")?.push("pears");
        session.set("colour", "red");
      } else if (pathname === "/delete") session.delete("cart");
      else if (pathname === "/slow") {
        session.get("cart");
        [...session.entries()];
        loaded.resolve();
        await written.promise;
      }
      return Response.json([...session.entries()]);
    }, manager);
    const client = new TestClient(handler, { clock: clock.now });
    await client.get("/start");
    const token = tokenOf(client);

    // once within the throttle, and once when the reader has to touch
    for (const [path, days] of [["/write", 0], ["/delete", 1]] as const) {
      written = Promise.withResolvers();
      loaded = Promise.withResolvers();
      clock.advance({ days });
      const reading = handler(request("/slow", token));
      await loaded.promise;
      const writer = await handler(request(path, token));
      const expected = await writer.json();
      written.resolve();
      await (await reading).body?.cancel();
      assertEquals(await (await handler(request("/", token))).json(), expected);
    }
    assertEquals(await (await client.get("/")).json(), [["colour", "red"]]);
  },
);

testOnSpyStores(
  "R37 a response is released only when its session is committed",
  async (store) => {
    const manager = new SessionManager({ store });
    const other = new SessionManager({ store });
    let committed = false;
    store.onCommit = async (call) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      const result = await call();
      committed = true;
      return result;
    };
    const submit = withSession((request, session) => {
      session.flash("notice", "saved");
      if (request.url.endsWith("/login")) session.login("alice");
      else session.set("n", 1);
      return new Response(null, {
        status: 302,
        headers: { location: "/next" },
      });
    }, manager);
    const show = withSession(
      (_request, session) =>
        Response.json([session.subject, session.flash("notice")]),
      other,
    );
    const client = new TestClient((request) =>
      request.url.endsWith("/next") ? show(request) : submit(request)
    );
    for (const path of ["/set", "/login", "/set"]) {
      committed = false;
      const response = await client.get(path);
      assertEquals(response.status, 302);
      assert(committed, path);
      const next = await client.get("/next");
      assertEquals((await next.json())[1], "saved", path);
    }
  },
);

Deno.test("R37 the target of a redirect sees the session from another process", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/sessions.db`;
    using kv = await Deno.openKv(path);
    const handler = withSession((_request, session) => {
      session.set("order", 7);
      return Response.redirect("https://example.com/next", 303);
    }, { store: new KvStore(kv) });
    const client = new TestClient(handler);
    await client.get("/order");
    const program = `
      import { withSession } from "${new URL("../mod.ts", import.meta.url)}";
      using kv = await Deno.openKv(${JSON.stringify(path)});
      const handler = withSession(
        (_request, session) => Response.json(session.get("order")),
        { store: kv },
      );
      const headers = { cookie: "${COOKIE}=${tokenOf(client)}" };
      const request = new Request("https://example.com/next", { headers });
      console.log(await (await handler(request)).text());
    `;
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        ...await stdArguments(),
        "-A",
        "--unstable-kv",
        "--no-check",
        `data:application/typescript,${encodeURIComponent(program)}`,
      ],
      cwd: new URL("../", import.meta.url),
      env: { NO_COLOR: "1" },
    });
    const { stdout, stderr } = await child.output();
    assertEquals(
      new TextDecoder().decode(stdout).trim(),
      "7",
      new TextDecoder().decode(stderr),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
