import { assert, assertEquals } from "@std/assert";
import type { StoredRecord } from "../session_store.ts";
import {
  assertListed,
  assertStored,
  collect,
  commit,
  newId,
  newIds,
  put,
  show,
  sleep,
  type StoreCase,
  toPut,
} from "./_store_case.ts";

const DAY_MS = 86_400_000;
/** The life of a record that others outlive. */
const SHORT_MS = 50;
/** How long a callback may be late. */
const SETTLE_MS = 150;

/** Cases about `expireIn`, and about `watch`. */
export const TIME_CASES: readonly StoreCase[] = [
  {
    name: "a record is there until its expireIn has passed",
    rule: "expiry",
    async run(store) {
      const [small, large] = [newId(), newId()];
      const record = "x".repeat(100_000);
      const start = performance.now();
      await commit(store, {
        put: [
          { ...toPut(small, "small", "alice"), expireIn: 1_500 },
          { ...toPut(large, record, "alice"), expireIn: 1_500 },
        ],
      }, "it has no checks");
      await sleep(1_000);
      const because = "1 s after it was put with an expireIn of 1.5 s";
      try {
        await assertStored(store, small, { record: "small" }, because);
        await assertStored(store, large, { record }, because);
        const expected = [large, small];
        await assertListed(store, { subject: "alice" }, expected, because);
        await assertListed(store, undefined, expected, because);
      } catch (error) {
        // on a slow machine the records may be gone by right
        if (performance.now() - start < 1_500) throw error;
      }
    },
  },
  {
    name: "a put extends the life of a record and of its index entry",
    rule: "expiry",
    async run(store) {
      const [small, large] = [newId(), newId()];
      const record = "x".repeat(100_000);
      const puts = (expireIn: number) => [
        { ...toPut(small, "small", "alice"), expireIn },
        { ...toPut(large, record, "alice"), expireIn },
      ];
      await commit(store, { put: puts(700) }, "it has no checks");
      await commit(store, { put: puts(600_000) }, "it has no checks");
      await sleep(1_000);
      // some stores drop what is due when they write
      await put(store, newId(), "another");
      const because = "after a second put with a longer expireIn";
      await assertStored(store, small, { record: "small" }, because);
      await assertStored(store, large, { record }, because);
      await assertListed(store, { subject: "alice" }, [large, small], because);
    },
  },
  {
    name: "each record lives for its own expireIn, whatever is put beside it",
    rule: "expiry",
    async run(store) {
      const toShort = (id: string, record: StoredRecord, subject?: string) => ({
        ...toPut(id, record, subject),
        expireIn: SHORT_MS,
      });
      const owned: string[] = [];
      const others: string[] = [];
      for (const isShortFirst of [true, false]) {
        const [old = "", id = "", short = "", long = ""] = newIds(4);
        const version = await put(store, old, "old", "alice");
        const rotation = [
          toShort(old, { id }, "alice"),
          toPut(id, id, "alice"),
        ];
        const pair = [toShort(short, "short"), toPut(long, long)];
        await commit(store, {
          check: [{ id: old, version }],
          put: isShortFirst ? rotation : rotation.toReversed(),
        }, "its check holds");
        await commit(store, {
          put: isShortFirst ? pair : pair.toReversed(),
        }, "it has no checks");
        owned.unshift(id);
        others.push(long);
      }
      const last = toShort(newId(), "short", "alice");
      await commit(store, { put: [last] }, "it has no checks");
      await sleep(SHORT_MS * 3);
      // some stores drop what is due when they write
      await put(store, newId(), "another");
      const because = "after another one with a shorter expireIn is over";
      for (const id of [...owned, ...others]) {
        await assertStored(store, id, { record: id }, because);
      }
      const listed = (await collect(store, { subject: "alice" }))
        .map(({ id }) => id);
      assertEquals(
        listed.filter((id) => owned.includes(id)),
        owned,
        `list must give the records of a subject ${because}`,
      );
    },
  },
  {
    name: "records may be kept for 400 days, and for 100 years",
    rule: "expiry",
    async run(store) {
      const ids: string[] = [];
      for (const days of [24.8, 24.9, 49.8, 400, 36_500]) {
        const expireIn = Math.round(days * DAY_MS);
        const id = newId();
        await commit(
          store,
          { put: [{ ...toPut(id, days, "alice"), expireIn }] },
          `expireIn is ${expireIn}`,
        );
        ids.unshift(id);
      }
      // a timer of more than 2 ** 31 ms fires at once
      await sleep(20);
      await put(store, newId(), "another");
      const because = "when expireIn is measured in days";
      await assertListed(store, { subject: "alice" }, ids, because);
      await assertStored(store, ids[0] ?? "", { record: 36_500 }, because);
    },
  },
  {
    name: "an expireIn of 1 is accepted, and may end at any time after it",
    rule: "expiry",
    async run(store) {
      const id = newId();
      const version = await commit(
        store,
        { put: [{ ...toPut(id, "short", "alice"), expireIn: 1 }] },
        "expireIn is 1",
      );
      await sleep(5);
      const found = await store.get(id);
      assert(
        found === undefined || found.version === version,
        `get must give the record that expired, or undefined: received ${
          show(found)
        }`,
      );
      await put(store, id, "long", "alice");
      await sleep(20);
      const because = "made anew with a longer expireIn";
      await assertStored(store, id, { record: "long" }, because);
      await assertListed(store, { subject: "alice" }, [id], because);
    },
  },
  {
    name: "watch, if there is one, ends with its signal",
    rule: "watch",
    async run(store) {
      if (store.watch === undefined) return;
      const ids = newIds(3);
      const [id = "", other = ""] = ids;
      const calls = { first: 0, second: 0, aborted: 0 };
      const first = new AbortController();
      const second = new AbortController();
      try {
        store.watch(id, () => calls.first++, first.signal);
        store.watch(id, () => calls.second++, second.signal);
        store.watch(id, () => calls.aborted++, AbortSignal.abort());
        for (const odd of ["", "__proto__", "\ud800", "x".repeat(3_000)]) {
          store.watch(odd, () => {}, second.signal);
        }
        await put(store, id, 1);
        await put(store, other, 1);
        await sleep(SETTLE_MS);
        first.abort();
        await sleep(SETTLE_MS);
        const { first: before } = calls;
        await put(store, id, 2);
        await commit(store, { delete: [{ id }] }, "it has no checks");
        await sleep(SETTLE_MS);
        assert(
          calls.first === before,
          "watch must not call back once its signal is aborted: " +
            `received ${calls.first - before} calls`,
        );
        assert(
          calls.aborted === 0,
          "watch must not call back if its signal is aborted from the start: " +
            `received ${calls.aborted} calls`,
        );
      } finally {
        first.abort();
        second.abort();
      }
      await sleep(SETTLE_MS);
    },
  },
];
