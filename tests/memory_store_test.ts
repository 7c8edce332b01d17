import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { MemoryStore } from "../src/memory_store.ts";
import type { StoreCommit } from "../src/session_store.ts";
import { testSessionStore } from "../src/testing/mod.ts";

testSessionStore("MemoryStore", () => new MemoryStore());

/** Makes a commit of what is given. */
function toCommit(changes: Partial<StoreCommit>): StoreCommit {
  return { check: [], put: [], delete: [], ...changes };
}

/** Runs with a `Date.now` that can be moved, for the store has no clock. */
async function withTime(
  run: (move: (milliseconds: number) => void) => Promise<void>,
): Promise<void> {
  const { now } = Date;
  let time = 1_700_000_000_000;
  Date.now = () => time;
  try {
    await run((milliseconds) => time += milliseconds);
  } finally {
    Date.now = now;
  }
}

Deno.test("MemoryStore() takes no argument", () => {
  assertEquals(new MemoryStore().size, 0);
  assertThrows(
    () => Reflect.construct(MemoryStore, [{ maxSize: 1 }]),
    TypeError,
    "want no argument",
  );
  assertEquals(Reflect.construct(MemoryStore, [undefined]).size, 0);
});

Deno.test("MemoryStore.commit() changes nothing if a value does not clone", async () => {
  const store = new MemoryStore();
  const [kept, fresh] = ["A", "B"];
  await store.commit(toCommit({
    put: [{ id: kept, record: 1, expireIn: 60_000, subject: "alice" }],
  }));
  const bad = [
    () => {},
    { symbol: Symbol("s") },
    { promise: Promise.resolve() },
    {
      get thrown() {
        throw new Error("from a getter");
      },
    },
  ];
  for (const record of bad) {
    const error = await assertRejects(
      () =>
        store.commit(toCommit({
          put: [
            { id: kept, record: 2, expireIn: 60_000, subject: "alice" },
            { id: fresh, record, expireIn: 60_000, subject: "alice" },
          ],
        })),
      TypeError,
      "want values that structured clone carries",
    );
    assert(error.cause !== undefined);
  }
  assertEquals((await store.get(kept))?.record, 1);
  assertEquals(store.size, 1);
  assertEquals(await Array.fromAsync(store.list({ subject: "alice" })), [
    { id: kept, record: 1, version: "1" },
  ]);
});

Deno.test("MemoryStore.commit() refuses an expireIn that is no positive integer", async () => {
  const store = new MemoryStore();
  for (const expireIn of [0, -1, 1.5, NaN, Infinity, 2 ** 53]) {
    await assertRejects(
      () => store.commit(toCommit({ put: [{ id: "A", record: 1, expireIn }] })),
      RangeError,
      `"expireIn" must be an integer of 1 or more: received ${expireIn}`,
    );
  }
  assertEquals(store.size, 0);
});

Deno.test("MemoryStore.list() refuses a limit that is no positive integer", async () => {
  const store = new MemoryStore();
  for (const limit of [0, -1, 1.5, NaN]) {
    await assertRejects(
      () => Array.fromAsync(store.list({ limit })),
      RangeError,
      `"limit" must be an integer of 1 or more: received ${limit}`,
    );
  }
});

Deno.test("MemoryStore drops a record when its expireIn has passed, not earlier", async () => {
  await withTime(async (move) => {
    const store = new MemoryStore();
    const put = { id: "A", record: 1, expireIn: 1_000, subject: "alice" };
    await store.commit(toCommit({ put: [put] }));
    move(999);
    assertEquals((await store.get("A"))?.record, 1);
    assertEquals((await Array.fromAsync(store.list())).length, 1);
    move(1);
    assertEquals(await store.get("A"), undefined);
    assertEquals(store.size, 0);
    assertEquals(await Array.fromAsync(store.list()), []);
    assertEquals(await Array.fromAsync(store.list({ subject: "alice" })), []);
    const check = [{ id: "A", version: null }];
    const result = await store.commit(toCommit({ check, put: [put] }));
    assertEquals(result.ok, true);
  });
});

