/**
 * `KvStore` at the limits of what Deno KV takes, and of what passes by itself.
 */

import { assert, assertEquals } from "@std/assert";
import { KvStore, SessionTooLargeError } from "@tessera/session";
import { isTransient } from "../src/_kv_retry.ts";
import { changed } from "./_far_kv.ts";

/** Creates a record of so many bytes. */
function create(store: KvStore, id: string, bytes: number) {
  const record = { bytes: new Uint8Array(bytes).fill(7) };
  return store.commit({
    check: [{ id, version: null }],
    put: [{ id, record, expireIn: 60_000 }],
    delete: [],
  });
}

Deno.test("KvStore.get() reads a record that is as large as one can be", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = new KvStore(kv);
  assert((await create(store, "a", 798_000)).ok);
  const { record } = await store.get("a") ?? {};
  assertEquals(record, { bytes: new Uint8Array(798_000).fill(7) });
});

Deno.test("KvStore.commit() that has to wait for the next operation is not overtaken by one of its id", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = new KvStore(kv);
  const results = await Promise.all([
    create(store, "a", 500_000),
    create(store, "b", 500_000), // no room for it beside the first
    create(store, "b", 1),
  ]);
  assertEquals(results.map(({ ok }) => ok), [true, true, false]);
});

Deno.test("isTransient() holds for what KV Connect answers when there is too much to do, or in trouble", () => {
  const texts = (status: number) => [
    `KV Connect failed to call \`https://kv.example/snapshot_read\` (status=${status}): busy`,
    `Unexpected response status: ${status} busy`,
  ];
  for (const status of [429, 500, 503]) {
    for (const text of texts(status)) {
      assert(isTransient(new Error(text)), text);
    }
  }
  for (const status of [400, 401, 403, 404, 428, 4290]) {
    for (const text of texts(status)) {
      assert(!isTransient(new Error(text)), text);
    }
  }
});

Deno.test("KvStore.commit() leaves no parts behind of two large records that one commit put", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = new KvStore(kv);
  const record = { bytes: new Uint8Array(100_000).fill(7) };
  const ids = ["a", "b"];
  const put = ids.map((id) => ({ id, record, expireIn: 60_000 }));
  const both = await store.commit({ check: [], put, delete: [] });
  assert(both.ok);
  for (const id of ids) {
    const check = [{ id, version: both.version }];
    assert((await store.commit({ check, put: [], delete: [{ id }] })).ok);
  }
  assertEquals(await Array.fromAsync(kv.list({ prefix: [] })), []);
});

Deno.test("KvStore.commit() is a SessionTooLargeError where a long prefix takes the room", async () => {
  using kv = await Deno.openKv(":memory:");
  for (const length of [100, 500, 700, 1_000]) {
    const store = new KvStore(kv, { prefix: ["x".repeat(length)] });
    const record = { bytes: new Uint8Array(798_000).fill(7) };
    const put = [{ id: "a", record, expireIn: 60_000 }];
    for (let tries = 0; tries < 2; tries++) {
      try {
        await store.commit({ check: [], put, delete: [] });
      } catch (error) {
        assert(error instanceof SessionTooLargeError, `${error}`);
      }
    }
  }
});

Deno.test("KvStore.commit() without a check of what it deletes holds though others make and unmake that", async () => {
  using kv = await Deno.openKv(":memory:");
  const other = new KvStore(kv);
  const made = await create(other, "session", 1);
  assert(made.ok);
  let operations = 0;
  const meeting = changed(kv, {
    atomic() {
      const atomic = kv.atomic();
      const commit = atomic.commit.bind(atomic);
      atomic.commit = async () => {
        if (++operations > 1) return await commit();
        const old = await create(other, "old", 1);
        assert(old.ok);
        const result = await commit();
        const check = [{ id: "old", version: old.version }];
        await other.commit({ check, put: [], delete: [{ id: "old" }] });
        return result;
      };
      return atomic;
    },
  });
  const result = await new KvStore(meeting).commit({
    check: [{ id: "session", version: made.version }],
    put: [],
    delete: [{ id: "session" }, { id: "old" }],
  });
  assertEquals(result.ok, true);
});
