import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type PostgresQuery,
  type PostgresSql,
  PostgresStore,
} from "@tessera/session/postgres";
import { toCommit, toPut } from "./_postgres_store.ts";

/** How long a statement may keep others waiting. */
const SLOT_MS = 5_000;

/** A driver whose first queries never come back, as on connections that broke in silence. */
class StuckSql implements PostgresSql {
  queries = 0;
  readonly #stuck: number;

  constructor(stuck: number) {
    this.#stuck = stuck;
  }

  unsafe(): PostgresQuery {
    const rows = ++this.queries <= this.#stuck
      ? new Promise<string[][]>(() => {})
      : Promise.resolve([]);
    return Object.assign(rows, { values: () => rows });
  }

  begin(): Promise<never> {
    throw new Error("nobody should call this");
  }

  listen(): Promise<never> {
    throw new Error("nobody should call this");
  }
}

/** Runs a test with timers that fire only when they are told to. */
async function withTimers(
  run: (fire: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const { setTimeout, clearTimeout } = globalThis;
  const timers = new Map<number, () => void>();
  const wait = () => new Promise<void>((resolve) => setTimeout(resolve, 0));
  let last = 0;
  Object.assign(globalThis, {
    setTimeout(callback: () => void, delay: number) {
      assertEquals(delay, SLOT_MS);
      timers.set(++last, callback);
      return last;
    },
    clearTimeout: (timer: number) => void timers.delete(timer),
  });
  try {
    await run(async () => {
      const callbacks = [...timers.values()];
      timers.clear();
      for (const callback of callbacks) callback();
      await wait();
    });
    assertEquals(timers.size, 0);
  } finally {
    Object.assign(globalThis, { setTimeout, clearTimeout });
  }
}

Deno.test("PostgresStore.get() is not kept waiting for ever by statements that are stuck", async () => {
  await withTimers(async (fire) => {
    const sql = new StuckSql(4);
    const store = new PostgresStore(sql);
    for (let n = 0; n < 4; n++) {
      void store.get("A");
      await settle();
    }
    assertEquals(sql.queries, 4);
    const reads = Promise.all([store.get("A"), store.get("B")]);
    await settle();
    assertEquals(sql.queries, 4);
    await fire();
    assertEquals(sql.queries, 5);
    assertEquals(await reads, [undefined, undefined]);
  });
});

Deno.test("PostgresStore.commit() is not kept waiting for ever by statements that are stuck", async () => {
  await withTimers(async (fire) => {
    const sql = new StuckSql(4);
    const store = new PostgresStore(sql);
    const put = (id: string) => store.commit(toCommit({ put: [toPut(id)] }));
    for (let n = 0; n < 4; n++) {
      void put(`S${n}`);
      await settle();
    }
    assertEquals(sql.queries, 4);
    // one of the same id, and one of another
    const writes = Promise.all([put("S0"), put("T")]);
    await settle();
    assertEquals(sql.queries, 4);
    await fire();
    assertEquals(sql.queries, 5);
    assert((await writes).every(({ ok }) => ok));
  });
});

Deno.test("PostgresStore.commit() on other records does not wait for one that is stuck", async () => {
  await withTimers(async (fire) => {
    const sql = new StuckSql(1);
    const store = new PostgresStore(sql);
    const put = (id: string) => store.commit(toCommit({ put: [toPut(id)] }));
    void put("A");
    await settle();
    const same = [put("A"), put("A")];
    assertEquals((await put("B")).ok, true);
    assertEquals(sql.queries, 2);
    await fire();
    assert((await Promise.all(same)).every(({ ok }) => ok));
    assertEquals(sql.queries, 4);
  });
});

Deno.test("PostgresStore.createTable() says so if the table is dropped meanwhile", async () => {
  const sql = new StuckSql(0);
  const gone = Object.assign(new Error("gone"), { code: "42P01" });
  sql.unsafe = () => {
    const rows = ++sql.queries === 1
      ? Promise.resolve([["true"]])
      : Promise.reject(gone);
    return Object.assign(rows, { values: () => rows });
  };
  const error = await assertRejects(() => new PostgresStore(sql).createTable());
  assertEquals([error, sql.queries], [gone, 2]);
});

/** Lets everything run that can. */
async function settle(): Promise<void> {
  for (let n = 0; n < 50; n++) await undefined;
}

Deno.test("PostgresStore.commit() is not sent again when the connection is lost: it may have taken place", async () => {
  const lost = Object.assign(new Error("lost"), { code: "CONNECTION_CLOSED" });
  const ended = Object.assign(new Error("ended"), {
    code: "57P01",
    severity: "FATAL",
  });
  for (const error of [lost, ended]) {
    const sql = new StuckSql(0);
    sql.unsafe = () => {
      sql.queries++;
      const rows = Promise.reject(error);
      return Object.assign(rows, { values: () => rows });
    };
    const store = new PostgresStore(sql);
    const results = await Promise.allSettled(
      ["A", "B", "C"].map((id) => store.commit(toCommit({ delete: [{ id }] }))),
    );
    assertEquals(
      results.map((it) => it.status === "rejected" && it.reason),
      [error, error, error],
    );
    assertEquals(sql.queries, 1);
  }
});
