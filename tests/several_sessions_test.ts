/**
 * Several sessions in one app, each with its own name, store, keys and lifetimes.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  headerTransport,
  MemoryStore,
  type Session,
  SessionManager,
  withSession,
} from "@tessera/session";
import { TestClient, TestClock } from "@tessera/session/testing";
import { get, key, tokenOf } from "./_helpers.ts";

/** A shop whose visitors have a basket, and whose staff signs in beside it. */
function newShop() {
  const clock = new TestClock();
  const basketStore = new MemoryStore();
  const staffStore = new MemoryStore();
  const baskets = new SessionManager<{ items: string[] }>({
    store: basketStore,
    clock: clock.now,
    cookie: { name: "__Host-basket" },
    idleTimeout: { days: 30 },
  });
  const staff = new SessionManager<{ role: string }>({
    store: staffStore,
    clock: clock.now,
    cookie: { name: "__Host-staff", sameSite: "Strict" },
    idleTimeout: { minutes: 15 },
    secrets: [key("s")],
  });
  const handler = withSession(
    withSession(
      (request, session, basket: Session<{ items: string[] }>) => {
        switch (new URL(request.url).pathname) {
          case "/add":
            basket.update("items", (items = []) => [...items, "apples"]);
            break;
          case "/login":
            session.login("ada");
            session.set("role", "clerk");
            break;
          case "/logout":
            session.logout();
            return new Response("bye");
          case "/empty":
            basket.destroy();
            return new Response("empty");
        }
        return Response.json({
          who: session.subject,
          role: session.get("role"),
          items: basket.get("items"),
        });
      },
      staff,
    ) satisfies (
      request: Request,
      basket: Session<{ items: string[] }>,
    ) => Promise<Response>,
    baskets,
  );
  const client = new TestClient((request) => handler(request), {
    clock: clock.now,
  });
  return { client, clock, basketStore, staffStore };
}

Deno.test("two sessions in one app are two: one ends, the other stays", async () => {
  const { client, clock, basketStore, staffStore } = newShop();
  const page = async (path = "/") => await (await client.get(path)).json();
  await client.get("/add");
  assertEquals(client.cookies.map(({ name }) => name), ["__Host-basket"]);
  const login = await client.get("/login");
  assertEquals(login.headers.getSetCookie().length, 1);
  assertEquals(login.headers.get("vary"), "Cookie");
  assertEquals([basketStore.size, staffStore.size], [1, 1]);
  const both = { who: "ada", role: "clerk", items: ["apples"] };
  assertEquals(await page(), both);

  await client.get("/logout");
  assertEquals(await page(), { items: ["apples"] });
  await client.get("/login");
  // each by its own timeout
  clock.advance({ minutes: 15 });
  assertEquals(await page(), { items: ["apples"] });
  await client.get("/login");
  await client.get("/empty");
  assertEquals(await page(), { who: "ada", role: "clerk" });
  assertEquals(basketStore.size, 0);
});

Deno.test("two sessions that one request makes travel in two cookies", async () => {
  const store = new MemoryStore();
  const outer = new SessionManager({ store, cookie: { name: "__Host-a" } });
  const inner = new SessionManager({ store, cookie: { name: "__Host-b" } });
  const handler = withSession(
    withSession((_request, b, a: Session) => {
      a.set("n", 1);
      b.set("n", 2);
      return Response.redirect("https://example.com/", 303);
    }, inner),
    outer,
  );
  const response = await handler(get());
  assertEquals(
    response.headers.getSetCookie().map((line) => line.split("=")[0]).sort(),
    ["__Host-a", "__Host-b"],
  );
  assertEquals(response.headers.get("vary"), "Cookie");
  assert(tokenOf(response, "__Host-a") !== tokenOf(response, "__Host-b"));
  assertEquals(store.size, 2);
});

Deno.test("R17 tokens of two sessions under one key are not interchangeable", async () => {
  const store = new MemoryStore();
  for (const secrets of [[key("k")]]) {
    const admin = new SessionManager({
      store,
      secrets,
      cookie: { name: "__Host-admin" },
    });
    const user = new SessionManager({
      store,
      secrets,
      cookie: { name: "__Host-user" },
    });
    const token = tokenOf(
      await user.handle(get(), (session) => {
        session.login("ada");
        return new Response();
      }),
      "__Host-user",
    );
    const subjectAt = async (sessions: SessionManager, cookie: string) => {
      const response = await sessions.handle(
        get(cookie),
        (session) => new Response(session.subject ?? "nobody"),
      );
      return await response.text();
    };
    assertEquals(await subjectAt(user, `__Host-user=${token}`), "ada");
    assertEquals(await subjectAt(admin, `__Host-admin=${token}`), "nobody");
    assertEquals(
      await subjectAt(admin, `__Host-user=${token}; __Host-admin=${token}`),
      "nobody",
    );
  }
});

Deno.test("two managers with the same cookie name on one request are a TypeError that names it", async () => {
  const store = new MemoryStore();
  const pairs: [SessionManager, SessionManager, string][] = [
    [
      new SessionManager({ store }),
      new SessionManager({ store }),
      `"__Host-session" twice; set "cookie: { name }"`,
    ],
    [
      new SessionManager({ store, cookie: { name: "sid" } }),
      new SessionManager({ store, cookie: { name: "sid", path: "/a" } }),
      `"sid" twice; set "cookie: { name }"`,
    ],
    [
      new SessionManager({ store, transport: headerTransport() }),
      new SessionManager({
        store,
        transport: headerTransport({ name: "X-Session" }),
      }),
      `"x-session" twice; give one another transport`,
    ],
  ];
  for (const [outer, inner, name] of pairs) {
    const nested = withSession(
      withSession(() => assert(false, "it must not run") as never, inner),
      outer,
    );
    const error = await assertRejects(() => nested(get()), TypeError, name);
    assert(error.message.includes("different names"));
    // one after the other they are none
    const alone = (manager: SessionManager) =>
      withSession(() => new Response("alone"), manager)(get());
    assertEquals(await (await alone(outer)).text(), "alone");
    assertEquals(await (await alone(inner)).text(), "alone");
  }
  assertEquals(store.size, 0);
});

Deno.test("an error of the inner handler leaves both sessions unsaved", async () => {
  const store = new MemoryStore();
  const outer = new SessionManager({ store, cookie: { name: "a" } });
  const inner = new SessionManager({ store, cookie: { name: "b" } });
  const handler = withSession(
    withSession((_request, b, a: Session) => {
      a.set("n", 1);
      b.set("n", 1);
      throw new Error("handler");
    }, inner),
    outer,
  );
  await assertRejects(() => handler(get()), Error, "handler");
  assertEquals(store.size, 0);
});
