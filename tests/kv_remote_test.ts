/**
 * `KvStore` on databases that are further away than a file: they take less at
 * once, and may fall silent.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { type KvDatabase, KvStore } from "@tessera/session";
import { ownBytes } from "../src/_kv_bytes.ts";
import { changed, hurry, put, silence } from "./_far_kv.ts";

/** What a KV Connect server takes at most. */
const CHECKS = 10;

/** A database that takes few checks, and the numbers that it was asked to take. */
function narrow(kv: KvDatabase): { kv: KvDatabase; asked: number[] } {
  const asked: number[] = [];
  const atomic = () => {
    const operation = kv.atomic();
    let checks = 0;
    return new Proxy(operation, {
      get: (target, name, proxy) => (...args: unknown[]) => {
        if (name === "check") checks++;
        if (name === "commit") {
          asked.push(checks);
          if (checks > CHECKS) {
            return Promise.reject(
              new Error("… Too many checks included in atomic write."),
            );
          }
        }
        const result = Reflect.get(target, name).apply(target, args);
        return result === target ? proxy : result;
      },
    });
  };
  return { kv: changed(kv, { atomic }), asked };
}

Deno.test("KvStore.commit() learns how many checks a database takes at once", async () => {
  using memory = await Deno.openKv(":memory:");
  const { kv, asked } = narrow(memory);
  const store = new KvStore(kv);
  const burst = (name: string) =>
    Promise.all(Array.from({ length: 45 }, (_, n) => {
      const id = `${name}-${n}`;
      const check = [{ id, version: null }];
      return store.commit({ check, put: put(id), delete: [] });
    }));
  assert((await burst("a")).every(({ ok }) => ok));
  assertEquals(asked[0], 45);
  assert(asked.slice(1).every((checks) => checks <= CHECKS));
  asked.length = 0;
  assert((await burst("b")).every(({ ok }) => ok));
  assert(asked.every((checks) => checks <= 2), `${asked}`); // 45 in 32 operations
  assert((await burst("b")).every(({ ok }) => !ok));
});

Deno.test("KvStore.commit() has several operations of different ids in flight over a network", async () => {
  using memory = await Deno.openKv(":memory:");
  const { kv: narrowed } = narrow(memory);
  let inFlight = 0;
  let most = 0;
  const busy = new Set<string>();
  const kv = changed(narrowed, {
    atomic: () => {
      const operation = narrowed.atomic();
      const keys: string[] = [];
      return new Proxy(operation, {
        get: (target, name, proxy) => (...args: unknown[]) => {
          if (name === "set") keys.push(String(args[0]));
          if (name === "commit") {
            assert(!keys.some((key) => busy.has(key)), "two writes of one key");
            for (const key of keys) busy.add(key);
            most = Math.max(most, ++inFlight);
            return new Promise((resolve) => setTimeout(resolve, 1))
              .then(() => target.commit())
              .finally(() => {
                inFlight--;
                for (const key of keys) busy.delete(key);
              });
          }
          const result = Reflect.get(target, name).apply(target, args);
          return result === target ? proxy : result;
        },
      });
    },
  });
  const store = new KvStore(kv);
  const create = (id: string) => {
    const check = [{ id, version: null }];
    return store.commit({ check, put: put(id), delete: [] });
  };
  const burst = (name: string, count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, n) => create(`${name}-${n}`)),
    );
  await burst("a", 45); // by the first of which it is learnt that it is far away
  assert(most > 16, `${most} in flight`);
  const results = await Promise.all([burst("b", 320), burst("b", 320)]);
  assertEquals(most, 32);
  assert(results[0]?.every(({ ok }) => ok));
  assert(results[1]?.every(({ ok }) => !ok));
});

