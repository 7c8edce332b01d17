import { assert, assertEquals } from "@std/assert";
import { SessionEndedError, SessionManager } from "@tessera/session";
import {
  type OpenStore,
  put,
  toCommit,
  toPut,
  until,
  usePostgres,
} from "./_postgres_store.ts";
import { getWith } from "../_helpers.ts";
import { start, use } from "../_races.ts";

const open = usePostgres();

/** Counts the calls of a watch. */
class Watcher {
  calls = 0;
  readonly #controller = new AbortController();

  constructor({ store }: OpenStore, id: string) {
    store.watch(id, () => this.calls++, this.#controller.signal);
  }

  /** Waits for more calls than there were, and forgets them. */
  async heard(what: string): Promise<void> {
    await until(() => this.calls > 0, what);
    this.calls = 0;
  }

  stop(): void {
    this.#controller.abort();
  }
}

/** Counts the connections that listen, or did so last. */
async function listeners({ sql, table }: OpenStore): Promise<number> {
  const rows = await sql`
    SELECT pid FROM pg_stat_activity
    WHERE query = ${`listen "tessera:${table}"`}`;
  return rows.length;
}

/** Waits until everything that was told so far has been heard. */
async function settle({ sql, table }: OpenStore): Promise<void> {
  const done = Promise.withResolvers<void>();
  const { unlisten } = await sql.listen(
    `tessera:${table}`,
    (payload) => payload === "done" && done.resolve(),
  );
  await sql.notify(`tessera:${table}`, "done");
  await done.promise;
  await unlisten();
}

Deno.test("PostgresStore.watch() hears of each change through another process, and of no other record", async () => {
  await using here = await open();
  await using there = here.again();
  for (const id of ["A", "B"]) await put(there.store, id);
  // ids that there cannot be do no harm
  const odd = ["\0", "\ud800", "x".repeat(3_000)].map((id) =>
    new Watcher(here, id)
  );
  // each is called once when its watch has begun
  const a = new Watcher(here, "A");
  await a.heard("the begin of the watch of A");
  const b = new Watcher(here, "B");
  await b.heard("the begin of the watch of B");
  for (let n = 0; n < 3; n++) {
    await put(there.store, "A", n);
    await a.heard(`write ${n}`);
  }
  await there.store.commit(toCommit({
    put: [toPut("C")],
    delete: [{ id: "A" }],
  }));
  await a.heard("the deletion");
  await settle(here);
  assertEquals([a.calls, b.calls], [0, 0]);
  await Promise.all([put(there.store, "B"), put(there.store, "C")]);
  await b.heard("a write among others");
  for (const watcher of [a, b, ...odd]) watcher.stop();
});

Deno.test("PostgresStore.watch() hears of a record that this process creates later", async () => {
  await using here = await open();
  await using there = here.again();
  const watcher = new Watcher(here, "A");
  await watcher.heard("the begin of the watch");
  await put(here.store, "A");
  await watcher.heard("the creation");
  await put(there.store, "A");
  await watcher.heard("a write of another process");
  watcher.stop();
});

Deno.test("PostgresStore.commit() tells nobody of what nobody watches, nor of what did not happen", async () => {
  await using opened = await open();
  const { store, sql, table, statements } = opened;
  const heard: string[] = [];
  const { unlisten } = await sql.listen(
    `tessera:${table}`,
    (id) => void heard.push(id),
  );
  const version = await put(store, "A");
  await put(store, "B");
  const watcher = new Watcher(opened, "B");
  await watcher.heard("the begin of the watch");
  statements.splice(0);
  await put(store, "A");
  await store.commit(toCommit({ delete: [{ id: "A" }] }));
  const check = [{ id: "B", version }];
  const commit = toCommit({ check, put: [toPut("B")], delete: [{ id: "A" }] });
  assertEquals((await store.commit(commit)).ok, false);
  assertEquals(statements.length, 3);
  await settle(opened);
  assertEquals(heard.filter((id) => id !== "done"), []);
  await put(store, "B");
  await watcher.heard("the write");
  await settle(opened);
  assertEquals(heard.filter((id) => id !== "done"), ["B"]);
  watcher.stop();
  await unlisten();
});

Deno.test("PostgresStore.watch() shares one connection, and stops listening with its last signal", async () => {
  await using opened = await open();
  const { store } = opened;
  const ids = ["A", "A", "B", "C"];
  for (const id of ids) await put(store, id);
  assertEquals(await listeners(opened), 0);
  for (let round = 0; round < 2; round++) {
    const watchers = ids.map((id) => new Watcher(opened, id));
    for (const watcher of watchers) await watcher.heard("the begin");
    assertEquals(await listeners(opened), 1);
    const [first, ...others] = watchers;
    others.forEach((watcher) => watcher.stop());
    await put(store, "A");
    await first?.heard("a write after others stopped");
    assertEquals(others.map(({ calls }) => calls), [0, 0, 0]);
    first?.stop();
    await until(
      async () => await listeners(opened) === 0,
      "nobody listens any more",
    );
  }
});

Deno.test("PostgresStore.watch() calls nobody whose signal has aborted, not even in the same tick", async () => {
  await using opened = await open();
  const { store } = opened;
  await put(store, "A");
  const never = new Watcher(opened, "A");
  never.stop();
  let late = 0;
  store.watch("A", () => late++, AbortSignal.abort());
  const watcher = new Watcher(opened, "A");
  const second = new AbortController();
  let calls = 0;
  const first = new AbortController();
  store.watch("A", () => {
    calls++;
    second.abort();
  }, first.signal);
  store.watch("A", () => calls += 100, second.signal);
  await watcher.heard("the begin");
  await put(store, "A");
  await watcher.heard("the write");
  assertEquals([never.calls, late, calls], [0, 0, 2]);
  watcher.stop();
  first.abort();
});

Deno.test("PostgresStore.watch() looks again when a lost connection is there again", async () => {
  await using opened = await open();
  const { store, sql, table } = opened;
  await put(store, "A");
  const watcher = new Watcher(opened, "A");
  await watcher.heard("the begin");
  await sql`
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE query = ${`listen "tessera:${table}"`}`;
  await watcher.heard("the new connection");
  await put(store, "A");
  await watcher.heard("a write after it");
  watcher.stop();
});

Deno.test("PostgresStore.watch() marks a row once, and changes nothing else of it", async () => {
  await using opened = await open();
  const { store, sql, table } = opened;
  const version = await put(store, "A", 1, "ada");
  await put(store, "B");
  const ctid = async () => {
    const [row] = await sql.unsafe(`SELECT ctid FROM ${table} WHERE id = 'A'`);
    return row?.ctid;
  };
  const watch = async () => {
    const watcher = new Watcher(opened, "A");
    await watcher.heard("the begin");
    watcher.stop();
    return await ctid();
  };
  assertEquals(await watch(), await watch());
  assertEquals(await store.get("A"), { record: 1, version });
  const rows = await sql.unsafe(`SELECT id, watched FROM ${table} ORDER BY id`);
  assertEquals(rows.map(({ id, watched }) => [id, watched]), [
    ["A", true],
    ["B", false],
  ]);
});

Deno.test("PostgresStore.watch() does nothing with `listen: false`", async () => {
  await using opened = await open({ listen: false });
  const { store, statements } = opened;
  await put(store, "A");
  statements.splice(0);
  const watcher = new Watcher(opened, "A");
  await put(store, "A");
  assertEquals(statements.length, 1);
  assertEquals([watcher.calls, await listeners(opened)], [0, 0]);
  watcher.stop();
});

Deno.test("session.signal hears of a sign-out, a revocation and a login through another process at once", async () => {
  await using here = await open();
  await using there = here.again();
  // no poll comes in time
  const pollInterval = 60_000;
  const [mine, theirs] = [here, there].map(({ store }) =>
    new SessionManager({ store, pollInterval })
  );
  assert(mine && theirs);
  const endings: Record<string, (token: string) => Promise<unknown>> = {
    logout: (token) => use(theirs, token, (session) => session.logout()),
    revoke: (token) => theirs.revoke(token.split(".")[0] ?? ""),
    revokeAll: () => theirs.revokeAll("ada"),
    login: (token) => use(theirs, token, (session) => session.login("eve")),
  };
  for (const [name, end] of Object.entries(endings)) {
    const token = await start(mine, (session) => session.login("ada"));
    let signal: AbortSignal | undefined;
    // the signal lives until the body of the response ends
    const response = await mine.handle(getWith(token), (session) => {
      signal = session.signal;
      return new Response(new ReadableStream());
    });
    await end(token);
    const since = performance.now();
    await until(() => signal?.aborted === true, `${name} aborts the signal`);
    const took = performance.now() - since;
    assert(took < 300, `${name} took ${took} ms`);
    assert(signal?.reason instanceof SessionEndedError);
    await response.body?.cancel();
  }
});
