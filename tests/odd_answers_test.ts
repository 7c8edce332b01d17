/**
 * Answers to requests, and of servers, that no program of ours would make; and those of
 * `onError`.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  MemoryStore,
  type Session,
  SessionManager,
  type SessionOptions,
  withLazySession,
  withSession,
} from "@tessera/session";
import { TestClient, TestClock } from "@tessera/session/testing";
import { Events, get, key, rawRequest, serve, tokenOf } from "./_helpers.ts";
import { fails, SpyStore } from "./_spy_store.ts";

/** Hosts that a client may send, and no URL can have. */
const HOSTS = ["a b", "[::1", "x:99999", "%00", "#", "localhost:abc"];

const KINDS: Record<string, SessionOptions> = {
  "the default": {},
  "without Secure": { cookie: { secure: false } },
  "stateless": { stateless: true, secrets: [key("k")] },
};

for (const [kind, options] of Object.entries(KINDS)) {
  Deno.test(`a request whose Host is none gets its session like any other: ${kind}`, async () => {
    await using server = serve(withSession((_request, session) => {
      session.login("ada");
      return new Response("hello");
    }, options.stateless ? options : { store: new MemoryStore(), ...options }));
    for (const host of HOSTS) {
      const response = await rawRequest(
        server.addr.port,
        [],
        "GET / HTTP/1.1",
        host,
      );
      assertEquals([response.status, host], [200, host]);
      assert(response.lines.some((line) => /^set-cookie: /i.test(line)), host);
    }
  });
}

/** A server that answers with a status that no `Response` can be made with. */
async function withOddServer(
  run: (answer: () => Promise<Response>) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for await (const connection of listener) {
      await connection.read(new Uint8Array(4_096));
      await connection.write(new TextEncoder().encode(
        "HTTP/1.1 999 Request denied\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
      ));
      connection.close();
    }
  })();
  const url = `http://127.0.0.1:${listener.addr.port}/`;
  try {
    await run(() => fetch(url));
  } finally {
    listener.close();
    await serving;
  }
}

Deno.test("a fetched response of status 999 passes where nothing is added, and is refused before the commit where a token would be", async () => {
  await withOddServer(async (answer) => {
    const store = new SpyStore();
    const clock = new TestClock();
    const sessions = new SessionManager({ store, clock: clock.now });
    let answered: Response | undefined;
    const handle = (cookie: string | undefined, use: (s: Session) => void) =>
      sessions.handle(get(cookie), async (session) => {
        use(session);
        return answered = await answer();
      });
    const first = await sessions.handle(get(), (session) => {
      session.set("n", 1);
      return new Response();
    });
    const cookie = `__Host-session=${tokenOf(first)}`;
    for (
      const use of [(s: Session) => s.flash("n"), (s: Session) => s.get("n")]
    ) {
      const response = await handle(undefined, use); // with nothing to store
      assertEquals([response.status, await response.text()], [999, "hi"]);
    }
    const passing: ((session: Session) => void)[] = [
      () => {},
      (session) => session.get("n"),
      (session) => session.set("n", 2),
      (session) => void session.signal,
    ];
    for (const use of passing) {
      const response = await handle(cookie, use);
      assertEquals([response.status, await response.text()], [999, "hi"]);
    }
    clock.advance({ days: 2 });
    const touched = await handle(cookie, (session) => session.get("n"));
    assertEquals([touched.status, await touched.text()], [999, "hi"]);
    assertEquals((await store.dump()).length, 1);
    store.reset();
    const telling: ((session: Session) => void)[] = [
      (session) => session.login("ada"),
      (session) => session.regenerate(),
      (session) => session.persist(false),
      (session) => session.logout(),
    ];
    for (const use of telling) {
      await assertRejects(
        () => handle(cookie, use),
        TypeError,
        "the status of a response that gets a token must be from 200 to 599: received 999",
      );
      await answered?.body?.cancel();
    }
    assertEquals(store.calls.commit, 0);
  });
});

const WRAPPERS: Record<
  string,
  (run: (session: Session) => void, sessions: SessionManager) => (
    request: Request,
  ) => Promise<Response>
> = {
  withSession: (run, sessions) =>
    withSession((_request, session) => {
      run(session);
      return new Response();
    }, sessions),
  withLazySession: (run, sessions) =>
    withLazySession(async (_request, lazy) => {
      run(await lazy.load());
      return new Response();
    }, sessions),
};

for (const [wrapper, wrap] of Object.entries(WRAPPERS)) {
  for (const call of ["onGet", "onCommit"] as const) {
    Deno.test(`the answer of onError varies with the token, as it depends on the session (${wrapper}, ${call})`, async () => {
      const store = new SpyStore();
      const sessions = new SessionManager({
        store,
        onError: () =>
          new Response("back soon", {
            headers: { "cache-control": "max-age=60", vary: "Accept" },
          }),
      });
      const count = (session: Session) =>
        session.update<number>("n", (n = 0) => n + 1);
      const client = new TestClient(wrap(count, sessions));
      await client.get("/");
      store[call] = fails;
      const response = await client.get("/");
      assertEquals(await response.text(), "back soon");
      assertEquals(response.headers.get("vary"), "Accept, Cookie");
    });
  }
}

Deno.test("a cookie name that leaves no room for a token is found out before anything is stored", async () => {
  const name = "n".repeat(4_050);
  for (
    const [what, use] of [
      ["set", (session: Session) => session.set("n", 1)],
      ["login", (session: Session) => session.login("ada")],
    ] as const
  ) {
    const store = new MemoryStore();
    const events = new Events();
    const sessions = new SessionManager({
      store,
      cookie: { name },
      onEvent: events.push,
    });
    await assertRejects(
      () =>
        sessions.handle(get(), (session) => {
          use(session);
          return new Response();
        }),
      Error,
      "received 4120 bytes; choose a shorter name",
    );
    assertEquals([store.size, events.take()], [0, []], what);
  }
});
