import { assert, assertEquals, assertRejects } from "@std/assert";
import type { PostgresStore } from "@tessera/session/postgres";
import postgres from "postgres";
import {
  all,
  type OpenStore,
  put,
  startRival,
  toCommit,
  toPut,
  untilBlocked,
  usePostgres,
} from "./_postgres_store.ts";

const open = usePostgres();

/** A store, and somebody else on the same table. */
async function openTwo(): Promise<{ mine: OpenStore; other: OpenStore }> {
  const mine = await open();
  return { mine, other: mine.again() };
}

/** The statement that writes a row as another program might. */
function insert(table: string, id: string): string {
  return `INSERT INTO ${table} (id, record, version, expires_at)
    VALUES ('${id}', '"rival"', gen_random_uuid(), now() + interval '1 h')`;
}

Deno.test("PostgresStore.get() of one tick is one statement, and each has its own record", async () => {
  await using opened = await open();
  const { store, statements } = opened;
  const ids = Array.from({ length: 40 }, (_, n) => `S${n}`);
  await store.commit(toCommit({ put: ids.map((id) => toPut(id, { id })) }));
  for (const [batch, count] of [[true, 1], [false, 42]] as const) {
    await using reading = opened.again({ batch });
    await reading.store.get("S0"); // connects
    reading.statements.splice(0);
    const asked = [...ids, "S0", "T"];
    const found = await Promise.all(asked.map((id) => reading.store.get(id)));
    assertEquals(
      found.map((it) => it?.record),
      asked.map((id) => id === "T" ? undefined : { id }),
    );
    assert(found[0]?.record !== found[40]?.record);
    assertEquals(reading.statements.length, count);
  }
  statements.splice(0);
  await store.get("S1");
  await store.get("S2");
  assertEquals(statements.length, 2);
});

Deno.test("PostgresStore.get() gathers reads while statements are in flight", async () => {
  await using opened = await open();
  const { store, statements } = opened;
  await put(store, "A");
  statements.splice(0);
  const reads: Promise<unknown>[] = [];
  for (let n = 0; n < 300; n++) {
    reads.push(store.get("A"));
    await undefined; // the next microtask: each read is a burst of its own
    await undefined;
    await undefined;
  }
  assertEquals((await Promise.all(reads)).length, 300);
  assert(statements.length <= 8, `${statements.length} statements`);
});

Deno.test("PostgresStore.commit() is one statement, whatever is in it", async () => {
  await using opened = await open();
  const { store, statements } = opened;
  const a = await put(store, "A", 1, "ada");
  await put(store, "B", 1, "ada");
  statements.splice(0);
  const result = await store.commit(toCommit({
    check: [{ id: "A", version: a }, { id: "C", version: null }],
    put: [toPut("A", 2, "ada"), toPut("C", 2, "ada"), toPut("D", 2)],
    delete: [{ id: "B", subject: "ada" }, { id: "X" }],
  }));
  assertEquals(result.ok, true);
  assertEquals(statements.length, 1);
  assertEquals(await all(store), { A: 2, C: 2, D: 2 });
});

Deno.test("PostgresStore.commit() of one tick is one statement, each with its own outcome", async () => {
  await using opened = await open();
  const ids = Array.from({ length: 30 }, (_, n) => `S${10 + n}`);
  const stale = await put(opened.store, "S", 0);
  for (const [batch, count] of [[true, 1], [false, 30]] as const) {
    await using writing = opened.again({ batch });
    const { store, statements } = writing;
    await store.commit(toCommit({ put: ids.map((id) => toPut(id, "old")) }));
    statements.splice(0);
    const results = await Promise.all(ids.map((id, n) =>
      store.commit(toCommit({
        check: n % 3 === 0 ? [{ id, version: stale }] : [],
        put: n % 2 === 0 ? [toPut(id, "new")] : [],
        delete: n % 2 === 1 ? [{ id }] : [],
      }))
    ));
    assertEquals(statements.length, count);
    assertEquals(results.map(({ ok }) => ok), ids.map((_, n) => n % 3 !== 0));
    assertEquals(
      await all(store),
      Object.fromEntries([
        ["S", 0],
        ...ids.flatMap((id, n) => {
          if (n % 3 === 0) return [[id, "old"]];
          return n % 2 === 0 ? [[id, "new"]] : [];
        }),
      ]),
    );
    for (const [n, id] of ids.entries()) {
      const result = results[n];
      if (!result?.ok || n % 2 === 1) continue;
      assertEquals((await store.get(id))?.version, result.version);
    }
  }
});

