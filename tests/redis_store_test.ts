import { Buffer } from "node:buffer";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  createClient,
  createClientPool,
  createCluster,
  type RedisClientType,
} from "redis";
import { SessionTooLargeError, type StoreCommit } from "@tessera/session";
import { type RedisClient, RedisStore } from "@tessera/session/redis";
import { testSessionStore } from "@tessera/session/testing";
import { withRedis } from "./_redis.ts";

const test = withRedis();

testSessionStore("RedisStore", () => test.redis.open());

/** How long the records of these tests are kept, unless time is the point. */
const EXPIRE_IN_MS = 60_000;

/** Indexes: printf %s alice | iconv -t utf-16le | sha256sum, in base64url. */
const ALICE = "{sessions}:subject:37b1Qe-C6RABWfEqhOY11NzgSzEATQWYD8PK6fWhlzc";
const BOB = "{sessions}:subject:ysL2iEbLc--ohXYPUCNZNx1IzFzcvm9JZtFF4r8W4FA";

/** Makes a commit of what is given. */
function toCommit(changes: Partial<StoreCommit>): StoreCommit {
  return { check: [], put: [], delete: [], ...changes };
}

/** Makes a commit that puts one record. */
function toPut(
  id: string,
  record: unknown,
  options: { subject?: string; expireIn?: number } = {},
): StoreCommit {
  return toCommit({
    put: [{ id, record, expireIn: EXPIRE_IN_MS, ...options }],
  });
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

Deno.test("RedisStore() takes every kind of client that npm:redis has", () => {
  for (
    const client of [
      createClient(),
      createClient({ RESP: 2 }),
      createCluster({ rootNodes: [] }),
      createClientPool(),
    ] satisfies RedisClient[]
  ) {
    assert(new RedisStore(client) instanceof RedisStore);
  }
});

Deno.test("RedisStore() throws for bad arguments", () => {
  const client = createClient();
  const bad: [unknown[], typeof TypeError | typeof RangeError, string][] = [
    [[], TypeError, "want a client of npm:redis"],
    [[null], TypeError, "want a client of npm:redis"],
    [["redis://127.0.0.1"], TypeError, "want a client of npm:redis"],
    [[{ get() {} }], TypeError, "want a client of npm:redis"],
    [[client, { ttl: 1 }], TypeError, 'received "ttl"'],
    [[client, { prefix: 1 }], TypeError, '"prefix" must be a well-formed'],
    [
      [client, { prefix: "\ud800" }],
      TypeError,
      '"prefix" must be a well-formed',
    ],
    [[client, { maxRecordBytes: 0 }], RangeError, "from 1 to 536870848"],
    [[client, { maxRecordBytes: 1.5 }], RangeError, "received 1.5"],
    [[client, { maxRecordBytes: "1" }], RangeError, "from 1 to 536870848"],
    [[client, { maxRecordBytes: 2 ** 29 }], RangeError, "from 1 to 536870848"],
  ];
  for (const [args, constructor, message] of bad) {
    assertThrows(
      () => Reflect.construct(RedisStore, args),
      constructor,
      message,
    );
  }
});

test("RedisStore.commit() keeps readable values under readable keys", async ({ client, store }) => {
  const result = await store.commit(
    toPut("A", { n: 1, at: new Date(0) }, { subject: "alice" }),
  );
  assert(result.ok);
  assertEquals(
    await client.get("{sessions}:id:A"),
    `{"version":"${result.version}","record":{"n":1,"at":{"$date":"1970-01-01T00:00:00.000Z"}}}`,
  );
  assertEquals((await client.keys("*")).sort(), [
    "{sessions}:id:A",
    "{sessions}:ids",
    ALICE,
  ]);
  assertEquals(await client.zRange(ALICE, 0, -1), ["A"]);
});

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

function numbered(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${name}${n}`);
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

test("RedisStore.commit() throws what is wrong with a record, and changes nothing", async ({ client, store }) => {
  const small = new RedisStore(client, { maxRecordBytes: 1_000 });
  const put = { id: "A", record: 1, expireIn: EXPIRE_IN_MS };
  for (const expireIn of [0, -1, 1.5, NaN, Infinity, 2 ** 53]) {
    await assertRejects(
      () => store.commit(toCommit({ put: [put, { ...put, expireIn }] })),
      RangeError,
      `"expireIn" must be an integer of 1 or more: received ${expireIn}`,
    );
  }
  await assertRejects(
    () => store.commit(toCommit({ put: [put, { ...put, record: () => {} }] })),
    TypeError,
    "want values that structured clone carries",
  );
  // In bytes, not characters: 998 and two quotes.
  const fits = "\u044f".repeat(499);
  await small.commit(toPut("fits", fits));
  assertEquals((await small.get("fits"))?.record, fits);
  const error = await assertRejects(
    () =>
      small.commit(toCommit({ put: [put, { ...put, record: `${fits}x` }] })),
    SessionTooLargeError,
    "want at most 1000 bytes: received 1001",
  );
  assertEquals([error.size, error.limit], [1_001, 1_000]);
  assertEquals(await store.get("A"), undefined);
});

test("RedisStore.get() shows damage as a record that is none, or as nothing", async ({ client, store }) => {
  const damaged = ['{"n":', "", '{"$nothing":1}', "undefined"];
  for (const text of damaged) {
    await client.set("{sessions}:id:A", `{"version":"v","record":${text}}`);
    assertEquals(await store.get("A"), { record: undefined, version: "v" });
  }
  for (const value of ["", "x", "{}", '{"version":"v"}', '{"version":"v']) {
    await client.set("{sessions}:id:A", value);
    assertEquals(await store.get("A"), undefined);
  }
});

test("RedisStore.get() shares round trips", async ({ client }) => {
  const { spy, calls } = spyOn(client);
  const store = new RedisStore(spy);
  const ids = numbered("id", 250);
  await Promise.all(ids.map((id) => store.commit(toPut(id, id))));
  calls.splice(0);
  const found = await Promise.all(ids.map((id) => store.get(id)));
  assertEquals(found.map((it) => it?.record), ids);
  assertEquals(calls.splice(0), ["mGet", "mGet", "mGet"]);
  await store.get("id1");
  await store.commit(toPut("id1", 1));
  assertEquals(calls.splice(0), ["mGet", "evalSha"]);
  assertEquals((await Array.fromAsync(store.list())).length, 250);
  assertEquals(calls.splice(0).filter((call) => call === "evalSha").length, 2);
  const [newest] = await Array.fromAsync(store.list({ limit: 1 }));
  assertEquals(newest?.id, "id99");
  assertEquals(calls.splice(0), ["evalSha"]);
});

test("RedisStore.list() asks for few large records at a time", async ({ client }) => {
  const { spy, calls } = spyOn(client);
  const store = new RedisStore(spy);
  const ids = numbered("id", 30);
  for (const id of ids) await store.commit(toPut(id, "x".repeat(300_000)));
  calls.splice(0);
  assertEquals((await Array.fromAsync(store.list())).length, 30);
  // Ten at first, then three at a time.
  assertEquals(calls.length, 1 + 7);
});

/** Makes a client whose calls are noted. */
function spyOn(client: RedisClient): { spy: RedisClient; calls: string[] } {
  const calls: string[] = [];
  const note = <Args extends unknown[], Result>(
    name: string,
    run: (...args: Args) => Result,
  ) =>
  (...args: Args): Result => {
    calls.push(name);
    return run(...args);
  };
  const spy: RedisClient = {
    mGet: note("mGet", (keys) => client.mGet(keys)),
    eval: note("eval", (script, options) => client.eval(script, options)),
    evalSha: note("evalSha", (sha1, options) => client.evalSha(sha1, options)),
  };
  return { spy, calls };
}

test("RedisStore takes any string as an id, and lists in code unit order", async ({ store }) => {
  const ids = [
    "",
    "\0",
    " ",
    "!",
    "A",
    "A ",
    "A!",
    "AA",
    "a",
    "}",
    "~",
    "~0000",
    "\x7f",
    "\u00e9",
    "\ud83c",
    "\u{1f36a}",
    "\udfff",
    "\ue000",
    "\ufffd",
    " 00",
    "~d800",
    "\ud800",
  ];
  for (const id of ids) {
    await store.commit(toPut(id, { id }, { subject: "alice" }));
  }
  for (const id of ids) assertEquals((await store.get(id))?.record, { id });
  const sorted = ids.toSorted((a, b) => a < b ? 1 : -1);
  for (const options of [{}, { subject: "alice" }]) {
    const listed = await Array.fromAsync(store.list(options));
    assertEquals(listed.map(({ id }) => id), sorted);
    for (const before of ids) {
      const [next] = await Array.fromAsync(
        store.list({ ...options, before, limit: 1 }),
      );
      assertEquals(next?.id, sorted[sorted.indexOf(before) + 1]);
    }
  }
});

test("RedisStore checks versions to the letter", async ({ store }) => {
  const result = await store.commit(toPut("A", 1));
  assert(result.ok);
  const { version } = result;
  for (
    const wrong of [
      "",
      version.slice(0, -1),
      `${version}"`,
      `${version}0`,
      '"',
      "*",
    ]
  ) {
    const check = [{ id: "A", version: wrong }];
    assertEquals(await store.commit(toCommit({ check })), { ok: false });
  }
  for (const wrong of ["", version]) {
    const check = [{ id: "B", version: wrong }];
    assertEquals(await store.commit(toCommit({ check })), { ok: false });
  }
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
