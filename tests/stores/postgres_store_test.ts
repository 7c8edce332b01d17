import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type SessionEvent,
  SessionManager,
  SessionTooLargeError,
} from "@tessera/session";
import {
  type PostgresSql,
  PostgresStore,
  postgresTable,
} from "@tessera/session/postgres";
import { testSessionStore } from "@tessera/session/testing";
import postgres from "postgres";
import { stdArguments } from "../../tools/std.ts";
import { all, put, toCommit, toPut, usePostgres } from "./_postgres_store.ts";
import { read, start } from "../_races.ts";

const open = usePostgres();

testSessionStore("PostgresStore", async () => {
  const opened = await open();
  return Object.assign(opened.store, {
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  });
});

Deno.test("PostgresStore refuses what is not a pool", () => {
  const sql = postgres({ max: 1 });
  const { unsafe, begin, listen } = sql;
  new PostgresStore({ unsafe, begin, listen });
  const odd = [undefined, null, {}, "postgres://localhost"];
  const partial = [{ unsafe, begin }, { unsafe, listen }, { begin, listen }];
  for (const pool of [...odd, ...partial]) {
    assertThrows(
      () => new PostgresStore(pool as PostgresSql),
      TypeError,
      `Cannot create PostgresStore: want what postgres(…) of npm:postgres returns: received ${
        pool === null ? "null" : typeof pool
      }`,
    );
  }
});

Deno.test("PostgresStore refuses odd options", () => {
  const sql = postgres({ max: 1 });
  const create = (options: Record<string, unknown>) =>
    new PostgresStore(sql, options);
  assertThrows(
    () => create({ tabel: "x" }),
    TypeError,
    'want an option of table, batch, listen: received "tabel"',
  );
  for (const option of ["batch", "listen"]) {
    assertThrows(
      () => create({ [option]: "no" }),
      TypeError,
      `"${option}" must be a boolean: received string`,
    );
  }
  const long = "x".repeat(49);
  for (
    const table of ["", "a b", 'a"b', "a.b.c", ".a", "a.", "1a", "ä", long]
  ) {
    const want =
      `"table" must be a name, or a schema, a dot and a name, of letters, digits and "_", 48 characters at most: received ${
        JSON.stringify(table)
      }`;
    assertThrows(() => create({ table }), TypeError, want);
    assertThrows(() => postgresTable(table), TypeError, want);
  }
  assertThrows(() => create({ table: 1 }), TypeError, "received 1");
  create({ table: "A_1.b_2" });
  create({ table: "x".repeat(48) });
  create({ table: undefined, batch: undefined, listen: undefined });
});

Deno.test("PostgresStore's code loads no driver, and the core does not load PostgresStore", async () => {
  const modulesOf = async (path: string) => {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", ...await stdArguments(), path],
      cwd: new URL("../../", import.meta.url),
    }).output();
    return new TextDecoder().decode(stdout);
  };
  const store = await modulesOf("src/postgres_store.ts");
  assert(store.includes("_postgres_writer.ts"));
  assert(!store.includes("npm:postgres") && !store.includes("npm:/postgres"));
  assert(!(await modulesOf("mod.ts")).includes("postgres"));
});

Deno.test("PostgresStore keeps records as JSON that SQL can read", async () => {
  await using opened = await open();
  await put(opened.store, "A", { subject: "ada", at: new Date(0) }, "ada");
  const [row] = await opened.sql.unsafe(
    `SELECT record, record::json #>> '{at,$date}' AS at FROM ${opened.table}`,
  );
  assertEquals({ ...row }, {
    record: '{"subject":"ada","at":{"$date":"1970-01-01T00:00:00.000Z"}}',
    at: "1970-01-01T00:00:00.000Z",
  });
});

