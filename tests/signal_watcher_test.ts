/**
 * `session.signal` and what may hide the end of its session: reads under way, commits that
 * fail, ids that change.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  MemoryStore,
  type SessionEvent,
  SessionManager,
  type SessionStore,
  SessionStoreError,
  type StandardSchema,
} from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { getWith } from "./_helpers.ts";
import {
  endOf,
  liveStore,
  openStream,
  settled,
  signedIn,
  until,
} from "./_live.ts";
import { start, suspend, use } from "./_races.ts";
import { fails, SpyStore } from "./_spy_store.ts";
import { Visitor } from "./_visitor.ts";

/** So long that no poll comes in time. */
const LONG = 60_000;

Deno.test("Session.signal aborts when the session ends while it is being read", async () => {
  const memory = new MemoryStore();
  const spy = new SpyStore(memory);
  const there = new SessionManager({ store: memory });
  const store: SessionStore = {
    ...liveStore(memory),
    get: (id) => spy.get(id),
  };
  const here = new SessionManager({ store, pollInterval: LONG });
  const visitor = await signedIn(there);
  const gate = Promise.withResolvers<void>();
  spy.onGet = async (call) => {
    const found = await call();
    if (spy.calls.get === 2) await gate.promise; // the first was the request's
    return found;
  };
  await using stream = await openStream(here, visitor.token);
  await visitor.visit((session) => session.logout());
  await settled();
  gate.resolve();
  assertEquals(await endOf(stream.signal), "revoked");
});

Deno.test("Session.signal tells why the session ended, though the store tells of it before it answers", async () => {
  const memory = new MemoryStore();
  const told = Promise.withResolvers<void>();
  let changed = () => {};
  const store: SessionStore = {
    get: async (id) => {
      const found = await memory.get(id);
      if (found === undefined) told.resolve();
      return found;
    },
    commit: async (commit) => {
      const result = await memory.commit(commit);
      changed();
      if (commit.delete.length > 0) {
        await told.promise;
        await settled();
      }
      return result;
    },
    list: (options) => memory.list(options),
    watch: (_id, callback) => changed = callback,
  };
  const sessions = new SessionManager({ store, pollInterval: LONG });
  const visitor = await signedIn(sessions);
  await using stream = await openStream(sessions, visitor.token);
  await visitor.visit((session) => session.logout());
  assertEquals(await endOf(stream.signal), "logout");
});

Deno.test("Session.signal aborts when another process ends a session that a revoke failed to end", async () => {
  const store = new SpyStore();
  const here = new SessionManager({ store, pollInterval: 10 });
  const there = new SessionManager({ store });
  const visitor = await signedIn(there);
  await using stream = await openStream(here, visitor.token);
  store.onCommit = fails;
  await assertRejects(() => here.revoke(stream.id), SessionStoreError);
  store.onCommit = undefined;
  assertEquals(await there.revoke(stream.id), true);
  assertEquals(await endOf(stream.signal, 500), "revoked");
});

Deno.test("Session.signal aborts when another process ends a session that seemed to have expired", async () => {
  const clock = new TestClock();
  const memory = new MemoryStore();
  const spy = new SpyStore(memory);
  const store: SessionStore = {
    ...liveStore(memory),
    commit: (commit) => spy.commit(commit),
  };
  const options = {
    store,
    clock: clock.now,
    idleTimeout: 60_000,
    pollInterval: LONG,
  };
  const [here, there] = [
    new SessionManager(options),
    new SessionManager(options),
  ];
  const token = await start(here);
  await using stream = await openStream(here, token);
  clock.advance(50_000);
  const inTime = await suspend(there, token, (one) => one.set("n", 1));
  clock.advance(20_000);
  spy.onCommit = async (call) => {
    spy.onCommit = undefined;
    await inTime.resume();
    return await call();
  };
  assertEquals((await here.get(stream.id))?.id, stream.id);
  await settled();
  assertEquals(stream.signal.aborted, false);
  assertEquals(await there.revoke(stream.id), true);
  assertEquals(await endOf(stream.signal), "revoked");
});

