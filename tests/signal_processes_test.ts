/**
 * `session.signal` when another process ends the session: another manager, with
 * a store of its own, and other processes indeed.
 */

import { assert, assertEquals } from "@std/assert";
import {
  KvStore,
  MemoryStore,
  SessionManager,
  type SessionStore,
} from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { ROOT, stdArguments } from "../tools/std.ts";
import { CountingStore, getWith } from "./_helpers.ts";
import {
  endOf,
  liveStore,
  openStream,
  settled,
  signedIn,
  testOnLiveStores,
  until,
} from "./_live.ts";
import { temporaryDatabase } from "./_program.ts";
import { appliesAndFails, fails, SpyStore } from "./_spy_store.ts";

/** So long that no poll comes in time. */
const LONG = 60_000;

/** A store that is polled, and counts. */
function blind(store: SessionStore): CountingStore {
  return new CountingStore(store);
}

for (const kind of ["MemoryStore", "KvStore"]) {
  Deno.test(`Session.signal aborts at once where watch reaches across processes (${kind})`, async () => {
    using kv = await Deno.openKv(":memory:");
    const memory = new MemoryStore();
    const open = () => kind === "KvStore" ? new KvStore(kv) : memory;
    const here = new SessionManager({ store: open(), pollInterval: LONG });
    const there = new SessionManager({ store: open(), pollInterval: LONG });
    const visitor = await signedIn(here);
    await using stream = await openStream(here, visitor.token);
    await settled(); // the watch is not there before the database has said so
    assertEquals(await there.revoke(stream.id), true);
    // how another process ended it cannot be known
    assertEquals(await endOf(stream.signal), "revoked");
  });
}

Deno.test("Session.signal aborts within the pollInterval where nothing tells", async () => {
  const memory = new MemoryStore();
  const store = blind(memory);
  const pollInterval = 60;
  const here = new SessionManager({ store, pollInterval });
  const there = new SessionManager({ store: blind(memory) });
  const visitors = await Promise.all(
    Array.from({ length: 150 }, () => signedIn(here)),
  );
  const streams = await Promise.all(
    visitors.map(({ token }) => openStream(here, token)),
  );
  await settled();
  store.take();
  const [first] = streams;
  assert(first !== undefined);
  assertEquals(await there.revoke(first.id), true);
  assertEquals(await endOf(first.signal, 2 * pollInterval + 100), "revoked");
  // each is read once a poll, and the others are still watched
  await settled();
  const { gets, commits, lists } = store.take();
  assert(gets >= 150 && gets <= 450, `${gets} reads`);
  // the list tells whether the one that is gone has only got a new id
  assertEquals([commits, lists], [0, 1]);
  assert(streams.slice(1).every(({ signal }) => !signal.aborted));

  assertEquals(await there.revokeAll("ada"), 149);
  for (const { signal } of streams.slice(1)) {
    assertEquals(await endOf(signal, 2 * pollInterval + 100), "revoked");
  }
  for (const stream of streams) await stream[Symbol.asyncDispose]();
  store.take();
  await new Promise((resolve) => setTimeout(resolve, 2 * pollInterval));
  assertEquals(store.take().gets, 0);
});

Deno.test("Session.signal is polled however often the session that is watched changes", async () => {
  const memory = new MemoryStore();
  const here = new SessionManager({ store: blind(memory), pollInterval: 20 });
  const there = new SessionManager({ store: blind(memory) });
  // a first one that comes and goes must not stop the polls for the second
  const visitor = await signedIn(here);
  await using stream = await openStream(here, visitor.token);
  for (let n = 0; n < 3; n++) {
    const other = await signedIn(here);
    const brief = await openStream(here, other.token);
    await brief[Symbol.asyncDispose]();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await there.revoke(stream.id);
  assertEquals(await endOf(stream.signal, 200), "revoked");
});

Deno.test("Session.signal does not abort while the session is kept alive elsewhere", async () => {
  const memory = new MemoryStore();
  const options = { idleTimeout: 1_000, pollInterval: LONG };
  const here = new SessionManager({ store: blind(memory), ...options });
  const there = new SessionManager({ store: blind(memory), ...options });
  const { token } = await signedIn(here);
  const start = performance.now();
  await using stream = await openStream(here, token);
  let touchedAt = 0;
  while (performance.now() - start < 1_300) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    await there.handle(getWith(token), (session) => {
      assertEquals(session.subject, "ada");
      return new Response();
    });
    touchedAt = performance.now();
    assertEquals(stream.signal.aborted, false);
  }
  assertEquals(await endOf(stream.signal, 1_500), "idle-timeout");
  assert(performance.now() - touchedAt > 800);
});