Deno.test("PostgresStore.commit() refuses ids that Postgres cannot keep, and knows that they are not there", async () => {
  await using opened = await open();
  const { store, statements } = opened;
  for (const id of ["\0", "a\0b", "\ud800", "\udfff", "🍪", "x".repeat(601)]) {
    await assertRejects(
      () => store.commit(toCommit({ put: [toPut("A"), toPut(id)] })),
      TypeError,
      "Cannot store session: the id must be at most 600 characters, none of them NUL or a surrogate",
    );
    assertEquals(await store.get(id), undefined);
    const put = [toPut("B")];
    const version = crypto.randomUUID();
    const check = [{ id, version }];
    assertEquals(await store.commit(toCommit({ check, put })), { ok: false });
    assertEquals(statements, []);
    const created = await store.commit(toCommit({
      check: [{ id, version: null }],
      put,
      delete: [{ id }],
    }));
    assertEquals(created.ok, true);
    await store.commit(toCommit({ delete: [{ id: "B" }] }));
    statements.splice(0);
  }
  assertEquals(await all(store), {});
});

Deno.test("PostgresStore keeps ids of up to 600 characters, whatever they are", async () => {
  await using opened = await open();
  let state = 7;
  const random = () => state = Math.imul(state, 1_103_515_245) + 12_345 >>> 0;
  const ids = ["", `"`, "\\", "{}", "NULL", ",", "'; DROP TABLE x", "\uffff"];
  ids.push(String.fromCharCode(
    ...Array.from({ length: 600 }, () => 0xe000 + random() % 0x1fff),
  ));
  for (const id of ids) {
    const version = await put(opened.store, id, { id });
    assertEquals(await opened.store.get(id), { record: { id }, version });
  }
  const found = await Promise.all(ids.map((id) => opened.store.get(id)));
  assertEquals(found.map((it) => it?.record), ids.map((id) => ({ id })));
  await opened.store.commit(toCommit({ delete: ids.map((id) => ({ id })) }));
  assertEquals(await all(opened.store), {});
});

Deno.test("PostgresStore.list() goes by code unit, whatever `before` is", async () => {
  await using opened = await open();
  const { store } = opened;
  const units = ["\u0001", "\u0002", "A", "\u00e9", "\ud7ff", "\ue000"];
  const ids = ["", ...units, ...units.flatMap((a) => units.map((b) => a + b))];
  await store.commit(toCommit({ put: ids.map((id) => toPut(id)) }));
  const odd = ["\0", "\ud800", "\udbff", "\udfff", "\u{10000}", "\u{10ffff}"];
  const bounds = [
    ...ids,
    ...odd,
    ...units.flatMap((a) => odd.flatMap((b) => [a + b, b + a, a + b + "\0"])),
  ];
  for (const before of bounds) {
    const listed = await Array.fromAsync(store.list({ before }), (it) => it.id);
    const expected = ids.filter((id) => id < before).sort().reverse();
    assertEquals(listed, expected, `before ${JSON.stringify(before)}`);
  }
});

Deno.test("PostgresStore.list() refuses a limit that is no positive integer", async () => {
  await using opened = await open();
  for (const limit of [0, -1, 1.5, NaN]) {
    await assertRejects(
      () => Array.fromAsync(opened.store.list({ limit })),
      RangeError,
      `Cannot list sessions: "limit" must be an integer of 1 or more: received ${limit}`,
    );
  }
  assertEquals(opened.statements, []);
});

Deno.test("PostgresStore.list() reads in pages, smaller ones of larger records", async () => {
  await using opened = await open();
  const { store, statements } = opened;
  const ids = Array.from({ length: 1_100 }, (_, n) => `S${10_000 + n}`);
  await store.commit(toCommit({ put: ids.map((id) => toPut(id)) }));
  const pages = async (options: { limit?: number }) => {
    statements.splice(0);
    const listed = await Array.fromAsync(store.list(options), ({ id }) => id);
    assertEquals(listed, ids.toReversed().slice(0, options.limit));
    return statements.length;
  };
  assertEquals(await pages({}), 4); // 20, 500, 500 and 80
  assertEquals(await pages({ limit: 20 }), 1);
  assertEquals(await pages({ limit: 520 }), 2);
  const large = "x".repeat(300_000);
  const newest = ids.slice(-60);
  for (const id of newest) await put(store, id, large);
  assertEquals(await pages({ limit: 60 }), 11); // 20, and then 4 at a time
});