Deno.test("Session.signal first read by a late request aborts if its id was replaced without a grace", async () => {
  const store = new SpyStore();
  const sessions = new SessionManager({ store, rotationGrace: 0 });
  const token = await start(sessions);
  const loaded = Promise.withResolvers<void>();
  const replaced = Promise.withResolvers<void>();
  let signal: AbortSignal | undefined;
  const responding = sessions.handle(getWith(token), async (session) => {
    loaded.resolve();
    await replaced.promise;
    ({ signal } = session);
    return new Response(new ReadableStream({ start() {} }));
  });
  await loaded.promise;
  await use(sessions, token, (session) => session.regenerate());
  replaced.resolve();
  const response = await responding;
  assert(signal !== undefined);
  assertEquals(await endOf(signal), "revoked");
  await response.body?.cancel();
});

Deno.test("Session.signal follows an anonymous session from one new id to the next, however long ago they were replaced", async () => {
  const clock = new TestClock();
  const memory = new MemoryStore();
  const options = { clock: clock.now, rotationGrace: 1_000, pollInterval: 10 };
  const store = liveStore(memory, { blind: true });
  const here = new SessionManager({ store, ...options });
  const there = new SessionManager({ store: memory, ...options });
  const visitor = new Visitor(there);
  await visitor.visit((session) => session.set("n", 1));
  await using stream = await openStream(here, visitor.token);
  const { watched } = store;
  for (let n = 1; n <= 3; n++) {
    await visitor.visit((session) => session.regenerate());
    await until(() => store.watched === watched + n);
    clock.advance(1_000);
  }
  await settled();
  assertEquals(stream.signal.aborted, false);
  await visitor.visit((session) => session.logout());
  assertEquals(await endOf(stream.signal, 500), "revoked");
});

Deno.test("Session.signal asks no schema", async () => {
  const memory = new MemoryStore();
  const there = new SessionManager({ store: memory });
  let asked = 0;
  const schema: StandardSchema<object> = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) => {
        asked++;
        return Object.hasOwn(value as object, "bad")
          ? { issues: [{ message: "bad" }] }
          : { value: value as object };
      },
    },
  };
  const events: SessionEvent[] = [];
  const here = new SessionManager({
    store: memory,
    schema,
    onInvalid: "fail",
    pollInterval: LONG,
    onEvent: (event) => events.push(event),
  });
  const visitor = await signedIn(there);
  let signal: AbortSignal | undefined;
  const response = await here.handle(getWith(visitor.token), (session) => {
    ({ signal } = session);
    return new Response(new ReadableStream({ start() {} }));
  });
  assert(signal !== undefined);
  asked = 0;
  await visitor.visit((session) => session.set("bad", 1));
  await settled();
  assertEquals([asked, events], [0, []]);
  await visitor.visit((session) => session.logout());
  assertEquals(await endOf(signal), "revoked");
  await response.body?.cancel();
});

Deno.test("Session.signal is polled in batches of 100 sessions", async () => {
  const store = new SpyStore();
  const sessions = new SessionManager({ store, pollInterval: 10 });
  const tokens = await Promise.all(
    Array.from({ length: 150 }, () => start(sessions)),
  );
  const streams = await Promise.all(
    tokens.map((token) => openStream(sessions, token)),
  );
  await settled();
  const before = store.calls.get;
  let [reading, most] = [0, 0];
  store.onGet = async (call) => {
    most = Math.max(most, ++reading);
    await new Promise((resolve) => setTimeout(resolve, 0));
    reading--;
    return await call();
  };
  await until(() => store.calls.get >= before + 300);
  for (const stream of streams) await stream[Symbol.asyncDispose]();
  await until(() => reading === 0);
  assertEquals(most, 100);
});
