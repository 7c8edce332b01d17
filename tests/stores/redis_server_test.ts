import { Buffer } from "node:buffer";
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { RedisClientType } from "redis";
import { type RedisClient, RedisStore } from "@tessera/session/redis";
import {
  ALICE,
  BOB,
  EXPIRE_IN_MS,
  numbered,
  sleep,
  toCommit,
  toPut,
} from "./_redis_commits.ts";
import { withRedis } from "./_redis.ts";

const test = withRedis();

test("RedisStore.commit() lets nothing stay for ever", async ({ client, store }) => {
  const subject = "alice";
  await store.commit(toPut("A", 1, { subject, expireIn: 70_000 }));
  await store.commit(toPut("B", 1, { subject, expireIn: 30_000 }));
  await store.commit(toPut("A", 2, { subject, expireIn: 50_000 }));
  const lifetimes: Record<string, number> = {};
  for (const key of await client.keys("*")) {
    lifetimes[key.replace(/subject:.*/, "subject")] =
      Math.ceil(await client.pTTL(key) / 10_000) * 10_000;
  }
  // Indexes live as long as any record of theirs ever had to.
  assertEquals(lifetimes, {
    "{sessions}:id:A": 50_000,
    "{sessions}:id:B": 30_000,
    "{sessions}:ids": 70_000,
    "{sessions}:subject": 70_000,
  });
});

test("RedisStore.commit() lets indexes go with their last record", async ({ client, store }) => {
  await store.commit(toPut("A", 1, { subject: "alice", expireIn: 20 }));
  const keys = await client.keys("*");
  assertEquals(keys.length, 3);
  await sleep(60);
  assertEquals(await client.exists(keys), 0);
});

test("RedisStore.commit() leaves nothing of what it deletes", async ({ client, store }) => {
  const subject = "alice";
  for (const id of ["A", "B"]) await store.commit(toPut(id, 1, { subject }));
  await store.commit(toCommit({ delete: [{ id: "A", subject }] }));
  assertEquals(await client.zRange("{sessions}:ids", 0, -1), ["B"]);
  assertEquals(await client.zRange(ALICE, 0, -1), ["B"]);
  await store.commit(toCommit({ delete: [{ id: "B", subject }] }));
  assertEquals(await client.keys("*"), []);
});

test("RedisStore.commit() removes entries of records that are gone", async ({ client, store }) => {
  const subject = "alice";
  const put = (ids: string[], expireIn: number) =>
    store.commit(toCommit({
      put: ids.map((id) => ({ id, record: 1, expireIn, subject })),
    }));
  await put(numbered("old", 50), 20);
  await put(["kept"], EXPIRE_IN_MS);
  await sleep(60);
  assertEquals(await sizesOfIndexes(client), [51, 51]);
  // An update adds nothing, so it looks for nothing.
  await put(["kept"], EXPIRE_IN_MS);
  assertEquals(await sizesOfIndexes(client), [51, 51]);
  for (const id of numbered("new", 150)) await put([id], EXPIRE_IN_MS);
  // It takes its samples at random: about one of the old ones is left.
  for (const size of await sizesOfIndexes(client)) {
    assert(size >= 151 && size < 171, `${size} entries`);
  }
  const listed = await Array.fromAsync(store.list());
  assertEquals(listed.length, 151);
});

/** Counts the entries of the index of all records, and of that of "alice". */
async function sizesOfIndexes(client: RedisClientType): Promise<number[]> {
  return [
    await client.zCard("{sessions}:ids"),
    await client.zCard(ALICE),
  ];
}

test("RedisStore.list() removes entries of records that are gone", async ({ client, store }) => {
  const subject = "alice";
  await store.commit(toPut("kept", 1, { subject }));
  await store.commit(toCommit({
    put: numbered("gone", 30).map((id) => (
      { id, record: 1, expireIn: 20, subject }
    )),
  }));
  await sleep(60);
  for (const options of [{}, { subject }]) {
    const listed = await Array.fromAsync(store.list(options));
    assertEquals(listed.map(({ id }) => id), ["kept"]);
  }
  assertEquals(await sizesOfIndexes(client), [1, 1]);
});

