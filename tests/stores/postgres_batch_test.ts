import { assert, assertEquals } from "@std/assert";
import { all, put, toCommit, toPut, usePostgres } from "./_postgres_store.ts";

const open = usePostgres();

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
  // the third could go with the first, but must not overtake the second
  const puts = [["S0"], ["S0", "S1"], ["S1"]].map((ids, n) =>
    store.commit(toCommit({ put: ids.map((id) => toPut(id, n)) }))
  );
  await Promise.all(puts);
  assertEquals(await all(store), { S4: 49, S3: 48, S2: 47, S1: 2, S0: 1 });
});

Deno.test("PostgresStore.commit() knows without asking that some checks cannot hold", async () => {
  await using opened = await open();
  const { store, statements } = opened;
  const version = await put(store, "A");
  statements.splice(0);
  const impossible = [
    ...["", "1", "x", version.toUpperCase(), `${version}0`, `{${version}}`].map(
      (version) => [{ id: "A", version }],
    ),
    [{ id: "A", version }, { id: "A", version: null }],
    [{ id: "A", version }, { id: "A", version: crypto.randomUUID() }],
  ];
  for (const check of impossible) {
    const commit = toCommit({ check, put: [toPut("A", 2), toPut("B", 2)] });
    assertEquals(await store.commit(commit), { ok: false });
  }
  assertEquals(statements, []);
  const check = [{ id: "A", version }, { id: "A", version }];
  assertEquals((await store.commit(toCommit({ check }))).ok, true);
  assertEquals(await all(store), { A: 1 });
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
