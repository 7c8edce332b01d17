import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  KvStore,
  type Session,
  SessionManager,
  withSession,
} from "@tessera/session";
import { TestClient, TestClock } from "@tessera/session/testing";
import { stdArguments } from "../tools/std.ts";
import { testOnSpyMemory, testOnSpyStores } from "./_spy_store.ts";
import { COOKIE, request, serve, tokenOf } from "./_known_app.ts";

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

testOnSpyMemory(
  "R32 a new session does not take the place of what is under its id",
  async (store) => {
    const manager = new SessionManager({ store });
    let id = "";
    store.onCommit = async (call) => {
      store.onCommit = undefined;
      const put = [{ id, record: "another's", expireIn: 60_000 }];
      await store.commit({ check: [], put, delete: [] });
      return await call();
    };
    await assertRejects(
      () =>
        manager.handle(request("/"), (session) => {
          session.set("n", 1);
          id = session.id;
          return new Response();
        }),
      TypeError,
      "Cannot create session: want an id that is free",
    );
    assertEquals((await store.get(id))?.record, "another's");
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
