/**
 * What apps do with sessions, over real HTTP: the stories that the documents of
 * other libraries tell.
 */

import { assert, assertEquals } from "@std/assert";
import {
  headerTransport,
  MemoryStore,
  requireSession,
  SessionManager,
  type SessionOptions,
  type SessionStore,
  withSession,
} from "@tessera/session";
import { TestClient, TestClock } from "@tessera/session/testing";
import { z } from "zod";
import { serve, testOnStores } from "./_helpers.ts";

/** An app on a port of its own; browsers come to it by `browser()`. */
function start(handler: (request: Request) => Response | Promise<Response>) {
  const server = serve((request) => handler(request));
  const origin = `http://localhost:${server.addr.port}`;
  return {
    origin,
    browser: (clock?: () => number) =>
      new TestClient((request) => fetch(request, { redirect: "manual" }), {
        origin,
        ...(clock === undefined ? {} : { clock }),
      }),
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

async function text(response: Promise<Response>): Promise<string> {
  return await (await response).text();
}

testOnStores(
  "the counter: 0, 1, another browser 0, logout, 0",
  async ({ store }) => {
    await using app = start(withSession((request, session) => {
      if (request.url.endsWith("/logout")) {
        session.logout();
        return new Response("bye");
      }
      const count = session.get<number>("count") ?? 0;
      session.set("count", count + 1);
      return new Response(String(count));
    }, { store }));
    const ada = app.browser();
    const bob = app.browser();
    assertEquals(await text(ada.get("/")), "0");
    assertEquals(await text(ada.get("/")), "1");
    assertEquals(await text(bob.get("/")), "0");
    assertEquals(await text(ada.post("/logout")), "bye");
    assertEquals(ada.cookies, []);
    assertEquals(await text(ada.get("/")), "0");
    assertEquals(await text(bob.get("/")), "1");
  },
);

testOnStores(
  "sign in, see who you are, sign out: login first",
  async ({ store }) => {
    await using app = start(withSession(async (request, session) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/login" && request.method === "POST") {
        const form = await request.formData();
        session.login(String(form.get("name")));
        return new Response(null, { status: 303, headers: { location: "/" } });
      }
      if (pathname === "/logout") session.logout();
      else if (session.subject !== undefined) {
        return new Response(`you are ${session.subject}`);
      }
      return new Response("login first", { status: 401 });
    }, { store }));
    const browser = app.browser();
    assertEquals(await text(browser.get("/")), "login first");
    const form = new URLSearchParams({ name: "Ada" });
    const login = await browser.post("/login", form);
    assertEquals(login.status, 303);
    await login.body?.cancel();
    const before = browser.cookies[0]?.value;
    assertEquals(await text(browser.get("/")), "you are Ada");
    await text(browser.post("/login", new URLSearchParams({ name: "Bob" })));
    assert(browser.cookies[0]?.value !== before);
    assertEquals(await text(browser.get("/")), "you are Bob");
    assertEquals(await text(browser.post("/logout")), "login first");
    const again = await browser.get("/");
    assertEquals([again.status, await again.text()], [401, "login first"]);
  },
);

/** An app that creates, reads and deletes a session with typed data. */
function newTypedApp(store: SessionStore) {
  const schema = z.object({ username: z.string().min(1), admin: z.boolean() });
  const sessions = new SessionManager({ store, schema });
  const create = withSession((request, session) => {
    const username = new URL(request.url).pathname.split("/")[2] ?? "";
    session.login(username);
    session.set("username", username);
    session.set("admin", username === "root");
    return new Response(`created session for ${username}`);
  }, sessions);
  const whoAmI = requireSession(
    (_request, session) => Response.json(Object.fromEntries(session.entries())),
    sessions,
    {
      verify: async (session) => {
        await Promise.resolve(); // a directory would be asked here
        return session.get("username") !== "mallory";
      },
      reject: (_request, _session, status) =>
        new Response(
          status === 401 ? "no session provided" : "invalid session",
          { status: 403 },
        ),
    },
  );
  const remove = withSession((_request, session) => {
    session.destroy();
    return new Response("deleted session");
  }, sessions);
  return start((request) => {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/create_session/")) return create(request);
    return pathname === "/whoami" ? whoAmI(request) : remove(request);
  });
}

testOnStores(
  "create, read and delete a session with typed data",
  async ({ store }) => {
    await using app = newTypedApp(store);
    const browser = app.browser();
    const created = browser.post("/create_session/ada");
    assertEquals(await text(created), "created session for ada");
    assertEquals(await (await browser.get("/whoami")).json(), {
      username: "ada",
      admin: false,
    });
    assertEquals(
      await text(browser.post("/delete_session")),
      "deleted session",
    );
    assertEquals(browser.cookies, []);
    const after = await browser.get("/whoami");
    assertEquals([after.status, await after.text()], [
      403,
      "no session provided",
    ]);
  },
);

