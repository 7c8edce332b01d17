/**
 * Sessions in the company of routers, servers and each other.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  MemoryStore,
  type Session,
  SessionManager,
  withLazySession,
  withSession,
} from "@tessera/session";
import { TestClient } from "@tessera/session/testing";
import { get, serve } from "./_helpers.ts";

/** A handler as the `route()` of `@std/http` calls it. */
type RouteHandler = (
  request: Request,
  params: URLPatternResult,
  info?: Deno.ServeHandlerInfo,
) => Response | Promise<Response>;

/** Picks the first route that fits, as the `route()` of `@std/http` does. */
function route(
  routes: { pattern: URLPattern; method?: string; handler: RouteHandler }[],
  otherwise: Deno.ServeHandler,
): Deno.ServeHandler {
  return (request, info) => {
    for (const { pattern, method = "GET", handler } of routes) {
      const params = pattern.exec(request.url);
      if (params !== null && request.method === method) {
        return handler(request, params, info);
      }
    }
    return otherwise(request, info);
  };
}

Deno.test("withSession() composes with a router that passes params and info", async () => {
  const sessions = new SessionManager({ store: new MemoryStore() });
  const router = route([
    {
      pattern: new URLPattern({ pathname: "/cart/:item" }),
      method: "POST",
      handler: withSession((_request, session, params: URLPatternResult) => {
        const { item } = params.pathname.groups;
        session.update<(string | undefined)[]>(
          "cart",
          (cart = []) => [...cart, item],
        );
        return new Response(null, { status: 204 });
      }, sessions),
    },
    {
      pattern: new URLPattern({ pathname: "/cart" }),
      handler: withSession(
        (
          _request,
          session,
          _params: URLPatternResult,
          info?: Deno.ServeHandlerInfo,
        ) => Response.json([session.get("cart"), info?.remoteAddr.transport]),
        sessions,
      ),
    },
    {
      pattern: new URLPattern({ pathname: "/lazy/:key" }),
      handler: withLazySession(
        async (_request, lazy, params: URLPatternResult) => {
          const { key = "" } = params.pathname.groups;
          return Response.json((await lazy.load()).get(key));
        },
        sessions,
      ),
    },
  ], () => new Response("Not found", { status: 404 }));
  await using server = serve(router);
  const origin = `http://localhost:${server.addr.port}`;
  const client = new TestClient((request) => fetch(request), {
    origin: origin.replace("localhost", "127.0.0.1"),
  });
  const send = async (path: string, init?: RequestInit) => {
    const response = await client.fetch(path, init);
    return [response.status, await response.text()];
  };
  assertEquals(await send("/cart"), [200, `[null,"tcp"]`]);
  assertEquals(await send("/cart/apples", { method: "POST" }), [204, ""]);
  assertEquals(await send("/cart/pears", { method: "POST" }), [204, ""]);
  assertEquals(await send("/cart"), [200, `[["apples","pears"],"tcp"]`]);
  assertEquals(await send("/lazy/cart"), [200, `["apples","pears"]`]);
  assertEquals(await send("/nowhere"), [404, "Not found"]);
});

Deno.test("withSession() gives the handler exactly what it was called with", async () => {
  const handler = withSession(
    (request, session, ...rest: unknown[]) => {
      assert(request instanceof Request && session.isNew);
      return Response.json(rest);
    },
    { store: new MemoryStore() },
  );
  const calls: unknown[][] = [[], [1], [undefined], [1, "two", null, [3]]];
  for (const rest of calls) {
    const response = await handler(get(), ...rest);
    assertEquals(
      await response.json(),
      rest.map((value) => value ?? null),
    );
  }
});

Deno.test("withSession() nests: two sessions, and the end of one leaves the other", async () => {
  const shop = new SessionManager({
    store: new MemoryStore(),
    cookie: { name: "shop" },
  });
  const account = new SessionManager({
    store: new MemoryStore(),
    cookie: { name: "account" },
  });
  const handler = withSession(
    withSession((request, inner, outer: Session) => {
      switch (new URL(request.url).pathname) {
        case "/start":
          inner.set("name", "ada");
          outer.set("cart", ["apples"]);
          break;
        case "/logout":
          inner.logout();
          return new Response();
      }
      return Response.json([inner.get("name"), outer.get("cart")]);
    }, account),
    shop,
  );
  const client = new TestClient(handler);
  const show = async (path: string) => (await client.get(path)).json();
  assertEquals(await show("/"), [null, null]);
  assertEquals(await show("/start"), ["ada", ["apples"]]);
  assertEquals(
    client.cookies.map(({ name }) => name).sort(),
    ["account", "shop"],
  );
  assertEquals(await show("/"), ["ada", ["apples"]]);
  await client.get("/logout");
  assertEquals(client.cookies.map(({ name }) => name), ["shop"]);
  assertEquals(await show("/"), [null, ["apples"]]);
});

Deno.test("Two managers of one cookie name on one request are an error that names it", async () => {
  const store = new MemoryStore();
  const named = (name: string) =>
    new SessionManager({ store, cookie: { name } });
  const handler = withSession(
    withSession((_request, inner, outer: Session) => {
      inner.set("a", 1);
      outer.set("a", 1);
      return new Response();
    }, named("twice")),
    named("twice"),
  );
  await assertRejects(() => handler(get()), TypeError, `"twice"`);
  assertEquals(store.size, 0);
});

Deno.test("One manager may be used twice on one request, after the other", async () => {
  const sessions = new SessionManager({ store: new MemoryStore() });
  const request = get();
  for (let round = 0; round < 2; round++) {
    const response = await sessions.handle(
      request,
      (session) => new Response(session.id),
    );
    assertEquals(response.status, 200);
  }
});

Deno.test("SessionManager.load() and .commit() are the halves of .handle()", async () => {
  const sessions = new SessionManager({ store: new MemoryStore() });
  const client = new TestClient(async (request) => {
    const session = await sessions.load(request);
    session.update<number>("count", (count = 0) => count + 1);
    const { count } = Object.fromEntries(session.entries());
    return await sessions.commit(session, Response.json(count));
  });
  assertEquals(await (await client.get("/")).json(), 1);
  assertEquals(await (await client.get("/")).json(), 2);
  const other = new SessionManager({ store: new MemoryStore() });
  const foreign = await other.load(get());
  await assertRejects(
    () => sessions.commit(foreign, new Response()),
    TypeError,
    "received another manager's",
  );
  await assertRejects(
    () => sessions.commit({} as Session, new Response()),
    TypeError,
    "want one that this manager loaded",
  );
});
