/**
 * `KvStore` over KV Connect when the server dies, and when the network does.
 *
 * The apps run in processes of their own: what Deno cannot send it sends again
 * for ever, and nothing makes it stop.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { KvStore } from "@tessera/session";
import { Denokv, openRemoteKv, urlOf } from "./_denokv.ts";
import { serve } from "../_helpers.ts";
import {
  type AppAnswer,
  type AppOptions,
  KvConnectApp,
} from "./_kv_connect_process.ts";
import { until } from "../_live.ts";
import { TcpProxy } from "./_tcp_proxy.ts";

/** How long a store call may take in these tests. */
const storeTimeout = 500;

const CLIENTS = 8;
/** How often the server is killed. */
const OUTAGES = 3;

/** What a test works with. */
interface Context {
  readonly server: Denokv;
  /** The network between the server and the app. */
  readonly network: TcpProxy;
  readonly app: KvConnectApp;
  /** The token of a session with the count 1. */
  readonly token: string;
}

/** Registers a test on a server, a network and an app of its own. */
function test(
  name: string,
  run: (context: Context) => Promise<void>,
  options?: AppOptions,
): void {
  Deno.test(name, async () => {
    await using server = await Denokv.start();
    await using network = new TcpProxy(server.port);
    await using app = await KvConnectApp.start(urlOf(network.port), {
      pollInterval: 60_000,
      storeTimeout,
      ...options,
    });
    await run({ server, network, app, token: await app.begin() });
  });
}

/** Asserts that a request failed as it must: in time, and leaving the cookie alone. */
function assertStoreError(answer: AppAnswer, calls: number): void {
  const { status, json, setCookie, took } = answer;
  assertEquals([status, setCookie], [503, []]);
  assertEquals(json.name, "SessionStoreError");
  assertMatch(json.message, /^Cannot (?:load|commit) session: /);
  assert(took >= storeTimeout - 20, `${took} ms`);
  // Every store call has its time, and the machine is busy.
  assert(took < calls * storeTimeout + 1_000, `${took} ms`);
}

/** Waits until a session can be read again; returns its count. */
async function recovered(
  app: KvConnectApp,
  token: string,
  within = 5_000,
): Promise<number> {
  const reads = async () => (await app.fetch("/read", token)).status === 200;
  await until(reads, within);
  return await app.count(token);
}

test("SessionManager on a remote Deno KV loses nothing acknowledged when the server is killed under load", async ({ server, app }) => {
  const visitors = await Promise.all(
    Array.from({ length: CLIENTS }, async () => ({
      token: await app.begin(),
      sent: 1,
      acknowledged: 1,
    })),
  );
  let acknowledged = 0;
  const errors: AppAnswer[] = [];
  let running = true;
  const load = Promise.all(visitors.map(async (visitor) => {
    while (running) {
      visitor.sent++;
      const answer = await app.fetch("/count", visitor.token);
      assertEquals(answer.setCookie, []);
      if (answer.status === 200) {
        visitor.acknowledged++;
        acknowledged++;
      } else errors.push(answer);
    }
  }));
  const progress = (count: number) => {
    const goal = acknowledged + count;
    return until(() => acknowledged >= goal, 10_000);
  };
  try {
    for (let outage = 0; outage < OUTAGES; outage++) {
      await progress(50);
      await server.kill();
      const before = errors.length;
      await until(() => errors.length >= before + CLIENTS, 10_000);
      await server.restart();
    }
    await progress(50);
  } finally {
    running = false;
    await load;
  }
  // A commit looks whether it took place before it says that it did not.
  for (const answer of errors) assertStoreError(answer, 3);
  for (const { token, sent, acknowledged } of visitors) {
    const count = await app.count(token);
    // An update whose acknowledgement was lost may have been stored or not.
    assert(count >= acknowledged, `${count} of ${acknowledged}`);
    assert(count <= sent, `${count} of ${sent}`);
  }
});