Deno.test("PostgresStore.commit() keeps the order of commits of one id", async () => {
  await using opened = await open();
  const { store } = opened;
  await Promise.all(
    Array.from(
      { length: 50 },
      (_, n) => store.commit(toCommit({ put: [toPut(`S${n % 5}`, n)] })),
    ),
  );
  assertEquals(await all(store), { S4: 49, S3: 48, S2: 47, S1: 46, S0: 45 });
});

Deno.test("PostgresStore.commit() that the server refuses does not harm those beside it", async () => {
  await using opened = await open();
  const { store, sql, table } = opened;
  await sql.unsafe(`ALTER TABLE ${table} ADD CHECK (record <> '"bad"')`);
  const results = await Promise.allSettled(
    ["good", "bad", "fine", "bad"].map((record, n) =>
      store.commit(toCommit({ put: [toPut(`S${n}`, record), toPut(`T${n}`)] }))
    ),
  );
  assertEquals(
    results.map((it) =>
      it.status === "fulfilled" ? it.value.ok : it.reason.code
    ),
    [true, "23514", true, "23514"],
  );
  assertEquals(await all(store), { T2: 1, T0: 1, S2: "fine", S0: "good" });
});

Deno.test("PostgresStore.commit() waits for who changes a record, and then sees its new version", async () => {
  const { mine, other } = await openTwo();
  await using _mine = mine;
  await using _other = other;
  const { store, table } = mine;
  const version = await put(store, "A", "old");
  await put(store, "B", "old");
  const rival = await startRival(
    other.sql,
    `UPDATE ${table} SET version = gen_random_uuid(), record = '"rival"' WHERE id = 'A'`,
  );
  const lost = store.commit(toCommit({
    check: [{ id: "A", version }],
    put: [toPut("A", "mine"), toPut("C")],
    delete: [{ id: "B" }],
  }));
  const beside = store.commit(toCommit({ put: [toPut("D", "beside")] }));
  await untilBlocked(other.sql);
  await rival.commit();
  assertEquals(await lost, { ok: false });
  assertEquals((await beside).ok, true);
  assertEquals(await all(store), { D: "beside", B: "old", A: "rival" });
});

Deno.test("PostgresStore.commit() waits for who gives up a change, and takes place", async () => {
  const { mine, other } = await openTwo();
  await using _mine = mine;
  await using _other = other;
  const { store, table } = mine;
  const version = await put(store, "A", "old");
  const rival = await startRival(
    other.sql,
    `UPDATE ${table} SET watched = NOT watched WHERE id = 'A'`,
  );
  const check = [{ id: "A", version }];
  const changed = store.commit(toCommit({ check, put: [toPut("A", "mine")] }));
  await untilBlocked(other.sql);
  await rival.commit();
  assertEquals((await changed).ok, true);
  assertEquals(await all(store), { A: "mine" });
});

Deno.test("PostgresStore.commit() that creates a record waits for who creates it, and loses", async () => {
  const { mine, other } = await openTwo();
  await using _mine = mine;
  await using _other = other;
  const { store, table } = mine;
  const version = await put(store, "A", "old");
  const rival = await startRival(other.sql, insert(table, "N"));
  const lost = store.commit(toCommit({
    check: [{ id: "N", version: null }, { id: "A", version }],
    put: [toPut("M"), toPut("N", "mine"), toPut("O")],
    delete: [{ id: "A" }],
  }));
  const beside = store.commit(toCommit({ put: [toPut("D", "beside")] }));
  await untilBlocked(other.sql);
  await rival.commit();
  assertEquals(await lost, { ok: false });
  assertEquals((await beside).ok, true);
  assertEquals(await all(store), { N: "rival", D: "beside", A: "old" });
});

Deno.test("PostgresStore.commit() without a check overwrites what somebody creates meanwhile", async () => {
  const { mine, other } = await openTwo();
  await using _mine = mine;
  await using _other = other;
  const { store, table } = mine;
  const rival = await startRival(other.sql, insert(table, "N"));
  const written = store.commit(toCommit({ put: [toPut("N", "mine")] }));
  await untilBlocked(other.sql);
  await rival.commit();
  const result = await written;
  assertEquals(await store.get("N"), {
    record: "mine",
    version: result.ok ? result.version : "none",
  });
});

