/**
 * `KvStore` when its database falls silent: it opens another one, and closes the old.
 */

import { assertEquals, assertRejects } from "@std/assert";
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