testOnLiveStores(
  "Session.signal does not abort when the session gets a new id elsewhere, and follows it",
  async (open) => {
    const clock = new TestClock();
    const options = { clock: clock.now, pollInterval: 5 };
    const here = new SessionManager({ store: open(), ...options });
    const there = new SessionManager({ store: open(), ...options });
    const visitor = await signedIn(here);
    await using stream = await openStream(here, visitor.token);
    let { token } = visitor;
    for (let n = 0; n < 3; n++) {
      const response = await there.handle(getWith(token), (session) => {
        session.regenerate();
        return new Response();
      });
      [, token = ""] =
        /=([^;]+)/.exec(response.headers.getSetCookie()[0] ?? "") ??
          [];
      await new Promise((resolve) => setTimeout(resolve, 20));
      assertEquals(stream.signal.aborted, false);
    }
    // by now the ids of before lead nowhere any more
    clock.advance({ minutes: 1 });
    await new Promise((resolve) => setTimeout(resolve, 20));
    assertEquals(stream.signal.aborted, false);
    assertEquals(await there.revoke(token.slice(0, 26)), true);
    assertEquals(await endOf(stream.signal, 300), "revoked");
  },
);

Deno.test("Session.signal says that a session expired, whoever removed it then", async () => {
  const memory = new MemoryStore();
  const clock = new TestClock();
  const options = { idleTimeout: 60_000, clock: clock.now };
  const here = new SessionManager({
    store: blind(memory),
    pollInterval: 50,
    ...options,
  });
  const there = new SessionManager({ store: blind(memory), ...options });
  const visitor = await signedIn(here);
  await using stream = await openStream(here, visitor.token);
  await settled();
  clock.advance(60_000);
  assertEquals(await there.get(stream.id), undefined);
  assertEquals(memory.size, 0);
  assertEquals(await endOf(stream.signal, 300), "idle-timeout");
});

Deno.test("Session.signal outlives failures of the store, and a logout that was reported as failed", async () => {
  const memory = new MemoryStore();
  const store = new SpyStore(memory);
  const here = new SessionManager({ store, pollInterval: 10 });
  const there = new SessionManager({ store: blind(memory) });
  const visitor = await signedIn(here);
  await using stream = await openStream(here, visitor.token);
  store.onGet = fails;
  const { get } = store.calls;
  await until(() => store.calls.get >= get + 3);
  assertEquals(stream.signal.aborted, false);
  store.onGet = undefined;
  await there.revoke(stream.id);
  assertEquals(await endOf(stream.signal, 300), "revoked");

  const other = await signedIn(here);
  await using second = await openStream(here, other.token);
  store.onCommit = appliesAndFails;
  await other.visit((session) => session.logout());
  assertEquals(await endOf(second.signal), "logout");

  const third = await signedIn(new SessionManager({ store: blind(memory) }));
  await using last = await openStream(here, third.token);
  store.onCommit = fails;
  const failed = await here.handle(getWith(third.token), (session) => {
    session.logout();
    return new Response();
  }).catch((error) => error);
  assert(failed instanceof Error);
  await settled();
  assertEquals(last.signal.aborted, false);
  // and it does not hide what another process does later
  assertEquals(await there.revoke(last.id), true);
  assertEquals(await endOf(last.signal, 300), "revoked");
});

Deno.test("Session.signal waits for an end that is further away than a timer can be set", async () => {
  const store = blind(new MemoryStore());
  const sessions = new SessionManager({
    store,
    idleTimeout: { days: 300 },
    absoluteTimeout: { days: 300 },
    pollInterval: LONG,
  });
  const visitor = await signedIn(sessions);
  await using stream = await openStream(sessions, visitor.token);
  await settled();
  store.take();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals(store.take().gets, 0);
  assertEquals(stream.signal.aborted, false);
});

Deno.test("Session.signal aborts when a process of its own ends the session in the same file", async () => {
  await using database = await temporaryDatabase();
  using kv = await Deno.openKv(database.path);
  const pollInterval = 200;
  const sessions = new SessionManager({ store: kv, pollInterval });
  const visitor = await signedIn(sessions);
  await using stream = await openStream(sessions, visitor.token);
  const spared = await signedIn(sessions, "bob");
  await using other = await openStream(sessions, spared.token);
  const program = `
    import { SessionManager } from "${new URL("mod.ts", ROOT)}";
    using kv = await Deno.openKv(${JSON.stringify(database.path)});
    const sessions = new SessionManager({ store: kv });
    console.log(await sessions.revoke("${stream.id}"));
  `;
  const output = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      ...await stdArguments(),
      "-A",
      "--unstable-kv",
      "--no-check",
      `data:application/typescript,${encodeURIComponent(program)}`,
    ],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assertEquals(
    text(output.stdout).trim(),
    "true",
    text(output.stderr),
  );
  assertEquals(await endOf(stream.signal, 2 * pollInterval), "revoked");
  assertEquals(other.signal.aborted, false);
});

Deno.test("Session.signal uses a store that a promise leads to", async () => {
  const store = liveStore(new MemoryStore());
  const sessions = new SessionManager({ store: Promise.resolve(store) });
  const visitor = await signedIn(sessions);
  await using stream = await openStream(sessions, visitor.token);
  assertEquals(store.watching, 1);
  await sessions.revoke(stream.id);
  assertEquals(await endOf(stream.signal), "revoked");
});
