/**
 * Responses of every kind come through whole.
 */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  MemoryStore,
  type Session,
  SessionManager,
  withSession,
} from "@tessera/session";
import {
  COOKIE,
  get,
  getWith,
  rawRequest,
  serve,
  testOnStores,
  tokenOf,
} from "./_helpers.ts";

function remember(session: Session): Response {
  session.set("seen", true);
  return new Response();
}

async function newToken(sessions: SessionManager): Promise<string> {
  return tokenOf(await sessions.handle(get(), remember));
}

testOnStores(
  "R47 one shared response gives neither of two users the other's cookie",
  async ({ store }) => {
    const shared = new Response(null, { status: 204 });
    const handler = withSession((request, session) => {
      session.set("who", new URL(request.url).searchParams.get("who"));
      return shared;
    }, { store });
    const ask = (who: string) =>
      get(undefined, `https://example.com/?who=${who}`);
    const [ada, bob] = await Promise.all([
      handler(ask("ada")),
      handler(ask("bob")),
    ]);
    assertEquals([ada.status, bob.status], [204, 204]);
    assert(tokenOf(ada) !== tokenOf(bob));
    assertEquals([...shared.headers], []);
    const next = await handler(ask("eve"));
    assertEquals(next.headers.getSetCookie().length, 1);
    assertEquals([...shared.headers], []);
    // nor does a deletion stay in it
    const sessions = new SessionManager({ store });
    await sessions.handle(getWith(tokenOf(ada)), (session) => {
      session.logout();
      return shared;
    });
    assertEquals(shared.headers.getSetCookie(), []);
    assertEquals(shared.headers.get("cache-control"), null);
  },
);

testOnStores(
  "R47 responses of every kind keep their status, body and headers",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    const form = new FormData();
    form.set("a", "1");
    const kinds: Record<string, () => Response> = {
      "a redirect": () => Response.redirect("https://example.com/next", 303),
      "a permanent one": () =>
        Response.redirect("https://example.com/next", 308),
      "JSON": () => Response.json({ a: 1 }, { status: 201 }),
      "a form": () => new Response(form),
      "bytes": () => new Response(new Uint8Array([0, 255])),
      "a Blob": () => new Response(new Blob(["x"], { type: "text/x" })),
      "nothing": () => new Response(),
      "204": () => new Response(null, { status: 204 }),
      "205": () => new Response(null, { status: 205 }),
      "304": () =>
        new Response(null, { status: 304, headers: { etag: `"1"` } }),
      "a teapot": () =>
        new Response("short", { status: 418, statusText: "I'm a teapot" }),
      "500": () => new Response("sorry", { status: 500 }),
    };
    for (const [kind, make] of Object.entries(kinds)) {
      const plain = make();
      const response = await sessions.handle(get(), (session) => {
        remember(session);
        return kind === "a form" ? plain.clone() : make();
      });
      tokenOf(response);
      const { status, statusText } = plain;
      assertEquals([response.status, response.statusText], [
        status,
        statusText,
      ]);
      const own = [...response.headers].filter(([name]) =>
        !["set-cookie", "vary", "cache-control"].includes(name)
      );
      assertEquals(own, [...plain.headers], kind);
      assertEquals(await response.bytes(), await plain.bytes(), kind);
      if (plain.body === null) assertStrictEquals(response.body, null);
    }
  },
);

testOnStores(
  "R47 Response.error() passes through as it is",
  async ({ store }) => {
    const error = Response.error();
    const sessions = new SessionManager({ store });
    const token = await newToken(sessions);
    for (const request of [get(), getWith(token)]) {
      const response = await sessions.handle(request, (session) => {
        session.set("seen", false);
        return error;
      });
      assertStrictEquals(response, error);
    }
  },
);

testOnStores(
  "R47 the app's own Set-Cookie lines stay as they are, before ours",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    const own = [
      "theme=dark; Path=/; Expires=Wed, 21 Oct 2026 07:28:00 GMT",
      "lang=en",
      "theme=light; Path=/admin",
    ];
    const reply = () =>
      new Response(null, {
        headers: own.map((line): [string, string] => ["set-cookie", line]),
      });
    const write = await sessions.handle(get(), (session) => {
      remember(session);
      return reply();
    });
    const lines = write.headers.getSetCookie();
    assertEquals(lines.slice(0, 3), own);
    assertEquals(lines.length, 4);
    assert(lines[3]?.startsWith(`${COOKIE}=`));

    const read = await sessions.handle(getWith(tokenOf(write)), (session) => {
      session.get("seen");
      return reply();
    });
    assertEquals(read.headers.getSetCookie(), own);
  },
);

testOnStores(
  "R47 a stream goes through unread, and can be cancelled",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    let pulled = 0;
    let cancelled: unknown;
    const response = await sessions.handle(get(), (session) => {
      remember(session);
      return new Response(
        new ReadableStream({
          pull(controller) {
            controller.enqueue(new TextEncoder().encode(`${pulled++};`));
          },
          cancel(reason) {
            cancelled = reason;
          },
        }, { highWaterMark: 0 }),
        { headers: { "content-type": "text/event-stream" } },
      );
    });
    tokenOf(response);
    assertEquals(pulled, 0, "nothing is read before the client reads");
    const reader = response.body?.getReader();
    const chunk = await reader?.read();
    assertEquals(new TextDecoder().decode(chunk?.value), "0;");
    assertEquals(pulled, 1);
    await reader?.cancel("enough");
    assertEquals(cancelled, "enough");
  },
);

