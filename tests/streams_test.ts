/**
 * Server-sent events over real connections: `session.signal` ends them, and is
 * let go with each.
 */

import { assert, assertEquals } from "@std/assert";
import {
  KvStore,
  MemoryStore,
  SessionManager,
  withSession,
} from "@tessera/session";
import { serve } from "./_helpers.ts";
import { type LiveStore, liveStore, until } from "./_live.ts";

/** Counts the timers that wait, while it is in place. */
class TimerCount implements Disposable {
  readonly #set = globalThis.setTimeout;
  readonly #clear = globalThis.clearTimeout;
  readonly #waiting = new Set<unknown>();

  constructor() {
    Reflect.set(globalThis, "setTimeout", (run: () => void, delay = 0) => {
      const id = this.#set(() => {
        this.#waiting.delete(id);
        run();
      }, delay);
      // the end of a session and the next poll are far away, and nothing else is
      if (delay >= 3_600_000) this.#waiting.add(id);
      return id;
    });
    Reflect.set(globalThis, "clearTimeout", (id?: number) => {
      this.#waiting.delete(id);
      this.#clear(id);
    });
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  [Symbol.dispose](): void {
    Reflect.set(globalThis, "setTimeout", this.#set);
    Reflect.set(globalThis, "clearTimeout", this.#clear);
  }
}

/** An app with `/login` and `/events`. */
function serveEvents(store: LiveStore) {
  const sessions = new SessionManager({
    store,
    cookie: { secure: false },
    pollInterval: 3_600_000,
  });
  const server = serve(withSession((request, session) => {
    if (new URL(request.url).pathname === "/login") {
      session.login("ada");
      return new Response(session.id);
    }
    const { signal } = session;
    const encoder = new TextEncoder();
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(encoder.encode("data: hello\n\n"));
        signal.addEventListener("abort", () => {
          controller.enqueue(
            encoder.encode(`data: ${signal.reason.reason}\n\n`),
          );
          controller.close();
        });
      },
    });
    return new Response(body, {
      headers: { "content-type": "text/event-stream" },
    });
  }, sessions));
  const url = `http://127.0.0.1:${server.addr.port}`;
  return {
    url,
    sessions,
    async login() {
      const response = await fetch(`${url}/login`);
      const [line = ""] = response.headers.getSetCookie();
      return { id: await response.text(), cookie: line.split(";")[0] ?? "" };
    },
    async [Symbol.asyncDispose]() {
      await server.shutdown();
      await sessions[Symbol.asyncDispose]();
    },
  };
}

/** Opens a stream of events, and waits for the first. */
async function connect(
  url: string,
  cookie: string,
): Promise<ReadableStreamDefaultReader<Uint8Array>> {
  const response = await fetch(`${url}/events`, { headers: { cookie } });
  assert(response.body !== null);
  const reader = response.body.getReader();
  const { value } = await reader.read();
  assertEquals(new TextDecoder().decode(value), "data: hello\n\n");
  return reader;
}

Deno.test("1,000 event streams opened and closed leave no watcher and no timer", async () => {
  using timers = new TimerCount();
  using kv = await Deno.openKv(":memory:");
  const store = liveStore(new KvStore(kv));
  {
    await using app = serveEvents(store);
    const people = await Promise.all(
      Array.from({ length: 20 }, () => app.login()),
    );
    for (let batch = 0; batch < 10; batch++) {
      const streams = await Promise.all(
        Array.from({ length: 100 }, (_, index) => {
          const { cookie = "" } = people[index % 20] ?? {};
          return connect(app.url, cookie);
        }),
      );
      // one for each session, however many streams
      assertEquals(store.watching, 20);
      await until(() => timers.waiting === 21); // with the one of the polls
      await Promise.all(streams.map((stream) => stream.cancel()));
      await until(() => store.watching === 0);
      assertEquals(timers.waiting, 0);
    }
  }
  assertEquals(store.watching, 0);
});

Deno.test("an event stream says why the session ended, and closes", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = liveStore(new KvStore(kv));
  await using app = serveEvents(store);
  const { id, cookie } = await app.login();
  const streams = await Promise.all(
    Array.from({ length: 3 }, () => connect(app.url, cookie)),
  );
  await app.sessions.revoke(id);
  for (const reader of streams) {
    const { value } = await reader.read();
    assertEquals(new TextDecoder().decode(value), "data: revoked\n\n");
    assertEquals((await reader.read()).done, true);
  }
  assertEquals(store.watching, 0);
});

Deno.test("a client that goes away before the response does not leave a watcher", async () => {
  const store = liveStore(new MemoryStore());
  await using app = serveEvents(store);
  const { cookie } = await app.login();
  const entered = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  let cancelled = false;
  const slow = serve(withSession(async (_request, session) => {
    assertEquals(session.signal.aborted, false);
    entered.resolve();
    await gate.promise;
    return new Response(
      new ReadableStream({ cancel: () => void (cancelled = true) }),
    );
  }, app.sessions));
  const abort = new AbortController();
  const request = fetch(`http://127.0.0.1:${slow.addr.port}/`, {
    headers: { cookie },
    signal: abort.signal,
  }).catch(() => {});
  await entered.promise;
  assertEquals(store.watching, 1);
  abort.abort();
  await request;
  gate.resolve();
  await until(() => store.watching === 0);
  assertEquals(cancelled, true);

  // nor does a HEAD request, whose body nobody reads
  const head = await fetch(`${app.url}/events`, {
    method: "HEAD",
    headers: { cookie },
  });
  assertEquals(head.status, 200);
  await until(() => store.watching === 0);
  await slow.shutdown();
});
