import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  KvStore,
  MemoryStore,
  type Session,
  SessionStoreError,
  SessionTooLargeError,
  SessionValidationError,
} from "@tessera/session";
import { Committer } from "../src/_committer.ts";
import { RequestSession } from "../src/_request_session.ts";
import { SessionReader } from "../src/_session_reader.ts";
import { SessionWatcher } from "../src/_session_watcher.ts";
import { resolveSettings } from "../src/_settings.ts";
import { StoreWriter } from "../src/_store_writer.ts";
import {
  Race,
  read,
  start,
  suspend,
  testRaces,
  times,
  together,
  use,
} from "./_races.ts";
import { SpyStore, testOnSpyStores } from "./_spy_store.ts";

const increment = (session: Session) =>
  session.update<number>("n", (n = 0) => n + 1);

testOnSpyStores(
  "500 parallel updates of one session are a handful of commits, each with its outcome",
  async (store) => {
    const race = new Race(store, true);
    const manager = race.manager();
    const token = await start(manager);
    const seen = new Set<unknown>();
    store.reset();
    await together(
      times(500, manager, token, async (session) => {
        increment(session);
        await session.commit();
        seen.add(session.get("n"));
      }),
    );
    assertEquals((await read(manager, token))?.n, 500);
    assert(store.calls.commit <= 3, `${store.calls.commit} commits`);
    assert(store.calls.get <= 503, `${store.calls.get} reads`);
    // each saw the number that it had made itself
    assertEquals(seen.size, 500);
    assertEquals(race.takeEvents(), ["created"]);
  },
);

Deno.test("500 parallel updates take a small multiple of one commit's time on a slow store", async () => {
  const store = new SpyStore(new MemoryStore());
  const manager = new Race(store, true).manager();
  const token = await start(manager);
  store.onCommit = async (call) => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    return await call();
  };
  const measure = async (count: number) => {
    const began = performance.now();
    await together(times(count, manager, token, increment));
    return performance.now() - began;
  };
  await measure(1);
  const one = await measure(1);
  const many = await measure(500);
  assertEquals((await read(manager, token))?.n, 502);
  // two rounds, where one after the other would be 500
  assert(many < 25 * one, `${many} ms, one takes ${one} ms`);
});

testRaces(
  "an error in the callback of one request hits that request alone",
  async (race) => {
    const [manager, other] = [race.manager(), race.manager()];
    const token = await start(manager);
    const results = await Promise.allSettled(
      await suspendAll(20, async (index, loaded) => {
        await use(manager, token, async (session) => {
          let runs = 0;
          session.update<number>("n", (n = 0) => {
            if (index % 5 === 0 && ++runs > 1) throw new Error(`no ${index}`);
            return n + 1;
          });
          await loaded();
        });
      }, () => use(other, token, increment)),
    );
    const failed = results.flatMap((result, index) =>
      result.status === "rejected" ? [[index, result.reason.message]] : []
    );
    assertEquals(failed, [0, 5, 10, 15].map((index) => [index, `no ${index}`]));
    assertEquals((await read(manager, token))?.n, 17);
  },
);

/** Starts so many at once; when all wait, something happens, and they go on. */
async function suspendAll(
  count: number,
  run: (index: number, wait: () => Promise<void>) => Promise<void>,
  meanwhile: () => Promise<unknown>,
): Promise<Promise<void>[]> {
  let missing = count;
  const [ready, go] = [
    Promise.withResolvers<void>(),
    Promise.withResolvers<void>(),
  ];
  const runs = Array.from(
    { length: count },
    (_, index) =>
      run(index, () => {
        if (--missing === 0) ready.resolve();
        return go.promise;
      }),
  );
  await ready.promise;
  await meanwhile();
  go.resolve();
  return runs;
}

testRaces(
  "data that does not fit the schema hits the request that set it alone",
  async (race) => {
    const manager = race.manager({
      schema: {
        "~standard": {
          version: 1,
          vendor: "test",
          validate: async (value) => {
            await Promise.resolve();
            const data = value as Record<string, unknown>;
            return Object.values(data).includes("bad")
              ? { issues: [{ message: "bad" }] }
              : { value: data };
          },
        },
      },
    });
    const token = await start(manager);
    const results = await Promise.allSettled(
      await suspendAll(
        10,
        async (index, loaded) => {
          await use(manager, token, async (session) => {
            session.set(`key ${index}`, index === 4 ? "bad" : index);
            await loaded();
          });
        },
        () => Promise.resolve(),
      ),
    );
    const failed = results.filter(({ status }) => status === "rejected");
    assertEquals(failed.length, 1);
    const [result] = failed;
    assert(result?.status === "rejected");
    assert(result.reason instanceof SessionValidationError);
    const data = await read(manager, token) ?? {};
    assertEquals(Object.keys(data).length, 10);
    assert(!("key 4" in data));
  },
);

Deno.test("what is too large hits the request that set it alone", async () => {
  using kv = await Deno.openKv(":memory:");
  const manager = new Race(new SpyStore(new KvStore(kv)), true).manager();
  const token = await start(manager);
  const results = await Promise.allSettled(
    await suspendAll(
      6,
      async (index, loaded) => {
        await use(manager, token, async (session) => {
          const size = index === 3 ? 900_000 : 10;
          session.set(`key ${index}`, "x".repeat(size));
          await loaded();
        });
      },
      () => Promise.resolve(),
    ),
  );
  const errors = results.map((result) =>
    result.status === "rejected" ? result.reason : undefined
  );
  assert(errors[3] instanceof SessionTooLargeError);
  assertEquals(errors.filter((error) => error !== undefined).length, 1);
  assertEquals(Object.keys(await read(manager, token) ?? {}).length, 6);
});