testOnStores(
  "an invalid session is 403 with a text of one's own",
  async ({ store }) => {
    await using app = newTypedApp(store);
    const browser = app.browser();
    const refused = async (expected: string) => {
      const response = await browser.get("/whoami");
      assertEquals([response.status, await response.text()], [403, expected]);
    };
    await refused("no session provided");
    await text(browser.post("/create_session/mallory"));
    await refused("invalid session");
    // a token that nobody issued is as good as none
    const forged = await browser.get("/whoami", {
      headers: { cookie: "__Host-session=forged" },
    });
    assertEquals([forged.status, await forged.text()], [
      403,
      "no session provided",
    ]);
  },
);

testOnStores(
  "a client without cookies keeps its token itself, and is told when it is over",
  async ({ store }) => {
    await using app = start(withSession((request, session) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/login") session.login("robot");
      if (pathname === "/logout") session.logout();
      else if (session.subject === undefined) {
        return new Response("login first");
      }
      return new Response("done");
    }, { store, transport: headerTransport({ name: "X-Session-Id" }) }));
    let token = "";
    const send = async (path: string) => {
      const headers: HeadersInit = token === ""
        ? {}
        : { "x-session-id": token };
      const response = await fetch(`${app.origin}${path}`, { headers });
      assertEquals(response.headers.has("set-cookie"), false);
      token = response.headers.get("x-session-id") ?? token;
      return await response.text();
    };
    assertEquals(await send("/"), "login first");
    assertEquals(token, "");
    assertEquals(await send("/login"), "done");
    assertEquals(await send("/"), "done");
    await send("/logout");
    assertEquals(token, "");
    assertEquals(await send("/"), "login first");
  },
);

Deno.test("remember me: who asks for it is known after a restart of the browser, and for as long", async () => {
  const clock = new TestClock();
  const options: SessionOptions = {
    store: new MemoryStore(),
    clock: clock.now,
    cookie: { persistent: false },
    idleTimeout: { days: 10 },
  };
  await using app = start(withSession((request, session) => {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/login") {
      session.login("ada");
      if (searchParams.has("remember")) {
        session.persist(searchParams.get("remember") === "yes");
      }
    }
    if (pathname === "/new-id") session.regenerate();
    return new Response(session.subject ?? "login first");
  }, options));
  for (const remember of [undefined, "no", "yes"]) {
    const browser = app.browser(clock.now);
    const query = remember === undefined ? "" : `?remember=${remember}`;
    await text(browser.get(`/login${query}`));
    const { expiresAt } = browser.cookies[0] ?? {};
    const kept = remember === "yes";
    assertEquals(expiresAt, kept ? clock.now() + 10 * 86_400_000 : undefined);
    // it survives a touch, a new id, and a sign-in anew
    clock.advance({ days: 5 });
    for (const path of ["/", "/new-id", "/login"]) {
      assertEquals(await text(browser.get(path)), "ada");
      assertEquals(browser.cookies[0]?.expiresAt !== undefined, kept, path);
    }
    assertEquals(
      browser.cookies[0]?.expiresAt,
      kept ? clock.now() + 10 * 86_400_000 : undefined,
    );
    browser.restart();
    assertEquals(await text(browser.get("/")), kept ? "ada" : "login first");
  }
});

Deno.test("a notice lives through a chain of redirects, several of a kind in their order", async () => {
  interface Data {
    name: string;
  }
  interface Flash {
    notice: string;
    error: { code: number };
  }
  const sessions = new SessionManager<Data, Flash>({
    store: new MemoryStore(),
  });
  await using app = start(withSession((request, session) => {
    const to = (location: string) =>
      new Response(null, { status: 303, headers: { location } });
    switch (new URL(request.url).pathname) {
      case "/save":
        session.flash("notice", "saved");
        session.flash("error", { code: 7 });
        session.flash("notice", "mailed");
        return to("/old");
      case "/old": {
        const seen = session.flash("notice");
        assertEquals(seen, "saved");
        session.flash("error");
        session.keepFlash(); // it is not this page that shows them
        return to("/older");
      }
      case "/older":
        session.flash("error");
        session.flash("notice");
        session.keepFlash("notice");
        return to("/page");
      default: {
        const notices: (string | undefined)[] = [];
        for (let n = 0; n < 3; n++) notices.push(session.flash("notice"));
        const code: number | undefined = session.flash("error")?.code;
        // @ts-expect-error -- flash values are no data
        session.get("notice");
        // @ts-expect-error -- nor is data a flash value
        session.flash("name");
        return Response.json({ notices, code, size: session.size });
      }
    }
  }, sessions));
  const browser = app.browser();
  const response = await browser.post("/save", null, { redirect: "follow" });
  assertEquals(await response.json(), {
    notices: ["saved", "mailed", null],
    size: 0,
  });
  assertEquals(await (await browser.get("/page")).json(), {
    notices: [null, null, null],
    size: 0,
  });
});
