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

for (const company of [0, 1]) {
  Deno.test(`PostgresStore.commit() that creates a record waits for who creates it, and loses (${company} beside it)`, async () => {
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
    const beside = ["D"].slice(0, company).map((id) => put(store, id, "new"));
    await untilBlocked(other.sql);
    await rival.commit();
    assertEquals(await lost, { ok: false });
    assert((await Promise.all(beside)).every((version) => version !== ""));
    assertEquals(await all(store), {
      N: "rival",
      ...(company === 1 && { D: "new" }),
      A: "old",
    });
  });
}

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
  const before = put(store, "C", "beside");
  const lost = store.commit(commit);
  const after = put(store, "D", "beside");
  await untilBlocked(other.sql);
  await rival.commit();
  assertEquals(await lost, { ok: false });
  assert(await before && await after);
  assertEquals(await store.commit(commit), { ok: false });
  assertEquals(await all(store), { N: "rival", D: "beside", C: "beside" });

  await store.commit(toCommit({
    delete: ["N", "C", "D"].map((id) => ({ id })),
  }));
  assertEquals((await store.commit(commit)).ok, true);
  assertEquals(await all(store), { A: "mine" });
  const several = toCommit({
    check: [...check, { id: "A", version: null }, { id: "O", version: null }],
    put: [toPut("B")],
  });
  assertEquals(await store.commit(several), { ok: false });
  const outdated = toCommit({
    check: [...check, { id: "A", version: crypto.randomUUID() }],
    put: [toPut("B")],
    delete: [{ id: "A" }],
  });
  assertEquals(await store.commit(outdated), { ok: false });
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
  const vacant = [{ id: "0", version: null }];
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
    // nor has it put a row where there is none
    await other.sql.unsafe(`
      SET LOCAL lock_timeout = 500;
      ${insert(table, "0")};
      DELETE FROM ${table} WHERE id = '0'`);
    await rival.commit();
    assertEquals((await blocked).ok, true);
  }
});
