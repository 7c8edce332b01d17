import { assert, assertEquals, assertRejects } from "@std/assert";
import { SessionManager, SessionStoreError } from "@tessera/session";
import { PostgresStore } from "@tessera/session/postgres";
import postgres from "postgres";
import { tokenOf } from "../_helpers.ts";
import { PostgresServer } from "./_postgres.ts";
import { put, until } from "./_postgres_store.ts";
import { read, start, use } from "../_races.ts";

const VISITORS = 20;

/** Somebody who counts, one request after the other, and notes what came of it. */
interface Visitor {
  readonly token: string;
  /** Requests that were answered. */
  done: number;
  /** Requests that failed; each may have taken place. */
  failed: number;
}

for (const signal of ["SIGQUIT", "SIGKILL"] as const) {
  Deno.test(`PostgresStore loses nothing when the server is stopped (${signal}) under load, and goes on when it is back`, async () => {
    await using server = await PostgresServer.start();
    const sql = server.open();
    const store = new PostgresStore(sql);
    await store.createTable();
    const manager = new SessionManager({ store, storeTimeout: 2_000 });
    const visitors = await Promise.all(
      Array.from({ length: VISITORS }, async (_, n): Promise<Visitor> => ({
        token: await start(manager, (session) => session.login(`user ${n}`)),
        done: 0,
        failed: 0,
      })),
    );

    let open = true;
    const errors = new Set<unknown>();
    const visiting = Promise.all(visitors.map(async (visitor) => {
      while (open) {
        try {
          const response = await use(manager, visitor.token, (session) => {
            assertEquals(session.subject !== undefined, true);
            session.update<number>("count", (count = 0) => count + 1);
          });
          assertEquals(response.headers.getSetCookie(), []);
          visitor.done++;
        } catch (error) {
          errors.add((error as Error).constructor);
          visitor.failed++;
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      }
    }));

    const everybody = (holds: (visitor: Visitor) => boolean) => () =>
      visitors.every(holds);
    await until(everybody(({ done }) => done >= 5), "everybody counts");
    await server.stop(signal);
    await until(everybody(({ failed }) => failed >= 2), "everybody fails");
    await assertRejects(() => start(manager), SessionStoreError);
    const before = visitors.map(({ done }) => done);
    await server.resume();
    await until(
      () => visitors.every(({ done }, n) => done >= (before[n] ?? 0) + 5),
      "everybody counts again",
    );
    open = false;
    await visiting;

    assertEquals([...errors], [SessionStoreError]);
    for (const { token, done, failed } of visitors) {
      const count = (await read(manager, token))?.count as number;
      assert(count >= done, `${done} were answered, ${count} counted`);
      assert(count <= done + failed, `${done + failed} were asked for`);
    }
    assertEquals((await Array.fromAsync(manager.list())).length, VISITORS);
    const [visitor] = visitors;
    const response = await use(manager, visitor?.token ?? "", (session) => {
      session.regenerate();
    });
    assert(await read(manager, tokenOf(response)));
    await sql.end();
  });
}

Deno.test("PostgresStore hears of changes again after the server was away", async () => {
  await using server = await PostgresServer.start({ fsync: false });
  const [here, there] = [server.open(), server.open()];
  const store = new PostgresStore(here);
  await store.createTable();
  await put(store, "A");
  const controller = new AbortController();
  let calls = 0;
  store.watch("A", () => calls++, controller.signal);
  await until(() => calls > 0, "the begin of the watch");
  await server.stop("SIGQUIT");
  calls = 0;
  await server.resume();
  await until(() => calls > 0, "the connection is there again");
  calls = 0;
  await put(new PostgresStore(there), "A");
  await until(() => calls > 0, "a change");
  controller.abort();
  await Promise.all([here.end(), there.end()]);
});

Deno.test("PostgresStore.watch() of a server that is away hears of changes once it is there", async () => {
  await using server = await PostgresServer.start({ fsync: false });
  const sql = server.open();
  const store = new PostgresStore(sql);
  await store.createTable();
  await put(store, "A");
  await server.stop("SIGINT");
  await assertRejects(() => store.get("A"));
  const controllers = [new AbortController(), new AbortController()];
  const calls: number[] = [];
  for (const [n, { signal }] of controllers.entries()) {
    store.watch("A", () => void calls.push(n), signal);
    await assertRejects(() => store.get("A"));
  }
  controllers[0]?.abort();
  await server.resume();
  await until(() => calls.includes(1), "the connection is there");
  calls.splice(0);
  await put(store, "A");
  await until(() => calls.includes(1), "a change");
  assert(!calls.includes(0));
  controllers[1]?.abort();
  await sql.end();
});

Deno.test("PostgresStore: a server that answers nobody is a SessionStoreError in time", async () => {
  // takes connections, and says nothing
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const connection of listener) connections.push(connection);
  })();
  const sql = postgres({
    host: "127.0.0.1",
    port: listener.addr.port,
    connect_timeout: 0.2,
    max_lifetime: null,
    backoff: () => 0.05,
  });
  const manager = new SessionManager({
    store: new PostgresStore(sql),
    storeTimeout: 100,
  });
  const error = await assertRejects(() => start(manager), SessionStoreError);
  assert(error.message.includes("must answer within 100 ms"));
  const patient = new SessionManager({ store: new PostgresStore(sql) });
  const late = await assertRejects(() => start(patient), SessionStoreError);
  assertEquals((late.cause as { code?: string }).code, "CONNECT_TIMEOUT");
  await sql.end({ timeout: 0 });
  listener.close();
  await accepting;
  for (const connection of connections) connection.close();
});