Deno.test("R47 fetched responses go through with status, body and all headers", async () => {
  await using upstream = serve((request) => {
    const headers = new Headers({ "x-own": "1", "content-type": "text/x" });
    headers.append("set-cookie", "a=1; Path=/");
    headers.append("set-cookie", "b=2");
    return new URL(request.url).pathname === "/204"
      ? new Response(null, { status: 204, headers })
      : new Response("from far away", { status: 202, headers });
  });
  const origin = `http://127.0.0.1:${upstream.addr.port}`;
  const sessions = new SessionManager({ store: new MemoryStore() });
  for (const use of [remember, (session: Session) => session.id]) {
    for (const [path, status] of [["/", 202], ["/204", 204]] as const) {
      const response = await sessions.handle(get(), async (session) => {
        use(session);
        return await fetch(origin + path);
      });
      const text = status === 202 ? "from far away" : "";
      assertEquals([response.status, await response.text()], [status, text]);
      assertEquals(response.headers.get("x-own"), "1");
      assertEquals(response.headers.get("content-type"), "text/x");
      assertEquals(response.headers.get("vary"), "Cookie");
      const lines = response.headers.getSetCookie();
      assertEquals(lines.slice(0, 2), ["a=1; Path=/", "b=2"]);
      assertEquals(lines.length, use === remember ? 3 : 2);
    }
  }
});

Deno.test("R47 HEAD, 304, redirects and streams arrive intact over a socket", async () => {
  const handler = withSession((request, session) => {
    session.set("seen", true);
    switch (new URL(request.url).pathname) {
      case "/304":
        return new Response(null, { status: 304, headers: { etag: `"1"` } });
      case "/redirect":
        return Response.redirect("http://localhost/next", 302);
      case "/stream":
        return new Response(
          ReadableStream.from(["a", "b", "c"]).pipeThrough(
            new TextEncoderStream(),
          ),
        );
      default:
        return new Response("body", { headers: { "x-own": "1" } });
    }
  }, { store: new MemoryStore() });
  await using server = serve(handler);
  const ask = async (start: string) => {
    const { port } = server.addr;
    const answer = await rawRequest(port, [], `${start} HTTP/1.1`);
    const lines = answer.lines.map((line) => line.toLowerCase());
    const ours = lines.filter((line) => line.startsWith("set-cookie: "));
    assertEquals(ours.length, 1);
    assert(ours[0]?.startsWith(`set-cookie: ${COOKIE.toLowerCase()}=`));
    assert(lines.includes("cache-control: no-store"));
    assert(lines.includes("vary: cookie"));
    return { ...answer, lines };
  };
  const head = await ask("HEAD /");
  assertEquals([head.status, head.body], [200, ""]);
  assert(head.lines.includes("x-own: 1"));
  assert(head.lines.includes("content-length: 4"));
  const body = await ask("GET /");
  assertEquals([body.status, body.body], [200, "body"]);
  const cached = await ask("GET /304");
  assertEquals([cached.status, cached.body], [304, ""]);
  assert(cached.lines.includes(`etag: "1"`));
  const redirect = await ask("POST /redirect");
  assertEquals([redirect.status, redirect.body], [302, ""]);
  assert(redirect.lines.includes("location: http://localhost/next"));
  const stream = await ask("GET /stream");
  assertEquals(stream.status, 200);
  assertEquals(stream.body.replace(/\r\n|\d/g, ""), "abc");
});

Deno.test("R47 a WebSocket upgrade keeps its 101, and carries the cookie", async () => {
  const seen: unknown[] = [];
  const handler = withSession((request, session) => {
    seen.push(session.get("visits"));
    session.update<number>("visits", (visits = 0) => visits + 1);
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => socket.send(`echo ${data}`);
    return response;
  }, { store: new MemoryStore() });
  await using server = serve(handler);
  const url = `ws://127.0.0.1:${server.addr.port}/`;

  // byte by byte: the client below does not show the headers of the answer
  const connection = await Deno.connect({
    hostname: "127.0.0.1",
    port: server.addr.port,
  });
  await connection.write(new TextEncoder().encode(
    [
      "GET / HTTP/1.1",
      "Host: localhost",
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      "",
      "",
    ].join("\r\n"),
  ));
  // rather a failure than a test that never ends
  const deadline = setTimeout(() => connection.close(), 10_000);
  let head = "";
  const buffer = new Uint8Array(4_096);
  while (!head.includes("\r\n\r\n")) {
    const read = await connection.read(buffer) ?? 0;
    assert(read > 0, "the server hung up");
    head += new TextDecoder().decode(buffer.subarray(0, read));
  }
  clearTimeout(deadline);
  connection.close();
  assert(head.startsWith("HTTP/1.1 101 "), head);
  assert(
    /^sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r$/mi.test(head),
  );
  assertEquals(head.match(/^set-cookie: /gmi)?.length, 1);
  const [, token] = head.match(/^set-cookie: __Host-session=([^;]+);/mi) ?? [];

  const socket = new WebSocket(url, {
    headers: { cookie: `${COOKIE}=${token}` },
  });
  const answer = Promise.withResolvers<unknown>();
  socket.onopen = () => socket.send("hello");
  socket.onmessage = ({ data }) => answer.resolve(data);
  socket.onerror = () => answer.reject(new Error("the socket failed"));
  assertEquals(await answer.promise, "echo hello");
  const closed = Promise.withResolvers<void>();
  socket.onclose = () => closed.resolve();
  socket.close();
  await closed.promise;
  assertEquals(seen, [undefined, 1]);
});