Deno.test("PostgresStore.commit() that wants nothing under an id keeps others from creating it", async () => {
  const { mine, other } = await openTwo();
  await using _mine = mine;
  await using _other = other;
  const { store, table } = mine;
  const check = [{ id: "N", version: null }];
  const commit = toCommit({ check, put: [toPut("A", "mine")] });
  const rival = await startRival(other.sql, insert(table, "N"));
  const lost = store.commit(commit);
  await untilBlocked(other.sql);
  await rival.commit();
  assertEquals(await lost, { ok: false });
  assertEquals(await store.commit(commit), { ok: false });
  assertEquals(await all(store), { N: "rival" });

  await store.commit(toCommit({ delete: [{ id: "N" }] }));
  assertEquals((await store.commit(commit)).ok, true);
  assertEquals(await all(store), { A: "mine" });
  const several = toCommit({
    check: [...check, { id: "A", version: null }, { id: "O", version: null }],
    put: [toPut("B")],
  });
  assertEquals(await store.commit(several), { ok: false });
  assertEquals(await all(store), { A: "mine" });
});

Deno.test("PostgresStore.commit(): of two that each want what the other creates not to be there, one wins", async () => {
  const { mine, other } = await openTwo();
  await using _mine = mine;
  await using _other = other;
  const take = (store: PostgresStore, id: string, absent: string) =>
    store.commit(toCommit({
      check: [{ id: absent, version: null }],
      put: [toPut(id)],
    }));
  for (let round = 0; round < 15; round++) {
    const [a, b] = [`A${round}`, `B${round}`];
    const results = await Promise.all([
      take(mine.store, a, b),
      take(other.store, b, a),
    ]);
    assertEquals(results.filter(({ ok }) => ok).length, 1);
  }
  assertEquals(Object.keys(await all(mine.store)).length, 15);
});

/** Makes the first writes of a table fail, for a reason that passes. */
async function failWrites(opened: OpenStore, times: number): Promise<void> {
  const { sql, table } = opened;
  await sql.unsafe(`
    CREATE SEQUENCE ${table}_tries;
    CREATE FUNCTION ${table}_fail() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF nextval('${table}_tries') <= ${times} THEN
        RAISE EXCEPTION 'try again' USING ERRCODE = '40001';
      END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER fail BEFORE INSERT ON ${table}
      FOR EACH STATEMENT EXECUTE FUNCTION ${table}_fail()`);
}

Deno.test("PostgresStore.commit() is sent again after a serialization failure", async () => {
  await using opened = await open();
  // each statement inserts twice: what is created, and what is written
  await failWrites(opened, 3);
  const { store, statements } = opened;
  statements.splice(0);
  assert(await put(store, "A"));
  assertEquals(statements.length, 4);
  assertEquals(await all(store), { A: 1 });
});

Deno.test("PostgresStore.commit() is not sent again for ever", async () => {
  const { random } = Math;
  Math.random = () => 0; // no pauses between the tries
  try {
    await using opened = await open();
    await failWrites(opened, 1_000);
    const { store, statements } = opened;
    statements.splice(0);
    const error = await assertRejects(
      () => put(store, "A"),
      postgres.PostgresError,
      "try again",
    );
    assertEquals(error.code, "40001");
    assertEquals(statements.length, 8);
    assertEquals(await all(store), {});
  } finally {
    Math.random = random;
  }
});

Deno.test("PostgresStore.commit() waits for a lock no longer than the server lets it, nor do those beside it", async () => {
  const mine = await open({ driver: { connection: { lock_timeout: 50 } } });
  await using _mine = mine;
  await using other = mine.again();
  const { store, table } = mine;
  await put(store, "A", "old");
  const rival = await startRival(
    other.sql,
    `UPDATE ${table} SET record = '"rival"' WHERE id = 'A'`,
  );
  const blocked = put(store, "A", "mine");
  const beside = put(store, "B", "beside");
  const error = await assertRejects(() => blocked, postgres.PostgresError);
  assertEquals(error.code, "55P03");
  assert(await beside);
  assertEquals(await all(store), { B: "beside", A: "old" });
  await rival.commit();
});

Deno.test("PostgresStore.commit() takes its locks by id, so that two never wait for each other", async () => {
  const { mine, other } = await openTwo();
  await using _mine = mine;
  await using _other = other;
  const { store, table } = mine;
  for (const id of ["B", "A"]) await put(store, id, "old");
  const touch = `UPDATE ${table} SET watched = watched WHERE id = 'A'`;
  const vacant = [{ id: "N", version: null }];
  for (const check of [[], vacant]) {
    const rival = await startRival(other.sql, touch);
    const blocked = store.commit(toCommit({
      check,
      put: ["B", "A"].map((id) => toPut(id, "mine")),
    }));
    await untilBlocked(other.sql);
    // it waits for A, and has not taken B
    await other.sql.unsafe(
      `SELECT FROM ${table} WHERE id = 'B' FOR UPDATE NOWAIT`,
    );
    await rival.commit();
    assertEquals((await blocked).ok, true);
  }
});