Deno.test("KvStore.commit() asks a database that is slow whether it is far away, once", async () => {
  for (const isFar of [true, false]) {
    using memory = await Deno.openKv(":memory:");
    const { kv: narrowed, asked } = isFar
      ? narrow(memory)
      : { kv: memory, asked: [] as number[] };
    let pause = 15;
    let probes = 0;
    let inFlight = 0;
    let most = 0;
    const atomic = () => {
      const operation = narrowed.atomic();
      let changes = 0;
      return new Proxy(operation, {
        get: (target, name, proxy) => (...args: unknown[]) => {
          if (name === "set") changes++;
          if (name === "commit") {
            const writes = changes > 0 ? 1 : 0;
            probes += 1 - writes;
            most = Math.max(most, inFlight += writes);
            return new Promise((resolve) => setTimeout(resolve, pause))
              .then(() => target.commit())
              .finally(() => inFlight -= writes);
          }
          const result = Reflect.get(target, name).apply(target, args);
          return result === target ? proxy : result;
        },
      });
    };
    const store = new KvStore(changed(memory, { atomic }));
    const burst = (name: string, count: number) =>
      Promise.all(Array.from({ length: count }, (_, n) => {
        const id = `${name}-${n}`;
        const check = [{ id, version: null }];
        return store.commit({ check, put: put(id), delete: [] });
      }));
    for (const name of ["a", "b", "c"]) {
      assert((await burst(name, 5)).every(({ ok }) => ok));
    }
    assertEquals([probes, most], [1, isFar ? 5 : 1]);
    assert(asked.every((checks) => checks <= CHECKS + 1));
    // a fast one is not asked
    pause = 0;
    probes = 0;
    const other = new KvStore(changed(memory, { atomic }));
    const check = [1, 2].map((n) => ({ id: `d-${n}`, version: null }));
    await Promise.all(
      check.map((one) =>
        other.commit({ check: [one], put: put(one.id), delete: [] })
      ),
    );
    assertEquals(probes, 0);
  }
});

Deno.test("KvStore.commit() writes more records without a check than the database can check", async () => {
  using memory = await Deno.openKv(":memory:");
  const { kv } = narrow(memory);
  const store = new KvStore(kv);
  const ids = Array.from({ length: 30 }, (_, n) => `id-${n}`);
  const commit = { check: [], put: ids.flatMap(put), delete: [] };
  assertEquals((await store.commit(commit)).ok, true);
  assertEquals((await Array.fromAsync(store.list())).length, 30);
  // With a check of its own, which holds, and which does not.
  const fresh = new KvStore(kv);
  for (
    const [version, ok] of [[null, true], ["0".repeat(20), false]] as const
  ) {
    const check = [{ id: "other", version }];
    assertEquals((await fresh.commit({ ...commit, check })).ok, ok);
  }
  const check = ids.map((id) => ({ id, version: null }));
  await assertRejects(
    () => store.commit({ check, put: [], delete: [] }),
    Error,
    "Too many checks",
  );
});

Deno.test("KvStore gives up a call that is not answered, and what waits behind it", async () => {
  using memory = await Deno.openKv(":memory:");
  using _time = hurry();
  let answers = true;
  let closed = 0;
  const kv = changed(memory, {
    get: (key) => answers ? memory.get(key) : silence(),
    getMany: (keys) => answers ? memory.getMany(keys) : silence(),
    close: () => void closed++,
    atomic() {
      const atomic = memory.atomic();
      if (!answers) atomic.commit = silence;
      return atomic;
    },
  });
  let opened = 0;
  const given = new KvStore(kv);
  const own = new KvStore(() => {
    opened++;
    return answers ? kv : silence();
  });
  const calls = (store: KvStore) => [
    ...Array.from({ length: 50 }, (_, n) => store.get(`${n}`)),
    ...["a", "b"].map((id) =>
      store.commit({
        check: [{ id, version: null }],
        put: put(id),
        delete: [],
      })
    ),
    store.commit({ check: [], put: put("c"), delete: [] }),
  ];
  assertEquals(await own.get("a"), undefined);
  answers = false;
  // The second time, it cannot even be opened.
  for (const store of [given, own, own]) {
    for (const result of await Promise.allSettled(calls(store))) {
      assert(result.status === "rejected");
      assertEquals(result.reason.name, "TimeoutError");
      assertEquals(
        result.reason.message,
        "Cannot use Deno KV: want an answer within 10000 ms: received none",
      );
    }
  }
  assert(opened >= 2);
  assertEquals(closed, 1, "what was given is not the store's to close");
  answers = true;
  for (const store of [given, own]) await Promise.all(calls(store));
  await own[Symbol.asyncDispose]();
  assertEquals(closed, 2);
});

