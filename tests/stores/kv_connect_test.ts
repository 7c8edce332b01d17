/**
 * `KvStore` over KV Connect, as on Deno Deploy, on the server that people run
 * themselves.
 */

import { assert, assertEquals } from "@std/assert";
import { KvStore, SessionManager, type SessionStore } from "@tessera/session";
import { testSessionStore } from "@tessera/session/testing";
import { openRemoteKv, sharedDenokv, urlOf } from "./_denokv.ts";
import { getWith } from "../_helpers.ts";
import { KvConnectApp } from "./_kv_connect_process.ts";
import { endOf, openStream, signedIn, until } from "../_live.ts";
import { TcpProxy } from "./_tcp_proxy.ts";

const server = sharedDenokv();

testSessionStore("KvStore over KV Connect", async () => {
  const kv = await openRemoteKv(server().url);
  const store = new KvStore(kv, { prefix: [crypto.randomUUID()] });
  return Object.assign(store, {
    [Symbol.asyncDispose]: () => Promise.resolve(kv.close()),
  });
});

/** So long that no poll comes in time. */
const pollInterval = 60_000;

/** How long a change may take to be heard of; far less than the poll. */
const HEARD_MS = 2_000;

Deno.test("SessionManager on a remote Deno KV loses no update of 4 processes", async () => {
  await using stack = new AsyncDisposableStack();
  const apps = await Promise.all(
    Array.from({ length: 4 }, () => KvConnectApp.start(server().url)),
  );
  for (const app of apps) stack.use(app);
  const [first] = apps;
  assert(first !== undefined);
  const token = await first.begin();
  const answers = await Promise.all(
    apps.map((app) => app.fetch("/burst?times=250", token)),
  );
  for (const { json } of answers) assertEquals(json, Array(250).fill(200));
  for (const app of apps) assertEquals(await app.count(token), 1 + 4 * 250);
});

Deno.test("Session.signal on a remote Deno KV aborts at once when another process ends the session", async () => {
  const { url } = server();
  await using here = await KvConnectApp.start(url, { pollInterval });
  await using there = await KvConnectApp.start(url, { pollInterval });
  const token = await here.begin();
  const other = await here.stream(await here.begin());
  const stream = await here.stream(token);
  const start = performance.now();
  assertEquals((await there.fetch(`/revoke?id=${stream.id}`)).json, true);
  assertEquals(await stream.end, "revoked");
  const took = performance.now() - start;
  assert(took < HEARD_MS, `${took} ms`);
  const still = Symbol("still open");
  assertEquals(await Promise.race([other.end, still]), still);
  await there.fetch(`/revoke?id=${other.id}`);
  assertEquals(await other.end, "revoked");
});

Deno.test("Session.signal on a remote Deno KV hears of an end that came while its watch began", async () => {
  await using proxy = new TcpProxy(server().port);
  using slow = await openRemoteKv(urlOf(proxy.port));
  using fast = await openRemoteKv(server().url);
  await using there = new SessionManager({ store: fast });
  const { token } = await signedIn(there);
  const id = token.slice(0, 26);
  // The watcher's own reading is done before the watch has begun.
  let readings = 0;
  const store = new KvStore(fast);
  const split: SessionStore = {
    get: (id) => store.get(id).finally(() => readings++),
    commit: (commit) => store.commit(commit),
    list: (options) => store.list(options),
    watch: (id, changed, signal) =>
      new KvStore(slow).watch(id, changed, signal),
  };
  await using here = new SessionManager({ store: split, pollInterval });
  proxy.become({ delay: 200 });
  await using stream = await openStream(here, token);
  await until(() => readings === 2);
  assertEquals(await there.revoke(id), true);
  assertEquals(await endOf(stream.signal, HEARD_MS), "revoked");
});

Deno.test("Session.signal on a remote Deno KV leaves room for requests, however many streams are open", async () => {
  const { url } = server();
  using kv = await openRemoteKv(url);
  using elsewhere = await openRemoteKv(url);
  await using here = new SessionManager({ store: kv, pollInterval });
  await using there = new SessionManager({ store: elsewhere });
  const visitors = await Promise.all(
    Array.from({ length: 250 }, () => signedIn(here)),
  );
  {
    await using streams = new AsyncDisposableStack();
    for (const { token } of visitors) {
      streams.use(await openStream(here, token));
    }
    await Promise.all(
      visitors.map(({ token }) =>
        here.handle(getWith(token), (session) => {
          session.set("seen", true);
          assertEquals(session.subject, "ada");
          return new Response();
        })
      ),
    );
  }
  // And when they are closed, the next is told at once again.
  const { token } = await signedIn(here);
  await using stream = await openStream(here, token);
  assertEquals(await there.revoke(stream.id), true);
  assertEquals(await endOf(stream.signal, HEARD_MS), "revoked");
});

Deno.test("SessionManager on a remote Deno KV commits many sessions together", async () => {
  using kv = await openRemoteKv(server().url);
  await using sessions = new SessionManager({ store: kv });
  const visitors = await Promise.all(
    Array.from({ length: 120 }, () => signedIn(sessions)),
  );
  const start = performance.now();
  await Promise.all(
    visitors.map(({ token }) =>
      sessions.handle(getWith(token), (session) => {
        session.set("seen", true);
        return new Response();
      })
    ),
  );
  const together = performance.now() - start;
  assert(together < 2_000, `${together} ms`);
  await Promise.all(
    visitors.map(({ token }) =>
      sessions.handle(getWith(token), (session) => {
        assertEquals(session.get("seen"), true);
        return new Response();
      })
    ),
  );
});