testRaces(
  "a store that fails once fails the commits under way, and no later one",
  async (race) => {
    const manager = race.manager();
    const token = await start(manager);
    let broken = true;
    race.store.onCommit = (call) =>
      broken ? Promise.reject(new Error("disk on fire")) : call();
    const attempts = times(10, manager, token, increment);
    const failed = await Promise.allSettled(
      attempts.map(({ run }) => use(manager, token, run)),
    );
    assert(failed.every(({ status }) => status === "rejected"));
    broken = false;
    await together(attempts);
    assertEquals((await read(manager, token))?.n, 10);
  },
);

testOnSpyStores(
  "commits that change the identity keep their place in the queue",
  async (store) => {
    const race = new Race(store, true);
    const manager = race.manager();
    const token = await start(manager, (session) => session.set("log", []));
    const write = (name: string) => (session: Session) =>
      session.update<string[]>("log", (log = []) => [...log, name]);
    const tokens: string[] = [];
    await together([
      { manager, token, run: write("a") },
      { manager, token, run: write("b") },
      {
        manager,
        token,
        run: (session) => {
          write("c")(session);
          session.regenerate();
        },
      },
      { manager, token, run: write("d") },
      {
        manager,
        token,
        run: (session) => {
          write("e")(session);
          session.login("alice");
        },
      },
      { manager, token, run: write("f") },
      {
        manager,
        token,
        run: (session) => session.destroy(),
      },
    ]).then((responses) => {
      for (const response of responses) {
        const [line] = response.headers.getSetCookie();
        if (line !== undefined) tokens.push(line.split(/[=;]/)[1] ?? "");
      }
    });
    const [living] = await Array.fromAsync(manager.list());
    assertEquals(living?.subject, "alice");
    const last = tokens.find((one) => one.startsWith(living?.id ?? "?"));
    const log = (await read(manager, last ?? ""))?.log as string[];
    assertEquals(log, ["a", "b", "c", "d", "e"]);
    // those that came after the login were dropped, and say so
    const events = race.takeEvents();
    const dropped = events.filter((one) => one === "dropped rotated");
    assertEquals(dropped.length, 2);
    assert(!events.includes("conflict"), "nobody tried what could not succeed");
  },
);

testOnSpyStores(
  "of requests that are committed together the latest use decides whether the session lives",
  async (store) => {
    const [hour, race] = [3_600_000, new Race(store, true)];
    let now = 1_900_000_000_000;
    const manager = race.manager({ clock: () => now, idleTimeout: hour });
    const token = await start(manager);
    now += 0.2 * hour;
    const set = (key: string) =>
      suspend(manager, token, (session) => session.set(key, 1));
    const early = await set("early");
    now += 0.7 * hour;
    const [failing, late] = [await set("failing"), await set("late")];
    now += 0.35 * hour; // too late for the early one, had it been alone

    const answer = Promise.withResolvers<never>();
    store.onCommit = () => answer.promise;
    const failed = assertRejects(() => failing.resume(), SessionStoreError);
    const together = [early.resume(), late.resume()];
    await new Promise((resolve) => setTimeout(resolve, 0));
    store.onCommit = undefined;
    answer.reject(new Error("disk on fire"));
    await failed;
    await Promise.all(together);
    assertEquals(await read(manager, token), { here: 1, early: 1, late: 1 });
  },
);

Deno.test("Committer.busy is 0 when all commits are through, failed ones included", async () => {
  for (const batch of [true, false]) {
    const store = new SpyStore(new MemoryStore());
    const settings = resolveSettings({ store, batch });
    const reader = new SessionReader(settings);
    const writer = new StoreWriter(settings, reader);
    const committer = new Committer(writer);
    const parts = {
      settings,
      committer,
      watcher: new SessionWatcher(settings, reader, writer.lineages),
      endings: reader.endings,
      renamings: writer.renamings,
    };
    const [transport] = settings.transports;
    const origin = { transport, vary: [], stale: false };
    const open = (loaded?: RequestSession["loaded"]) =>
      new RequestSession(parts, { origin, loaded }, undefined);

    const first = open();
    first.handle.set("n", 0);
    await first.commit();
    const found = await reader.find(first.handle.id);
    assert(!("missing" in found));
    let largest = 0;
    store.onCommit = (call) => {
      largest = Math.max(largest, committer.busy);
      return call();
    };
    for (const fails of [false, true]) {
      if (fails) store.onCommit = () => Promise.reject(new Error("no"));
      const commits = Array.from({ length: 20 }, (_, index) => {
        const session = open(found);
        session.handle.set(`key ${index}`, index);
        return session.commit();
      });
      for (const commit of commits) {
        if (fails) {
          await assertRejects(() => commit, Error, "the store must answer");
        } else await commit;
      }
      assertEquals(committer.busy, 0);
    }
    assertEquals(largest, batch ? 1 : 0);
  }
});
