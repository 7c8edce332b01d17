/**
 * WebSockets: an upgrade has its session, and is closed when the session ends.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  KvStore,
  MemoryStore,
  type Session,
  SessionClosedError,
  SessionManager,
  withSession,
} from "@tessera/session";
import { rawRequest, serve } from "./_helpers.ts";
import { type LiveStore, liveStore, settled, until } from "./_live.ts";

const UPGRADE = [
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/** What an app does with a socket on the server's side. */
type Use = (socket: WebSocket, session: Session) => void;

/** An app with `/login`, `/logout`, `/login-bob`, and sockets everywhere else. */
function serveSockets(store: LiveStore, use: Use = () => {}) {
  const sessions = new SessionManager({ store, cookie: { secure: false } });
  const server = serve(withSession((request, session) => {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/login")) {
      session.login(pathname === "/login" ? "ada" : "bob");
      return new Response(session.id);
    }
    if (pathname === "/logout") {
      session.logout();
      return new Response("bye");
    }
    const { socket, response } = Deno.upgradeWebSocket(request);
    session.attach(socket);
    use(socket, session);
    return response;
  }, sessions));
  const { port } = server.addr;
  return {
    port,
    sessions,
    async fetch(path: string, cookie = "") {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        headers: { cookie },
      });
      const [line = ""] = response.headers.getSetCookie();
      return { text: await response.text(), cookie: line.split(";")[0] ?? "" };
    },
    async [Symbol.asyncDispose]() {
      await server.shutdown();
      await sessions[Symbol.asyncDispose]();
    },
  };
}