Deno.test("PostgresStore.commit() refuses records over 16 MiB, with their size", async () => {
  await using opened = await open();
  const { store, statements } = opened;
  const limit = 16_777_216;
  const error = await assertRejects(
    () =>
      store.commit(toCommit({
        put: [toPut("A"), toPut("B", "é".repeat(limit / 2))],
      })),
    SessionTooLargeError,
    "Cannot store session: a record must be at most 16777216 bytes: received 16777218",
  );
  assertEquals([error.size, error.limit], [limit + 2, limit]);
  assertEquals(statements, []);
  await put(store, "C", "x".repeat(limit - 2));
  const found = await store.get("C");
  assertEquals((found?.record as string).length, limit - 2);
});

Deno.test("PostgresStore.commit() refuses an odd expireIn, and what structured clone does not carry", async () => {
  await using opened = await open();
  const { store } = opened;
  for (const expireIn of [0, -1, 1.5, NaN, Infinity, 2 ** 53]) {
    await assertRejects(
      () => store.commit(toCommit({ put: [{ ...toPut("A"), expireIn }] })),
      RangeError,
      `"expireIn" must be an integer of 1 or more: received ${expireIn}`,
    );
  }
  await assertRejects(
    () => store.commit(toCommit({ put: [toPut("A"), toPut("B", () => 1)] })),
    TypeError,
    "want values that structured clone carries",
  );
  assertEquals(await all(store), {});
});

Deno.test("PostgresStore shows a damaged row as a record of no session", async () => {
  await using opened = await open();
  const { store, sql, table } = opened;
  const events: SessionEvent[] = [];
  const manager = new SessionManager({
    store,
    onEvent: (event) => void events.push(event),
  });
  for (const damage of ["", "{", '{"$date":[', '{"$nothing":1}', "1"]) {
    const token = await start(manager);
    assertEquals(await read(manager, token), { here: 1 });
    await sql.unsafe(`UPDATE ${table} SET record = $1`, [damage]);
    events.splice(0);
    assertEquals(await read(manager, token), undefined);
    assertEquals(
      events.map((event) => "reason" in event && event.reason),
      ["corrupt"],
    );
    for await (const { record } of store.list()) {
      assertEquals(record, damage === "1" ? 1 : undefined);
    }
    await sql.unsafe(`DELETE FROM ${table}`);
  }
});

/** Has no use for `null`, as some apps. */
const toUndefined = (value: unknown) => value === null ? undefined : value;

Deno.test("PostgresStore works whatever the driver is told to make of rows, arrays and statements", async () => {
  const drivers = [
    { prepare: false },
    { fetch_types: false },
    { prepare: false, fetch_types: false, max: 1 },
    { transform: postgres.camel },
    { transform: postgres.toPascal },
    { transform: { value: { from: toUndefined } } },
    { transform: { row: { from: (row: object) => ({ ...row }) } } },
    { types: { bigint: postgres.BigInt } },
  ];
  for (const driver of drivers) {
    await using opened = await open({ driver });
    const { store } = opened;
    const version = await put(store, "A", { a_b: 1 }, "ada");
    await put(store, "B", { "a,b": ['"\\{}'] });
    const [a, b] = await Promise.all([store.get("A"), store.get("B")]);
    assertEquals(a, { record: { a_b: 1 }, version });
    assertEquals(b?.record, { "a,b": ['"\\{}'] });
    const check = [{ id: "A", version }, { id: "C", version: null }];
    const taken = toCommit({ check, delete: [{ id: "A" }] });
    assertEquals((await store.commit(taken)).ok, true);
    assertEquals((await store.commit(taken)).ok, false);
    assertEquals(await all(store), { B: { "a,b": ['"\\{}'] } });
    assertEquals(await Array.fromAsync(store.list({ subject: "ada" })), []);
    assertEquals(await store.sweep(), 0);
  }
});

Deno.test("PostgresStore hands on the driver's errors as they are", async () => {
  await using opened = await open();
  const { store, sql, table } = opened;
  await sql.unsafe(`DROP TABLE ${table}`);
  const calls = [
    () => store.get("A"),
    () => Promise.all([store.get("A"), store.get("B")]),
    () => store.commit(toCommit({ put: [toPut("A")] })),
    () => Array.fromAsync(store.list()),
    () => store.sweep(),
  ];
  for (const call of calls) {
    const error = await assertRejects(
      call,
      postgres.PostgresError,
      "does not exist",
    );
    assertEquals(error.code, "42P01");
  }
});