test("SessionManager on a remote Deno KV fails within storeTimeout while the network is cut, and recovers", async ({ network, app, token }) => {
  network.become("cut");
  assertStoreError(await app.fetch("/read", token), 1);
  assertStoreError(await app.fetch("/count", token), 1);
  assertStoreError(await app.fetch("/count"), 2);
  network.become("fine");
  assertEquals(await recovered(app, token), 1);
  assertEquals((await app.fetch("/count", token)).status, 200);
  assertEquals(await app.count(token), 2);
});

test("SessionManager on a remote Deno KV waits no longer than storeTimeout for slow answers", async ({ network, app, token }) => {
  network.become({ delay: 2 * storeTimeout });
  assertStoreError(await app.fetch("/read", token), 1);
  network.become({ delay: 20 });
  assertEquals(await recovered(app, token), 1);
  const { status, took } = await app.fetch("/count", token);
  assertEquals(status, 200);
  // Two calls, and each way takes its time.
  assert(took >= 80, `${took} ms`);
  assertEquals(await app.count(token), 2);
});

test(
  "KvStore opens a remote Deno KV anew when its connection stays silent for ever",
  async ({ network, app, token }) => {
    network.become("silent");
    // More than may be under way at a time.
    const reads = Array.from({ length: 30 }, () => app.fetch("/read", token));
    const write = app.fetch("/count");
    for (const answer of await Promise.all(reads)) assertStoreError(answer, 1);
    assertStoreError(await write, 2);
    // For new connections: the old one never says another word.
    network.become("fine");
    assertEquals(await recovered(app, token, 20_000), 1);
    assertEquals((await app.fetch("/count", token)).status, 200);
    assertEquals(await app.count(token), 2);
  },
  { reopening: true },
);

// So many that writes are among them; Deno waits a while before it tries again
// for lack of an answer, and we do not for half of one.
for (
  const [loss, storms] of [["no answers", 5], ["half answers", 30]] as const
) {
  test(
    `SessionManager on a remote Deno KV counts once when there are ${loss}`,
    async ({ network, app, token }) => {
      let counted = 0;
      let stormy = true;
      const load = (async () => {
        while (stormy) {
          const { status, json } = await app.fetch("/count", token);
          assertEquals(status, 200, json?.message);
          counted++;
        }
      })();
      for (let storm = 0; storm < storms; storm++) {
        const [before, lost] = [counted, network.lost];
        await until(() => counted > before);
        // Another moment of the request that follows.
        await new Promise((resolve) => setTimeout(resolve, 2 * storm));
        network.become(loss);
        await until(() => network.lost > lost);
        network.become("fine");
      }
      stormy = false;
      await load;
      assertEquals(await app.count(token), 1 + counted);
    },
    { storeTimeout: 10_000 },
  );
}

test("Session.signal on a remote Deno KV outlives an outage", async ({ server, network, app, token }) => {
  const stream = await app.stream(token);
  network.become("cut");
  await server.kill();
  await server.restart();
  network.become("fine");
  await recovered(app, token);
  await using other = await KvConnectApp.start(server.url);
  assertEquals((await other.fetch(`/revoke?id=${stream.id}`)).json, true);
  assertEquals(await stream.end, "revoked");
});

Deno.test("KvStore tries again what a KV Connect server had no time for, and only that", async () => {
  await using server = await Denokv.start();
  const refusals: number[] = [];
  let requests = 0;
  await using front = serve(async (request) => {
    const { pathname } = new URL(request.url);
    const { method, headers, body } = request;
    const status = pathname === "/" ? undefined : refusals.shift();
    requests++;
    return status === undefined
      ? await fetch(server.url + pathname, { method, headers, body })
      : new Response("not now", { status });
  });
  using kv = await openRemoteKv(urlOf(front.addr.port));
  const store = new KvStore(kv);
  refusals.push(429, 429);
  const put = [{ id: "a", record: 1, expireIn: 60_000 }];
  const check = [{ id: "a", version: null }];
  assertEquals((await store.commit({ check, put, delete: [] })).ok, true);
  refusals.push(429);
  assertEquals((await store.get("a"))?.record, 1);
  assertEquals(refusals, []);

  requests = 0;
  refusals.push(400);
  const error = await store.get("a").catch((error) => error);
  assertMatch(error.message, /^KV Connect failed to call .*400 Bad Request/);
  assertEquals(requests, 1);
});
