import { assert, assertEquals } from "@std/assert";
import type { RedisClientType } from "redis";
import { SessionEndedError, SessionManager } from "@tessera/session";
import { type RedisClient, RedisStore } from "@tessera/session/redis";
import { get, getWith, tokenOf } from "../_helpers.ts";
import { withRedis } from "./_redis.ts";
import { sleep } from "./_redis_commits.ts";

const test = withRedis();

/** How long a change may take to be heard of. */
const HEARD_MS = 200;

/** Waits until something holds; fails if it takes too long. */
async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  const start = performance.now();
  while (!await holds()) {
    assert(performance.now() - start < 5_000, `${what} within 5 s`);
    await sleep(2);
  }
}

/** Counts the connections that are subscribed. */
async function subscribers(client: RedisClientType): Promise<number> {
  const list = await client.sendCommand(["CLIENT", "LIST", "TYPE", "pubsub"]);
  return String(list).split("\n").filter((line) => line !== "").length;
}

/** Counts the connections of all kinds. */
async function connections(client: RedisClientType): Promise<number> {
  const list = await client.sendCommand(["CLIENT", "LIST"]);
  return String(list).split("\n").filter((line) => line !== "").length;
}

/** Waits until the connections of the test before have gone. */
async function connectionsAtRest(
  client: RedisClientType,
  count: number,
): Promise<number> {
  await until("rest", async () => await connections(client) === count);
  return count;
}

function put(store: RedisStore, id: string): Promise<unknown> {
  return store.commit({
    check: [],
    put: [{ id, record: 1, expireIn: 60_000 }],
    delete: [],
  });
}

test("RedisStore.watch() hears of what another store does to that record", async ({ redis, client, store }) => {
  const other = await redis.connect();
  const controller = new AbortController();
  let heard = 0;
  try {
    const writer = new RedisStore(other);
    store.watch("A", () => heard++, controller.signal);
    // Once it stands, whatever came before may have been missed.
    await until("a call", () => heard === 1);
    assertEquals(await subscribers(client), 1);
    await put(writer, "A");
    await until("a call after a put", () => heard === 2);
    await writer.commit({ check: [], put: [], delete: [{ id: "A" }] });
    await until("a call after a delete", () => heard === 3);
    await writer.commit({ check: [], put: [], delete: [{ id: "A" }] });
    await put(writer, "AA");
    await put(writer, "a");
    const check = [{ id: "A", version: "no" }];
    await writer.commit({ check, put: [], delete: [{ id: "AA" }] });
    await sleep(50);
    assertEquals(heard, 3);
  } finally {
    controller.abort();
    await other.close();
  }
});

test("RedisStore.watch() holds one connection, and none when nobody watches", async ({ client, store }) => {
  const before = await connectionsAtRest(client, 1);
  const watchers = Array.from({ length: 30 }, (_, n) => {
    const watcher = {
      controller: new AbortController(),
      heard: 0,
      id: `${n % 10}`,
    };
    store.watch(watcher.id, () => watcher.heard++, watcher.controller.signal);
    return watcher;
  });
  await until("a call of each", () => watchers.every(({ heard }) => heard > 0));
  assertEquals(await connections(client), before + 1);
  for (const watcher of watchers) watcher.heard = 0;
  await put(store, "3");
  await until("calls", () => watchers.some(({ heard }) => heard > 0));
  assertEquals(
    watchers.flatMap(({ heard }, n) => Array(heard).fill(n)),
    [3, 13, 23],
  );
  watchers[3]?.controller.abort();
  watchers[13]?.controller.abort();
  await put(store, "3");
  await until("a second call", () => watchers[23]?.heard === 2);
  assertEquals(watchers[3]?.heard, 1);
  for (const { controller } of watchers.slice(1)) controller.abort();
  assertEquals(await connections(client), before + 1);
  assertEquals(await client.pubSubChannels(), ["{sessions}:changed:0"]);
  watchers[0]?.controller.abort();
  await until("the end", async () => await connections(client) === before);
});

test("RedisStore.watch() may be aborted at any time, and begun again", async ({ client, store }) => {
  const before = await connectionsAtRest(client, 1);
  for (const delay of [undefined, 0, 0, 1, 1, 2, 3, 5]) {
    const controller = new AbortController();
    let heard = 0;
    store.watch("A", () => heard++, controller.signal);
    if (delay !== undefined) await sleep(delay);
    controller.abort();
    heard = 0;
    await put(store, "A");
    assertEquals(heard, 0);
  }
  const controller = new AbortController();
  let heard = 0;
  store.watch("A", () => heard++, controller.signal);
  await until("a call", () => heard > 0);
  await until(
    "the end of the others",
    async () => await connections(client) === before + 1,
  );
  controller.abort();
  await until("the end", async () => await connections(client) === before);
  store.watch("A", () => heard++, AbortSignal.abort());
  await sleep(20);
  assertEquals(await connections(client), before);
});

test("RedisStore.watch() hears of a record that it was just let go of", async ({ store }) => {
  const others = new AbortController();
  store.watch("other", () => {}, others.signal);
  await sleep(20);
  for (let round = 0; round < 20; round++) {
    const first = new AbortController();
    store.watch("a", () => {}, first.signal);
    await sleep(2);
    first.abort(); // its UNSUBSCRIBE is on the way
    for (const times of [1, 2]) {
      const brief = new AbortController();
      store.watch("a", () => {}, brief.signal);
      if (times === round % 2) await sleep(1);
      brief.abort();
    }
    const last = new AbortController();
    let heard = 0;
    store.watch("a", () => heard++, last.signal);
    await until("a subscription", () => heard > 0);
    heard = 0;
    await put(store, "a");
    await until(`a change in round ${round}`, () => heard > 0);
    last.abort();
  }
  others.abort();
});

