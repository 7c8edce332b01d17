import { assert, assertEquals, assertRejects } from "@std/assert";
import type { RedisClientType } from "redis";
import {
  type Session,
  SessionManager,
  SessionStoreError,
} from "@tessera/session";
import { RedisStore } from "@tessera/session/redis";
import { get, getWith, tokenOf } from "../_helpers.ts";
import { RedisServer } from "./_redis.ts";
import { sleep } from "./_redis_commits.ts";

const CLIENTS = 8;
/** How often the server is killed. */
const OUTAGES = 3;

/** Registers a test on a server of its own, which it may kill. */
function test(
  name: string,
  run: (redis: RedisServer, client: RedisClientType) => Promise<void>,
): void {
  Deno.test(name, async () => {
    await using redis = await RedisServer.start();
    const client = await redis.connect();
    try {
      await run(redis, client);
    } finally {
      client.destroy();
    }
  });
}

function use(
  manager: SessionManager,
  token: string,
  run: (session: Session) => void,
): Promise<Response> {
  return manager.handle(getWith(token), (session) => {
    run(session);
    return new Response();
  });
}

async function start(manager: SessionManager): Promise<string> {
  const response = await manager.handle(get(), (session) => {
    session.set("count", 0);
    return new Response();
  });
  return tokenOf(response);
}

test(
  "RedisStore loses nothing acknowledged when the server is killed under load",
  async (redis, client) => {
    const manager = new SessionManager({ store: new RedisStore(client) });
    const visitors = await Promise.all(
      Array.from({ length: CLIENTS }, async () => ({
        token: await start(manager),
        sent: 0,
        acknowledged: 0,
      })),
    );
    const errors: unknown[] = [];
    let acknowledged = 0;
    let running = true;
    const load = Promise.all(visitors.map(async (visitor) => {
      while (running) {
        visitor.sent++;
        try {
          const response = await use(
            manager,
            visitor.token,
            (session) =>
              session.update("count", (count) => (count as number) + 1),
          );
          visitor.acknowledged++;
          acknowledged++;
          assertEquals(response.headers.getSetCookie(), []);
        } catch (error) {
          errors.push(error);
          await sleep(5);
        }
      }
    }));
    const progress = async (count: number) => {
      for (const goal = acknowledged + count; acknowledged < goal;) {
        await sleep(2);
      }
    };
    try {
      for (let outage = 0; outage < OUTAGES; outage++) {
        await progress(50);
        await redis.kill();
        const before = errors.length;
        while (errors.length < before + CLIENTS) await sleep(2);
        await redis.restart();
      }
      await progress(50);
    } finally {
      running = false;
      await load;
    }
    for (const error of errors) {
      assert(error instanceof SessionStoreError, `${error}`);
      assert(error.cause instanceof Error);
    }
    for (const { token, sent, acknowledged } of visitors) {
      await use(manager, token, (session) => {
        // An update whose acknowledgement was lost may have been stored or not.
        const count = session.get("count") as number;
        assert(count >= acknowledged, `${count} of ${acknowledged}`);
        assert(count <= sent, `${count} of ${sent}`);
      });
    }
  },
);

test(
  "SessionManager on RedisStore fails at once while the server is away, and recovers",
  async (redis, client) => {
    const manager = new SessionManager({ store: new RedisStore(client) });
    const token = await start(manager);
    await redis.kill();
    try {
      const begin = performance.now();
      for (
        const call of [
          () => use(manager, token, (session) => session.set("count", 1)),
          () => start(manager),
          () => manager.get(token.slice(0, 26)),
          () => manager.revoke(token.slice(0, 26)),
          () => Array.fromAsync(manager.list()),
        ]
      ) {
        await assertRejects(call, SessionStoreError);
      }
      const took = performance.now() - begin;
      assert(took < 2_000, `${took} ms`);
    } finally {
      await redis.restart();
    }
    while (!client.isReady) await sleep(5);
    const response = await use(manager, token, (session) => {
      assertEquals(session.isNew, false);
      assertEquals(session.get("count"), 0);
      session.set("count", 2);
    });
    assertEquals(response.headers.getSetCookie(), []);
  },
);

test(
  "SessionManager on RedisStore waits no longer than storeTimeout for a server that is silent",
  async (redis, client) => {
    const manager = new SessionManager({
      store: new RedisStore(client),
      storeTimeout: 150,
    });
    const token = await start(manager);
    redis.pause();
    try {
      const begin = performance.now();
      await assertRejects(
        () => use(manager, token, (session) => session.set("count", 1)),
        SessionStoreError,
      );
      const took = performance.now() - begin;
      assert(took >= 140 && took < 2_000, `${took} ms`);
    } finally {
      redis.resume();
    }
    await use(manager, token, (session) => {
      assertEquals(session.get("count"), 0);
    });
  },
);

test(
  "session.signal on RedisStore outlives an outage",
  async (redis, client) => {
    const options = { pollInterval: 60_000 };
    const store = new RedisStore(client);
    const manager = new SessionManager({ store, ...options });
    const other = new SessionManager({ store: new RedisStore(client) });
    const token = await start(manager);
    const ended = Promise.withResolvers<void>();
    const response = await manager.handle(getWith(token), (session) => {
      session.signal.addEventListener("abort", () => ended.resolve());
      return new Response(new ReadableStream());
    });
    try {
      await redis.kill();
      await sleep(50);
      await redis.restart();
      while (!client.isReady) await sleep(5);
      assertEquals(await other.revoke(token.slice(0, 26)), true);
      await ended.promise;
    } finally {
      await response.body?.cancel();
      await manager[Symbol.asyncDispose]();
    }
  },
);