test("RedisStore.commit() changes nothing if the server refuses", async ({ client, store }) => {
  const result = await store.commit(toPut("A", "old", { subject: "alice" }));
  assert(result.ok);
  const change = toCommit({
    check: [{ id: "A", version: result.version }],
    put: [
      { id: "B", record: "new", expireIn: EXPIRE_IN_MS },
      { id: "C", record: "new", expireIn: EXPIRE_IN_MS, subject: "bob" },
    ],
    delete: [{ id: "A", subject: "alice" }],
  });
  const assertUnchanged = async () => {
    assertEquals((await store.get("A"))?.version, result.version);
    assertEquals(await store.get("B"), undefined);
    assertEquals(await store.get("C"), undefined);
    const listed = await Array.fromAsync(store.list());
    assertEquals(listed.map(({ id }) => id), ["A"]);
  };
  await client.configSet("maxmemory", "1");
  try {
    await assertRejects(() => store.commit(change), Error, "OOM");
  } finally {
    await client.configSet("maxmemory", "0");
  }
  await assertUnchanged();
  await client.set(BOB, "in the way");
  await assertRejects(() => store.commit(change), Error, "WRONGTYPE");
  await assertUnchanged();
  await client.del(BOB);
  assert((await store.commit(change)).ok);
  assertEquals((await store.get("C"))?.record, "new");
});

test("RedisStore.commit() works when the server has forgotten its scripts", async ({ client, store }) => {
  await store.commit(toPut("A", 1));
  await client.scriptFlush();
  const results = await Promise.all([
    store.commit(toPut("A", 2)),
    store.commit(toPut("B", 2)),
  ]);
  assert(results.every(({ ok }) => ok));
  await client.scriptFlush();
  assertEquals((await Array.fromAsync(store.list())).length, 2);
});

test("RedisStore works with a client that adds a prefix to keys", async ({ redis, client }) => {
  const prefixed = await redis.connect({ keyPrefix: "app:" });
  try {
    const store = new RedisStore(prefixed, { prefix: "s" });
    const subject = "alice";
    for (const id of numbered("id", 20)) {
      await store.commit(toPut(id, id, { subject }));
    }
    const listed = await Array.fromAsync(store.list({ subject }));
    assertEquals(listed.length, 20);
    assertEquals(await client.zCard("app:s:ids"), 20);
  } finally {
    await prefixed.close();
  }
});

test("RedisStore works with RESP2, and with a client that returns buffers", async ({ redis }) => {
  const client = await redis.connect({ RESP: 2 });
  try {
    for (const it of [client, client.withTypeMapping({ 36: Buffer })]) {
      const store = new RedisStore(it as unknown as RedisClient);
      const result = await store.commit(toPut("A", { text: "\u044f" }));
      assert(result.ok);
      const expected = { record: { text: "\u044f" }, version: result.version };
      assertEquals(await store.get("A"), expected);
      assertEquals(await Array.fromAsync(store.list()), [
        { id: "A", ...expected },
      ]);
      assertEquals(await store.get("B"), undefined);
    }
  } finally {
    await client.close();
  }
});

test("RedisStore needs few permissions, and none to publish", async ({ redis, client }) => {
  await client.sendCommand([
    ...["ACL", "SETUSER", "app", "on", ">secret", "resetchannels"],
    ...["~{sessions}:*", "+hello", "+client"],
    ...["+mget", "+eval", "+evalsha", "+getrange", "+get", "+set", "+del"],
    ...["+exists", "+pttl", "+pexpire", "+zadd", "+zrem", "+zrange"],
    ...["+zrandmember"],
  ]);
  const app = await redis.connect({ username: "app", password: "secret" });
  const controller = new AbortController();
  try {
    const store = new RedisStore(app);
    store.watch("A", () => {}, controller.signal);
    const subject = "alice";
    assert((await store.commit(toPut("A", 1, { subject }))).ok);
    assertEquals((await store.get("A"))?.record, 1);
    assertEquals((await Array.fromAsync(store.list({ subject }))).length, 1);
    const gone = toCommit({ delete: [{ id: "A", subject }] });
    assert((await store.commit(gone)).ok);
    assertEquals(await store.get("A"), undefined);
  } finally {
    controller.abort();
    await app.close();
    await client.sendCommand(["ACL", "DELUSER", "app"]);
  }
});
