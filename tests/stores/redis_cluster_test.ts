import { assert, assertEquals, assertRejects } from "@std/assert";
import { createCluster } from "redis";
import { RedisStore } from "@tessera/session/redis";
import { testSessionStore } from "@tessera/session/testing";
import { type RedisServer, withRedis } from "./_redis.ts";

// A cluster of one node is as strict about hash slots as one of many.
const test = withRedis(["--cluster-enabled", "yes"]);

/** Gives the node all slots, and connects. */
async function connect(redis: RedisServer) {
  const node = await redis.connect();
  try {
    if (!(await node.clusterInfo()).includes("cluster_slots_assigned:16384")) {
      await node.clusterAddSlotsRange({ start: 0, end: 16_383 });
    }
    while (!(await node.clusterInfo()).includes("cluster_state:ok")) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  } finally {
    await node.close();
  }
  const cluster = createCluster({ rootNodes: [{ url: redis.url }] });
  cluster.on("error", () => {});
  await cluster.connect();
  return cluster;
}

testSessionStore("RedisStore on a cluster", async () => {
  const cluster = await connect(test.redis);
  const prefix = `{${crypto.randomUUID()}}`;
  return Object.assign(new RedisStore(cluster, { prefix }), {
    [Symbol.asyncDispose]: () => cluster.close(),
  });
});

test("RedisStore on a cluster wants a hash tag in its prefix", async ({ redis }) => {
  const cluster = await connect(redis);
  try {
    const store = new RedisStore(cluster, { prefix: "sessions" });
    const put = [{ id: "A", record: 1, expireIn: 60_000, subject: "alice" }];
    await assertRejects(
      () => store.commit({ check: [], put, delete: [] }),
      Error,
      "CROSSSLOT",
    );
    const tagged = new RedisStore(cluster);
    assert((await tagged.commit({ check: [], put, delete: [] })).ok);
  } finally {
    await cluster.close();
  }
});

test("RedisStore.watch() hears of changes on a cluster", async ({ redis }) => {
  const cluster = await connect(redis);
  const controller = new AbortController();
  try {
    const store = new RedisStore(cluster);
    const heard: (() => void)[] = [];
    const next = () => new Promise<void>((resolve) => heard.push(resolve));
    const stands = next();
    store.watch("A", () => heard.shift()?.(), controller.signal);
    await stands;
    const changed = next();
    const put = [{ id: "A", record: 1, expireIn: 60_000 }];
    await store.commit({ check: [], put, delete: [] });
    await changed;
    assertEquals(heard, []);
  } finally {
    controller.abort();
    await cluster.close();
  }
});
