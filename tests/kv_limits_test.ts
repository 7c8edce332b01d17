/**
 * `KvStore` at the limits of what Deno KV takes, and of what passes by itself.
 */

import { assert, assertEquals } from "@std/assert";
import { KvStore } from "@tessera/session";
import { isTransient } from "../src/_kv_retry.ts";

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
