/**
 * The conformance suite on Node.js: run with `node --test`.
 *
 * @module
 */

import { rm } from "node:fs/promises";
import { after, test } from "node:test";
import { assertEquals } from "@std/assert";
import { openKv } from "@deno/kv";
import { KvStore } from "@tessera/session";
import { testSessionStore } from "@tessera/session/testing";

const path = "./conformance.db";
const kv = await openKv(path);
after(async () => {
  kv.close();
  await rm(path);
});

testSessionStore(
  "KvStore on Node.js",
  () => new KvStore(kv, { prefix: [crypto.randomUUID()] }),
);

test("KvStore on Node.js hands out no memory that other records are in", async () => {
  const store = new KvStore(kv, { prefix: [crypto.randomUUID()] });
  const bytes = new Uint8Array([1, 2, 3]);
  const record = { bytes, map: new Map([["bytes", bytes]]) };
  const put = ["a", "b"].map((id) => ({ id, record, expireIn: 60_000 }));
  await store.commit({ check: [], put, delete: [] });
  const found = await Promise.all(["a", "b"].map((id) => store.get(id)));
  for (const versioned of found) {
    const { bytes, map } = versioned?.record as typeof record;
    assertEquals([...new Uint8Array(bytes.buffer)], [1, 2, 3]);
    assertEquals(map.get("bytes"), bytes);
  }
});