Deno.test("MemoryStore.list() passes over expired records without counting them", async () => {
  await withTime(async (move) => {
    const store = new MemoryStore();
    await store.commit(toCommit({
      put: ["A", "B", "C", "D"].map((id) => ({
        id,
        record: id,
        expireIn: id < "C" ? 60_000 : 1_000,
        subject: "alice",
      })),
    }));
    move(1_000);
    const listed = await Array.fromAsync(
      store.list({ subject: "alice", limit: 2 }),
    );
    assertEquals(listed.map(({ id }) => id), ["B", "A"]);
    assertEquals(store.size, 2);
  });
});

Deno.test("MemoryStore stays small while sessions come and go, without timers", async () => {
  await withTime(async (move) => {
    const store = new MemoryStore();
    let largest = 0;
    for (let n = 0; n < 20_000; n++) {
      const id = String(n).padStart(8, "0");
      await store.commit(toCommit({
        put: [{ id, record: n, expireIn: 100, subject: `s${n % 1_000}` }],
      }));
      move(1);
      largest = Math.max(largest, store.size);
    }
    assert(largest < 500, `of 20,000 records 100 live at a time: ${largest}`);
  });
});

Deno.test("MemoryStore.watch() calls back after each change, deletion included", async () => {
  const store = new MemoryStore();
  const controller = new AbortController();
  let calls = 0;
  store.watch("A", () => calls++, controller.signal);
  const put = [{ id: "A", record: 1, expireIn: 60_000 }];
  await store.commit(toCommit({ put }));
  await store.commit(toCommit({ put: [{ ...put[0], id: "B" }] as typeof put }));
  assertEquals(calls, 1);
  await store.commit(toCommit({ delete: [{ id: "A" }] }));
  assertEquals(calls, 2);
  await store.commit(toCommit({ delete: [{ id: "A" }] }));
  await store.commit(toCommit({ check: [{ id: "A", version: "0" }], put }));
  assertEquals(calls, 2);
  const last = store.commit(toCommit({ put }));
  controller.abort();
  await last;
  await store.commit(toCommit({ put }));
  assertEquals(calls, 2);
});

Deno.test("MemoryStore.watch() calls back when all of a commit is done", async () => {
  const store = new MemoryStore();
  const controller = new AbortController();
  const { promise, resolve } = Promise.withResolvers<number>();
  store.watch("A", () => resolve(store.size), controller.signal);
  const put = ["A", "B"].map((id) => ({ id, record: 1, expireIn: 60_000 }));
  await store.commit(toCommit({ put }));
  assertEquals(await promise, 2);
  controller.abort();
});

Deno.test("MemoryStore.watch() lets a callback commit, and end its own watch", async () => {
  const store = new MemoryStore();
  const controller = new AbortController();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  store.watch("A", async () => {
    controller.abort();
    const result = await store.commit(toCommit({ delete: [{ id: "A" }] }));
    resolve(result.ok);
  }, controller.signal);
  const put = [{ id: "A", record: 1, expireIn: 60_000 }];
  await store.commit(toCommit({ put }));
  assertEquals(await promise, true);
  assertEquals(store.size, 0);
});

Deno.test("MemoryStore keeps its index right through random changes", async () => {
  const store = new MemoryStore();
  const model = new Map<string, { n: number; subject: string | undefined }>();
  let state = 42;
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % below;
  };
  for (let n = 0; n < 3_000; n++) {
    const id = String(random(60));
    const subject = [undefined, "", "a", "b"][Number(id) % 4];
    const named = subject === undefined ? {} : { subject };
    if (random(3) === 0) {
      await store.commit(toCommit({ delete: [{ id, ...named }] }));
      model.delete(id);
    } else {
      const put = [{ id, record: n, expireIn: 60_000, ...named }];
      await store.commit(toCommit({ put }));
      model.set(id, { n, subject });
    }
    if (n % 50 !== 0) continue;
    for (const scope of [undefined, "", "a", "b"]) {
      const options = scope === undefined ? {} : { subject: scope };
      const listed = await Array.fromAsync(store.list(options));
      assertEquals(
        listed.map(({ id, record }) => [id, record]),
        [...model].filter(([, it]) =>
          scope === undefined || it.subject === scope
        ).map(([id, it]) => [id, it.n]).sort().reverse(),
      );
    }
  }
});
