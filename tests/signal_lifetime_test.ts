/**
 * How long `session.signal` watches: from its first read to the end of the response.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  MemoryStore,
  SessionClosedError,
  SessionManager,
} from "@tessera/session";
import { get, getWith } from "./_helpers.ts";
import { endOf, liveStore, openStream, signedIn, until } from "./_live.ts";
import { fails, SpyStore } from "./_spy_store.ts";

Deno.test("Session.signal starts nothing before it is read, and one watcher however many hold it", async () => {
  const store = liveStore(new MemoryStore());
  const sessions = new SessionManager({ store });
  const visitor = await signedIn(sessions);
  await visitor.visit((session) => [session.get("n"), session.subject]);
  assertEquals(store.watched, 0);
  const streams = await Promise.all(
    Array.from({ length: 100 }, () => openStream(sessions, visitor.token)),
  );
  assertEquals([store.watched, store.watching], [1, 1]);
  for (const stream of streams) {
    assertEquals(store.watching, 1);
    await stream[Symbol.asyncDispose]();
  }
  assertEquals(store.watching, 0);
  await visitor.visit((session) => session.logout());
  assert(streams.every(({ signal }) => !signal.aborted));
});

Deno.test("Session.signal is one signal for each request, and is let go with its response", async () => {
  const store = liveStore(new MemoryStore());
  const sessions = new SessionManager({ store });
  const visitor = await signedIn(sessions);
  const responses: Record<string, () => Response> = {
    text: () => new Response("text"),
    empty: () => new Response(null, { status: 204 }),
    redirect: () => Response.redirect("https://example.com/", 303),
    error: () => Response.error(),
    shared: () => shared,
  };
  const shared = new Response(null, { status: 304 });
  for (const [name, respond] of Object.entries(responses)) {
    const response = await sessions.handle(
      getWith(visitor.token),
      (session) => {
        assert(session.signal === session.signal);
        assertEquals(store.watching, 1);
        return respond();
      },
    );
    assertEquals(response.status, respond().status, name);
    const text = await response.text();
    if (name === "text") assertEquals(text, "text");
    assertEquals(store.watching, 0, name);
  }
});

Deno.test("Session.signal is let go when a stream ends, fails, or is cancelled", async () => {
  const store = liveStore(new MemoryStore());
  const sessions = new SessionManager({ store });
  const visitor = await signedIn(sessions);
  const open = async () => {
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
    let cancelled: unknown;
    const response = await sessions.handle(
      getWith(visitor.token),
      (session) => {
        assertEquals(session.signal.aborted, false);
        return new Response(
          new ReadableStream({
            start: (given) => void (controller = given),
            cancel: (reason) => void (cancelled = reason),
          }),
        );
      },
    );
    assert(controller !== undefined && response.body !== null);
    return { controller, body: response.body, cancelled: () => cancelled };
  };
  const ended = await open();
  ended.controller.enqueue(new TextEncoder().encode("hello"));
  ended.controller.close();
  assertEquals(store.watching, 1);
  assertEquals(await new Response(ended.body).text(), "hello");
  assertEquals(store.watching, 0);

  const failed = await open();
  const reader = failed.body.getReader();
  failed.controller.error(new Error("broken pipe"));
  await assertRejects(() => reader.read(), Error, "broken pipe");
  assertEquals(store.watching, 0);

  const cancelled = await open();
  await cancelled.body.cancel("gone");
  assertEquals(cancelled.cancelled(), "gone");
  assertEquals(store.watching, 0);
});

Deno.test("Session.signal is let go when the handler throws", async () => {
  const store = liveStore(new MemoryStore());
  const sessions = new SessionManager({ store });
  const visitor = await signedIn(sessions);
  let late: (() => AbortSignal) | undefined;
  await assertRejects(
    () =>
      sessions.handle(getWith(visitor.token), (session) => {
        assertEquals(session.signal.aborted, false);
        late = () => session.signal;
        throw new Error("handler");
      }),
    Error,
    "handler",
  );
  assertEquals(store.watching, 0);
  assertEquals(late?.().aborted, false);
  assertEquals(store.watching, 0);
});

Deno.test("Session.signal is let go when the edit that read it is done", async () => {
  const store = liveStore(new MemoryStore());
  const sessions = new SessionManager({ store });
  const visitor = await signedIn(sessions);
  const id = visitor.token.slice(0, 26);
  await sessions.edit(id, (session) => {
    assertEquals(session.signal.aborted, false);
    assertEquals(store.watching, 1);
  });
  assertEquals(store.watching, 0);
});

Deno.test("Session.signal first read after the response is an error, and watches nothing", async () => {
  const store = liveStore(new MemoryStore());
  const sessions = new SessionManager({ store });
  const visitor = await signedIn(sessions);
  const late: (() => AbortSignal)[] = [];
  await visitor.visit((session) => void late.push(() => session.signal));
  const id = visitor.token.slice(0, 26);
  await sessions.edit(id, (session) => void late.push(() => session.signal));
  await sessions.handle(getWith(visitor.token), (session) => {
    late.push(() => session.signal);
    throw new Error("handler");
  }).catch(() => {});
  assertEquals(late.length, 3);
  for (const read of late) {
    assertThrows(read, SessionClosedError, "before the response is returned");
  }
  assertEquals(store.watched, 0);
});

Deno.test("Session.signal of a new session watches it once it is stored, and not if it never is", async () => {
  const store = liveStore(new MemoryStore());
  const sessions = new SessionManager({ store });
  for (const early of [false, true]) {
    let signal: AbortSignal | undefined;
    let id = "";
    const response = await sessions.handle(get(), async (session) => {
      if (!early) signal = session.signal;
      session.set("n", 1);
      await session.commit();
      signal ??= session.signal;
      id = session.id;
      return new Response(new ReadableStream({ start() {} }));
    });
    assertEquals(store.watching, 1);
    assert(signal !== undefined);
    await sessions.revoke(id);
    assertEquals(await endOf(signal), "revoked");
    await response.body?.cancel();
  }
  const response = await sessions.handle(get(), (session) => {
    assertEquals(session.signal.aborted, false);
    return new Response(new ReadableStream({ start() {} }));
  });
  assertEquals(store.watching, 0);
  await response.body?.cancel();
});

Deno.test("Session.signal aborts when its own request ends the session, and when that had happened before", async () => {
  const store = liveStore(new MemoryStore());
  const sessions = new SessionManager({ store });
  for (const read of ["before", "after", "after the commit"]) {
    const visitor = await signedIn(sessions);
    const signals: AbortSignal[] = [];
    const response = await sessions.handle(
      getWith(visitor.token),
      async (session) => {
        if (read === "before") signals.push(session.signal);
        session.logout();
        if (read === "after the commit") await session.commit();
        if (read !== "before") signals.push(session.signal);
        return new Response(new ReadableStream({ start() {} }));
      },
    );
    const [signal] = signals;
    assert(signal !== undefined);
    assertEquals(await endOf(signal), "logout", read);
    assertEquals(store.watching, 0);
    await response.body?.cancel();
  }
  // revoked while the request was under way
  const visitor = await signedIn(sessions);
  let signal: AbortSignal | undefined;
  await sessions.handle(getWith(visitor.token), async (session) => {
    await sessions.revoke(session.id);
    signal = session.signal;
    return new Response(new ReadableStream({ start() {} }));
  });
  assert(signal !== undefined);
  assertEquals(await endOf(signal), "revoked");
});

Deno.test("SessionManager[Symbol.asyncDispose]() lets go of what is watched", async () => {
  const store = liveStore(new MemoryStore());
  const sessions = new SessionManager({ store, pollInterval: 1 });
  const visitor = await signedIn(sessions);
  const stream = await openStream(sessions, visitor.token);
  await until(() => store.watching === 1);
  await sessions[Symbol.asyncDispose]();
  assertEquals(store.watching, 0);
  await stream.response.body?.cancel();
});

Deno.test("Session.signal and attach() end at the absolute timeout, though the store does not answer", async () => {
  const store = new SpyStore();
  const sessions = new SessionManager({
    store,
    idleTimeout: 1_000,
    absoluteTimeout: 1_000,
    pollInterval: 60_000,
  });
  const visitor = await signedIn(sessions);
  await using stream = await openStream(sessions, visitor.token);
  store.onGet = fails;
  assertEquals(await endOf(stream.signal, 2_000), "absolute-timeout");
});

Deno.test("Session.signal ends at the idle timeout, though the store did not answer once before", async () => {
  const store = new SpyStore();
  const sessions = new SessionManager({
    store,
    idleTimeout: 1_000,
    pollInterval: 60_000,
  });
  const visitor = await signedIn(sessions);
  store.onGet = async (call) => {
    const found = await call();
    store.onGet = fails; // after the request's own read, the watcher's first
    return found;
  };
  await using stream = await openStream(sessions, visitor.token);
  await until(() => store.calls.get > 1);
  store.onGet = undefined;
  assertEquals(await endOf(stream.signal, 2_000), "idle-timeout");
});