test("RedisStore.watch() goes on after its connection was lost", async ({ client, store }) => {
  const controller = new AbortController();
  let heard = 0;
  try {
    store.watch("A", () => heard++, controller.signal);
    await until("a call", () => heard === 1);
    await client.sendCommand(["CLIENT", "KILL", "TYPE", "pubsub"]);
    await until("a call when it is back", () => heard === 2);
    await put(store, "A");
    await until("a call after a put", () => heard === 3);
  } finally {
    controller.abort();
  }
});

test("RedisStore.watch() is silent where subscribing is not possible", async ({ client }) => {
  const bare: RedisClient = {
    mGet: (keys) => client.mGet(keys),
    eval: (script, options) => client.eval(script, options),
    evalSha: (sha1, options) => client.evalSha(sha1, options),
  };
  const fail = () => Promise.reject(new Error("no"));
  const subscriber = {
    connect: () => Promise.resolve(),
    subscribe: fail,
    unsubscribe: fail,
    destroy: () => {
      throw new Error("no");
    },
    on: () => {},
  };
  const clients: RedisClient[] = [
    bare,
    { ...bare, duplicate: () => subscriber },
    { ...bare, duplicate: () => ({ ...subscriber, connect: fail }) },
    {
      ...bare,
      duplicate: () => {
        throw new Error("no");
      },
    },
  ];
  for (const it of clients) {
    const store = new RedisStore(it);
    const controllers = ["A", "B"].map((id) => {
      const controller = new AbortController();
      store.watch(id, () => {}, controller.signal);
      return controller;
    });
    await sleep(1);
    await put(store, "A");
    for (const controller of controllers) controller.abort();
    await sleep(1);
    assertEquals((await store.get("A"))?.record, 1);
  }
});

test("RedisStore.watch() connects anew if its connection has failed for good", async ({ redis, client }) => {
  const mortal = await redis.connect({ socket: { reconnectStrategy: false } });
  const store = new RedisStore(mortal);
  const controller = new AbortController();
  const heard = { A: 0, B: 0 };
  try {
    store.watch("A", () => heard.A++, controller.signal);
    await until("a call", () => heard.A === 1);
    await client.sendCommand(["CLIENT", "KILL", "TYPE", "pubsub"]);
    await until("the end", async () => await subscribers(client) === 0);
    // Until the client has noticed, too.
    await sleep(20);
    await put(store, "A");
    assertEquals(heard.A, 1);
    store.watch("B", () => heard.B++, controller.signal);
    await until("a call of both", () => heard.A === 2 && heard.B === 1);
    await put(store, "A");
    await until("a call after a put", () => heard.A === 3);
  } finally {
    controller.abort();
    mortal.destroy();
  }
});

test("SessionManager on RedisStore signs in, lists and revokes across processes", async ({ redis, client }) => {
  const other = await redis.connect();
  const before = await connectionsAtRest(client, 2);
  // A poll would come too late.
  const here = new SessionManager({
    store: new RedisStore(client),
    pollInterval: 60_000,
  });
  const there = new SessionManager({ store: new RedisStore(other) });
  try {
    const signIn = async (manager: SessionManager, label: string) =>
      tokenOf(
        await manager.handle(get(), (session) => {
          session.set("cart", new Map([["apple", { n: 1 }]]));
          session.login("alice", { label });
          return new Response();
        }),
      );
    const phone = await signIn(here, "phone");
    const laptop = await signIn(there, "laptop");
    await there.handle(getWith(phone), (session) => {
      assertEquals(session.get("cart"), new Map([["apple", { n: 1 }]]));
      assertEquals(session.subject, "alice");
      return new Response();
    });
    const listed = await Array.fromAsync(there.list({ subject: "alice" }));
    assertEquals(listed.map(({ label }) => label), ["laptop", "phone"]);

    const ended = Promise.withResolvers<number>();
    let signal: AbortSignal | undefined;
    const response = await here.handle(getWith(phone), (session) => {
      signal = session.signal;
      signal.addEventListener(
        "abort",
        () => ended.resolve(performance.now()),
      );
      return new Response(new ReadableStream());
    });
    await until("a subscription", async () => await subscribers(client) === 1);
    const start = performance.now();
    assertEquals(await there.revokeAll("alice", { except: idOf(laptop) }), 1);
    const took = await ended.promise - start;
    assert(took < HEARD_MS, `${took} ms`);
    assert(signal?.reason instanceof SessionEndedError);
    await response.body?.cancel();
    await until("the end", async () => await connections(client) === before);

    assertEquals(await here.get(idOf(phone)), undefined);
    assertEquals((await here.get(idOf(laptop)))?.label, "laptop");
    assertEquals(await here.revoke(idOf(laptop)), true);
    assertEquals(await Array.fromAsync(there.list()), []);
    // Nothing is left of them but what expires.
    for (const key of await client.keys("*")) {
      assert(await client.pTTL(key) > 0, key);
    }
  } finally {
    await here[Symbol.asyncDispose]();
    await there[Symbol.asyncDispose]();
    await other.close();
  }
});

function idOf(token: string): string {
  return token.slice(0, token.indexOf("."));
}