Deno.test("KvStore closes a database that was opened too late", async () => {
  using memory = await Deno.openKv(":memory:");
  const late = Promise.withResolvers<KvDatabase>();
  let closed = 0;
  {
    using _time = hurry();
    const store = new KvStore(() => late.promise);
    await assertRejects(() => store.get("a"), Error, "want an answer");
  }
  late.resolve(changed(memory, { close: () => void closed++ }));
  await late.promise;
  await Promise.resolve();
  assertEquals(closed, 1);
});

Deno.test("KvStore.watch() leaves a database room for other calls", async () => {
  let watched = 0;
  let cancelled = 0;
  const watch = () => {
    watched++;
    return new ReadableStream({ cancel: () => void cancelled++ });
  };
  const never = () => silence();
  const kv = { get: never, getMany: never, watch } as unknown as KvDatabase;
  Object.assign(kv, { list: never, atomic: never, close: never });
  const stores = [new KvStore(kv), new KvStore(kv)];
  const controller = new AbortController();
  for (let n = 0; n < 100; n++) {
    for (const store of stores) {
      store.watch(`${n}`, () => {}, controller.signal);
    }
  }
  assertEquals(watched, 64);
  controller.abort();
  assertEquals(cancelled, 64);
  // those that have ended make room for others
  await new Promise((resolve) => setTimeout(resolve, 0));
  const again = new AbortController();
  for (let n = 0; n < 100; n++) {
    stores[0]?.watch(`${n}`, () => {}, again.signal);
  }
  assertEquals(watched, 128);
  again.abort();
});

Deno.test("ownBytes() copies what shares its memory, and nothing else", () => {
  const memory = new Uint8Array([9, 1, 2, 3, 9, 9, 9, 9]).buffer;
  const shared = () => new Uint8Array(memory, 1, 3);
  const alone = new Float64Array([0.5]);
  const view = shared();
  const record = {
    view,
    again: view,
    alone,
    list: [new DataView(memory, 1, 2), 1, null],
    map: new Map<unknown, unknown>([[shared(), 1], ["key", shared()]]),
    set: new Set<unknown>([1, shared(), 2]),
    plain: { map: new Map([[1, 2]]), set: new Set([1]), date: new Date(0) },
    self: undefined as unknown,
    __proto__: null,
  };
  record.self = record;
  const { map, set, plain } = record;
  assert(ownBytes(record) === record);
  assertEquals(record.view, new Uint8Array([1, 2, 3]));
  assertEquals(record.view.buffer.byteLength, 3);
  assert(record.view === record.again);
  assert(record.alone === alone);
  assertEquals((record.list[0] as DataView).buffer.byteLength, 2);
  assert(record.map === map && record.set === set && record.plain === plain);
  assertEquals([...map.values()], [1, new Uint8Array([1, 2, 3])]);
  assertEquals([...set], [1, new Uint8Array([1, 2, 3]), 2]);
  for (const bytes of [[...map.keys()][0], map.get("key"), [...set][1]]) {
    assertEquals((bytes as Uint8Array).buffer.byteLength, 3);
  }
  class Buffer extends Uint8Array<ArrayBuffer> {}
  assert(
    Object.getPrototypeOf(ownBytes(new Buffer(memory))) ===
      Uint8Array.prototype,
  );
  assertEquals(ownBytes("text"), "text");
});
