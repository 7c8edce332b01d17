/**
 * `KvStore` when its database falls silent: it opens another one, and closes the old.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { KvStore } from "@tessera/session";
import { changed, hurry, put, silence } from "./_far_kv.ts";

/** The calls that a database may leave unanswered. */
const CALLS: Record<
  "get" | "getMany" | "commit",
  (store: KvStore) => Promise<unknown>
> = {
  get: (store) => store.get("a"),
  getMany: (store) => Array.fromAsync(store.list({ subject: "ada" })),
  commit: (store) =>
    store.commit({
      check: [{ id: "b", version: null }],
      put: put("b"),
      delete: [],
    }),
};

for (const [silent, call] of Object.entries(CALLS)) {
  Deno.test(`KvStore opens its database anew after a ${silent} that was not answered`, async () => {
    using memory = await Deno.openKv(":memory:");
    await new KvStore(memory).commit({
      check: [],
      put: put("a").map((one) => ({ ...one, subject: "ada" })),
      delete: [],
    });
    using _time = hurry();
    let answers = true;
    let [opened, closed] = [0, 0];
    const isSilent = (name: string) => !answers && name === silent;
    const kv = changed(memory, {
      get: (key) => isSilent("get") ? silence() : memory.get(key),
      getMany: (keys) => isSilent("getMany") ? silence() : memory.getMany(keys),
      close: () => void closed++,
      atomic() {
        const atomic = memory.atomic();
        if (isSilent("commit")) atomic.commit = silence;
        return atomic;
      },
    });
    await using store = new KvStore(() => (opened++, kv));
    await store.get("a");
    answers = false;
    await assertRejects(() => call(store), Error, "want an answer");
    answers = true;
    await call(store);
    assertEquals([opened, closed], [2, 1]);
  });
}

Deno.test("KvStore.list() fails like any call if the next entry does not come", async () => {
  using memory = await Deno.openKv(":memory:");
  const kv = changed(memory, {
    list: () => ({ [Symbol.asyncIterator]: () => ({ next: silence }) }),
  });
  using _time = hurry();
  const store = new KvStore(kv);
  for (const options of [{}, { subject: "ada" }]) {
    await assertRejects(
      () => Array.fromAsync(store.list(options)),
      Error,
      "want an answer",
    );
  }
});

Deno.test("KvStore fails if the database that it was promised does not come", async () => {
  using _time = hurry();
  const store = new KvStore(silence());
  for (const call of Object.values(CALLS)) {
    await assertRejects(() => call(store), Error, "want an answer");
  }
});

Deno.test("KvStore.commit() asks a database that fell silent nothing more, though it does not know whose check failed", async () => {
  using memory = await Deno.openKv(":memory:");
  let operations = 0;
  const kv = changed(memory, {
    atomic() {
      const atomic = memory.atomic();
      if (++operations > 4) atomic.commit = silence;
      return atomic;
    },
  });
  await new KvStore(memory).commit({ check: [], put: put("0"), delete: [] });
  using _time = hurry();
  const store = new KvStore(kv);
  const results = await Promise.allSettled(
    Array.from({ length: 32 }, (_, n) =>
      store.commit({
        check: [{ id: `${n}`, version: null }],
        put: put(`${n}`),
        delete: [],
      })),
  );
  assert(results.some(({ status }) => status === "rejected"));
  assertEquals(operations, 5);
});

Deno.test("KvStore[Symbol.asyncDispose]() waits for calls of several steps", async () => {
  const path = `${Deno.makeTempDirSync()}/kv.db`;
  for (const batch of [true, false]) {
    const steps = [
      (store: KvStore) =>
        store.commit({ check: [], put: put("a"), delete: [{ id: "b" }] }),
      (store: KvStore) => store.get("large"),
    ];
    for (const step of steps) {
      const store = new KvStore(() => Deno.openKv(path), { batch });
      const record = { bytes: new Uint8Array(100_000) };
      const large = [{ id: "large", record, expireIn: 60_000 }];
      await store.commit({ check: [], put: large, delete: [] });
      const call = step(store);
      await store[Symbol.asyncDispose]();
      await call;
    }
  }
});
