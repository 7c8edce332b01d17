import { assert, assertEquals, assertRejects } from "@std/assert";
import { PostgresStore, postgresTable } from "@tessera/session/postgres";
import postgres from "postgres";
import {
  all,
  put,
  startRival,
  toCommit,
  toPut,
  usePostgres,
} from "./_postgres_store.ts";

const HOUR = 3_600_000;

const open = usePostgres();

Deno.test("PostgresStore.createTable() may run again, and many times at once, without a word", async () => {
  const notices: unknown[] = [];
  const onnotice = (notice: unknown) => void notices.push(notice);
  await using first = await open({ driver: { onnotice } });
  await first.sql.unsafe("CREATE SCHEMA crowd");
  for (const table of ["crowd", "crowd.Sessions"]) {
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        await using other = first.again({ table, driver: { onnotice } });
        await other.store.createTable();
      }),
    );
    const store = new PostgresStore(first.sql, { table });
    await put(store, "A", { n: 1 }, "ada");
    await store.createTable();
    assertEquals(await all(store), { A: { n: 1 } });
  }
  assertEquals(notices, []);
});

Deno.test("PostgresStore.createTable() needs no right to create tables where there is one", async () => {
  await using opened = await open();
  const { sql, table } = opened;
  await sql.unsafe(`
    CREATE ROLE clerk; REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO clerk`);
  const driver = { connection: { role: "clerk" } };
  await using clerk = opened.again({ driver });
  await clerk.store.createTable();
  await put(clerk.store, "A");
  assertEquals(await all(clerk.store), { A: 1 });
  assertEquals(await clerk.store.sweep(), 0);
  await using other = opened.again({ driver, table: "forbidden" });
  await assertRejects(
    () => other.store.createTable(),
    postgres.PostgresError,
    "permission denied",
  );
});

Deno.test("PostgresStore.createTable() refuses a table that is for something else", async () => {
  await using opened = await open();
  await opened.sql.unsafe(`
    CREATE TABLE session (sid varchar PRIMARY KEY, sess json, expire timestamp)`);
  await using other = opened.again({ table: "session" });
  await assertRejects(
    () => other.store.createTable(),
    TypeError,
    "Cannot create table session: want a table with the columns of a PostgresStore",
  );
});

Deno.test("PostgresStore.sweep() of one schema does not wait for that of another", async () => {
  await using opened = await open();
  await opened.sql.unsafe("CREATE SCHEMA one; CREATE SCHEMA two");
  const counts = ["one", "two"].map(async (schema) => {
    const driver = { connection: { search_path: schema } };
    await using other = opened.again({ driver, table: "swept" });
    await other.store.createTable();
    await other.sql.unsafe(`
      INSERT INTO swept SELECT n, '1', gen_random_uuid(), NULL, now() - interval '1 hour'
      FROM generate_series(1, 5000) AS n`);
    return await other.store.sweep();
  });
  assertEquals(await Promise.all(counts), [5_000, 5_000]);
});

Deno.test("PostgresStore.createTable() does what postgresTable() says", async () => {
  await using opened = await open();
  const { sql, table } = opened;
  const describe = async (name: string) =>
    JSON.stringify([
      await sql`SELECT column_name, data_type, collation_name, is_nullable, column_default
        FROM information_schema.columns WHERE table_name = ${name} ORDER BY ordinal_position`,
      await sql`SELECT indexdef FROM pg_indexes WHERE tablename = ${name} ORDER BY 1`,
      await sql`SELECT reloptions FROM pg_class WHERE relname = ${name}`,
    ]).replaceAll(name, "it");
  await sql.unsafe("SET client_min_messages = warning;" + postgresTable("ddl"));
  await sql.unsafe("SET client_min_messages = warning;" + postgresTable("ddl"));
  const created = await describe(table);
  assertEquals(created, await describe("ddl"));
  assert(created.includes("(subject, id DESC)"));
  assert(created.includes("(expires_at)"));
  assert(postgresTable().includes('TABLE IF NOT EXISTS "tessera_sessions" ('));
});

Deno.test("PostgresStore never keeps a record shorter than its expireIn, and at most a minute longer", async () => {
  await using opened = await open();
  const { store, sql, table } = opened;
  for (const expireIn of [1, 30_000, HOUR, 7 * 24 * HOUR, 2 ** 53 - 1]) {
    for (const id of ["new", "again"]) {
      await put(store, "again");
      await store.commit(toCommit({ put: [{ ...toPut(id), expireIn }] }));
      const [row] = await sql.unsafe(
        `SELECT extract(epoch FROM expires_at - now()) * 1000 - $1::float8 AS more
         FROM ${table} WHERE id = $2`,
        [expireIn, id],
      );
      const more = Number(row?.more);
      assert(-5_000 < more && more <= 60_000, `${id} ${expireIn}: ${more}`);
    }
    // whole minutes: a second put in the same minute changes no index
    const [row] = await sql.unsafe(
      `SELECT count(*)::int AS n FROM ${table} WHERE date_trunc('minute', expires_at) <> expires_at`,
    );
    assertEquals(row?.n, 0);
  }
});

Deno.test("PostgresStore.sweep() deletes the rows that have expired, and no others", async () => {
  await using opened = await open();
  const { store, sql, table } = opened;
  const ids = Array.from({ length: 2_345 }, (_, n) => `S${n}`);
  await store.commit(toCommit({ put: ids.map((id) => toPut(id)) }));
  assertEquals(await store.sweep(), 0);
  await sql.unsafe(
    `UPDATE ${table} SET expires_at = now() - interval '1 s' WHERE id <> ALL ($1)`,
    [["S7", "S77"]],
  );
  assertEquals((await store.get("S8"))?.record, 1);
  assertEquals(await store.sweep(), 2_343);
  assertEquals(await all(store), { S7: 1, S77: 1 });
  await sql.unsafe(`UPDATE ${table} SET expires_at = now() - interval '1 s'`);
  const counts = await Promise.all([store.sweep(), store.sweep()]);
  assertEquals(counts.toSorted(), [0, 2]);
});

Deno.test("PostgresStore.sweep() is run by one process at a time", async () => {
  await using opened = await open();
  await using other = opened.again();
  const { store, sql, table } = opened;
  await put(store, "A");
  await sql.unsafe(`UPDATE ${table} SET expires_at = now() - interval '1 s'`);
  const sweeper = await startRival(
    other.sql,
    `SELECT pg_advisory_xact_lock(hashtextextended(
      'tessera:${table}' || to_regclass('${table}')::oid::text, 1))`,
  );
  assertEquals(await store.sweep(), 0);
  await sweeper.commit();
  assertEquals(await store.sweep(), 1);
});

Deno.test("PostgresStore.sweep() leaves a row that is being renewed, and does not wait for it", async () => {
  await using opened = await open();
  await using other = opened.again();
  const { store, sql, table } = opened;
  await put(store, "A");
  await put(store, "B");
  await sql.unsafe(`UPDATE ${table} SET expires_at = now() - interval '1 s'`);
  const renewal = await startRival(
    other.sql,
    `UPDATE ${table} SET expires_at = now() + interval '1 h' WHERE id = 'A'`,
  );
  assertEquals(await store.sweep(), 1);
  await renewal.commit();
  assertEquals(await store.sweep(), 0);
  assertEquals(await all(store), { A: 1 });
});
