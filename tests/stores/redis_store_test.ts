import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  createClient,
  createClientPool,
  createCluster,
  createSentinel,
} from "redis";
import { SessionTooLargeError } from "@tessera/session";
import { type RedisClient, RedisStore } from "@tessera/session/redis";
import { testSessionStore } from "@tessera/session/testing";
import {
  ALICE,
  EXPIRE_IN_MS,
  numbered,
  toCommit,
  toPut,
} from "./_redis_commits.ts";
import { withRedis } from "./_redis.ts";

const test = withRedis();

testSessionStore("RedisStore", () => test.redis.open());

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
    [[client, 1], TypeError, "want a plain object of options: received number"],
    [[client, true], TypeError, "received boolean"],
    [[client, []], TypeError, "received an array"],
    [
      [client, { ttl: 1 }],
      TypeError,
      'want an option of prefix, maxRecordBytes: received "ttl"',
    ],
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

test("RedisStore() refuses a client that answers out of its own cache", async ({ redis }) => {
  const clientSideCache = { ttl: 0, maxEntries: 0 };
  const cached = await redis.connect({ clientSideCache });
  try {
    const sentinelRootNodes = [{ host: "127.0.0.1", port: 26_379 }];
    for (
      const client of [
        cached,
        cached.withTypeMapping({}),
        createCluster({ rootNodes: [], clientSideCache }),
        createClientPool({}, { clientSideCache }),
        createSentinel({ name: "main", sentinelRootNodes, clientSideCache }),
      ] satisfies RedisClient[]
    ) {
      assertThrows(
        () => new RedisStore(client),
        TypeError,
        "Cannot create RedisStore: want a client that asks the server each time: received one with clientSideCache",
      );
    }
  } finally {
    await cached.close();
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

test("RedisStore shows damage as a record that is none, or as nothing", async ({ client, store }) => {
  await store.commit(toPut("A", 1));
  const damaged = ['{"n":', "", '{"$nothing":1}', "undefined"];
  for (const text of damaged) {
    await client.set("{sessions}:id:A", `{"version":"v","record":${text}}`);
    const none = { record: undefined, version: "v" };
    assertEquals(await store.get("A"), none);
    assertEquals(await Array.fromAsync(store.list()), [{ id: "A", ...none }]);
  }
  for (const value of ["", "x", "{}", '{"version":"v"}', '{"version":"v']) {
    await client.set("{sessions}:id:A", value);
    assertEquals(await store.get("A"), undefined);
    assertEquals(await Array.fromAsync(store.list()), []);
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