/** A socket on the client's side, open, and how it was closed. */
async function connect(port: number, cookie: string) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket`, {
    headers: { cookie },
  });
  const closed = new Promise<CloseEvent>((resolve) => {
    socket.addEventListener("close", resolve);
  });
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve());
    socket.addEventListener("error", () => reject(new Error("no socket")));
  });
  return {
    socket,
    closed,
    async close() {
      socket.close();
      await closed;
    },
  };
}

Deno.test("a WebSocket upgrade is an intact 101 with the session's cookie, and its writes are saved", async () => {
  const store = liveStore(new MemoryStore());
  const seen: unknown[] = [];
  const sessions = new SessionManager({ store, cookie: { secure: false } });
  const server = serve(withSession((request, session) => {
    if (request.headers.get("upgrade") === null) {
      return Response.json([...session.entries()]);
    }
    seen.push(session.isNew, session.get("n"));
    session.update<number>("n", (n = 0) => n + 1);
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => {
      seen.push(session.get("n"));
      assertThrows(
        () => session.set("n", data),
        SessionClosedError,
        "use manager.edit",
      );
      socket.send(`echo ${data}`);
    };
    return response;
  }, sessions));
  const { port } = server.addr;

  // by hand, as a client of the platform does not show the headers of a 101
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const lines = ["GET / HTTP/1.1", "Host: localhost", "Connection: Upgrade"];
  await connection.write(
    new TextEncoder().encode(`${[...lines, ...UPGRADE].join("\r\n")}\r\n\r\n`),
  );
  const buffer = new Uint8Array(4_096);
  const length = await connection.read(buffer) ?? 0;
  const head = new TextDecoder().decode(buffer.subarray(0, length));
  connection.close();
  assert(head.startsWith("HTTP/1.1 101 Switching Protocols\r\n"), head);
  assert(
    /^sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r$/im.test(head),
  );
  assert(/^upgrade: websocket\r$/im.test(head));
  const cookies = head.match(/^set-cookie: .*$/gim) ?? [];
  assertEquals(cookies.length, 1);
  assert(/^vary: cookie\r$/im.test(head), head);
  assert(/^cache-control: no-store\r$/im.test(head), head);
  const cookie = /session=[^;]+/.exec(cookies[0] ?? "")?.[0] ?? "";

  const client = await connect(port, cookie);
  client.socket.send("hello");
  const { data } = await new Promise<MessageEvent>((resolve) => {
    client.socket.addEventListener("message", resolve);
  });
  assertEquals(data, "echo hello");
  await client.close();
  assertEquals(seen, [true, undefined, false, 1, 2]);
  const { body } = await rawRequest(port, [`Cookie: ${cookie}`]);
  assert(body.includes(`[["n",2]]`), body);
  await server.shutdown();
});

for (
  const [reason, path] of [
    ["logout", "/logout"],
    ["rotated", "/login-bob"],
    ["revoked", ""],
  ] as const
) {
  Deno.test(`Session.attach() closes the sockets of a session that ends by ${reason} with 3000`, async () => {
    using kv = await Deno.openKv(":memory:");
    const store = liveStore(new KvStore(kv));
    await using app = serveSockets(store);
    const ada = await app.fetch("/login");
    const eve = await app.fetch("/login");
    const sockets = await Promise.all(
      [ada, ada, eve].map(({ cookie }) => connect(app.port, cookie)),
    );
    await until(() => store.watching === 2);
    if (path === "") await app.sessions.revoke(ada.text);
    else await app.fetch(path, ada.cookie);
    for (const { closed } of sockets.slice(0, 2)) {
      const { code, reason: text } = await closed;
      assertEquals([code, text], [3000, `session ended: ${reason}`]);
    }
    assertEquals(store.watching, 1);
    const last = sockets[2];
    assertEquals(last?.socket.readyState, WebSocket.OPEN);
    await last?.close();
    await until(() => store.watching === 0);
  });
}

Deno.test("1,000 sockets opened and closed leave no watcher", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = liveStore(new KvStore(kv));
  await using app = serveSockets(store);
  const people = await Promise.all(
    Array.from({ length: 20 }, () => app.fetch("/login")),
  );
  for (let batch = 0; batch < 10; batch++) {
    const sockets = await Promise.all(
      Array.from({ length: 100 }, (_, index) => {
        const { cookie = "" } = people[index % 20] ?? {};
        return connect(app.port, cookie);
      }),
    );
    await until(() => store.watching === 20);
    await Promise.all(sockets.map((socket) => socket.close()));
    await until(() => store.watching === 0);
  }
});

Deno.test("a socket whose client goes away leaves no watcher, before the 101 or after it", async () => {
  const store = liveStore(new MemoryStore());
  const states: number[] = [];
  await using app = serveSockets(store, (socket) => {
    states.push(socket.readyState);
  });
  const { cookie } = await app.fetch("/login");
  const gate = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  const slow = serve((request) =>
    app.sessions.handle(request, async (session) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      session.attach(socket);
      entered.resolve();
      await gate.promise;
      return response;
    })
  );
  const request = [
    "GET /socket HTTP/1.1",
    "Host: localhost",
    "Connection: Upgrade",
    `Cookie: ${cookie}`,
    ...UPGRADE,
    "",
    "",
  ].join("\r\n");
  const open = async (port: number) => {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(new TextEncoder().encode(request));
    return connection;
  };
  const early = await open(slow.addr.port);
  await entered.promise;
  early.close();
  gate.resolve();
  await slow.shutdown();
  await settled();
  assertEquals(store.watching, 0);

  const late = await open(app.port);
  await until(() => store.watching === 1);
  late.close();
  await until(() => store.watching === 0);
  assertEquals(states, [WebSocket.CONNECTING]);
});

Deno.test("the signal of an upgrade is let go with the 101, and the socket is not", async () => {
  const store = liveStore(new MemoryStore());
  let signal: AbortSignal | undefined;
  await using app = serveSockets(store, (_socket, session) => {
    signal = session.signal;
  });
  const { text, cookie } = await app.fetch("/login");
  const client = await connect(app.port, cookie);
  await until(() => store.watching === 1);
  await app.sessions.revoke(text);
  assertEquals((await client.closed).code, 3000);
  assertEquals(signal?.aborted, false);
});
