import { assert, assertEquals, fail } from "@std/assert";
import {
  assertListed,
  assertStored,
  commit,
  newId,
  newIds,
  put,
  read,
  type StoreCase,
  toPut,
  tryCommit,
} from "./_store_case.ts";

/** How many commits race. */
const RACERS = 20;

/** Cases about rotation, and about what happens at the same time. */
export const RACE_CASES: readonly StoreCase[] = [
  {
    name: "rotation replaces one id by another in one commit",
    rule: "atomic",
    async run(store) {
      const [old, id] = [newId(), newId()];
      const version = await put(store, old, { n: 1 }, "alice");
      await commit(store, {
        check: [{ id: old, version }, { id, version: null }],
        put: [toPut(id, { n: 2 }, "alice")],
        delete: [{ id: old, subject: "alice" }],
      }, "both its checks hold");
      await assertStored(store, old, undefined, "that was rotated away");
      await assertStored(store, id, { record: { n: 2 } }, "that replaces it");
      await assertListed(store, { subject: "alice" }, [id], "after rotation");
      await assertListed(store, undefined, [id], "after rotation");
    },
  },
  {
    name: "rotation can leave a forward under the old id",
    rule: "atomic",
    async run(store) {
      const [old, id] = [newId(), newId()];
      const version = await put(store, old, { n: 1 }, "alice");
      await commit(store, {
        check: [{ id: old, version }],
        put: [
          toPut(id, { n: 2 }, "alice"),
          { ...toPut(old, { forward: id }, "alice"), expireIn: 10_000 },
        ],
      }, "its check holds");
      const forward = { record: { forward: id } };
      await assertStored(store, old, forward, "that was put over the old one");
      await assertStored(store, id, { record: { n: 2 } }, "that replaces it");
      const subject = "alice";
      await assertListed(store, { subject }, [id, old], "after rotation");
    },
  },
  {
    name: "parallel commits with the same check: exactly one wins",
    rule: "versions",
    async run(store) {
      const id = newId();
      const version = await put(store, id, "start");
      const results = await Promise.all(
        newIds(RACERS).map((_, n) =>
          tryCommit(store, {
            check: [{ id, version }],
            put: [toPut(id, n)],
          })
        ),
      );
      const winners = results.flatMap(({ ok }, n) => ok ? [n] : []);
      assertEquals(winners.length, 1, "exactly one commit must be ok");
      await assertStored(store, id, { record: winners[0] }, "of the winner");
    },
  },
  {
    name: "parallel commits that create one record: exactly one wins",
    rule: "versions",
    async run(store) {
      const id = newId();
      const results = await Promise.all(
        newIds(RACERS).map((_, n) =>
          tryCommit(store, {
            check: [{ id, version: null }],
            put: [toPut(id, n, "alice")],
          })
        ),
      );
      const winners = results.flatMap(({ ok }, n) => ok ? [n] : []);
      assertEquals(winners.length, 1, "exactly one commit must be ok");
      await assertStored(store, id, { record: winners[0] }, "of the winner");
      await assertListed(store, { subject: "alice" }, [id], "after a race");
    },
  },
  {
    name: "parallel rotations: exactly one wins, and the others leave nothing",
    rule: "atomic",
    async run(store) {
      const old = newId();
      const version = await put(store, old, "old", "alice");
      const ids = newIds(RACERS);
      const results = await Promise.all(ids.map((id) =>
        tryCommit(store, {
          check: [{ id: old, version }],
          put: [toPut(id, id, "alice")],
          delete: [{ id: old, subject: "alice" }],
        })
      ));
      const winners = ids.filter((_, n) => results[n]?.ok);
      assertEquals(winners.length, 1, "exactly one rotation must be ok");
      await assertStored(store, old, undefined, "that was rotated away");
      await assertListed(store, { subject: "alice" }, winners, "after a race");
      await assertListed(store, undefined, winners, "after a race");
    },
  },
  {
    name: "parallel commits on different records each have their own outcome",
    rule: "atomic",
    async run(store) {
      const ids = newIds(RACERS);
      const stale = await Promise.all(ids.map((id) => put(store, id, "first")));
      const current = await Promise.all(
        ids.map((id) => put(store, id, "second")),
      );
      const holds = (n: number) => n % 3 !== 0;
      const results = await Promise.all(ids.map((id, n) => {
        const version = (holds(n) ? current : stale)[n] ?? null;
        return tryCommit(store, {
          check: [{ id, version }],
          put: [toPut(id, "third")],
        });
      }));
      assertEquals(
        results.map(({ ok }) => ok),
        ids.map((_, n) => holds(n)),
        "a commit must be ok if its own checks hold, whatever runs beside it",
      );
      for (const [n, id] of ids.entries()) {
        const record = holds(n) ? "third" : "second";
        await assertStored(store, id, { record }, "beside parallel commits");
      }
    },
  },
  {
    name: "parallel reads each get their own record",
    rule: "absence",
    async run(store) {
      const ids = newIds(RACERS + 5);
      await Promise.all(ids.map((id) => put(store, id, id)));
      const asked = [...ids, ...ids.slice(0, 7), ...newIds(3)];
      const found = await Promise.all(asked.map((id) => store.get(id)));
      assertEquals(
        found.map((it) => it?.record),
        asked.map((id) => ids.includes(id) ? id : undefined),
        "parallel gets must each give the record of their own id",
      );
      assert(
        found[0] !== found[ids.length],
        "two gets of one id must give two objects",
      );
    },
  },
  {
    name: "read, check and write again loses no update",
    rule: "versions",
    async run(store) {
      const id = newId();
      const [writers, rounds] = [6, 5];
      await put(store, id, 0);
      const increment = async () => {
        for (let tries = 1; tries <= 1_000; tries++) {
          const { record, version } = await read(store, id, "of the counter");
          const result = await tryCommit(store, {
            check: [{ id, version }],
            put: [toPut(id, (record as number) + 1)],
          });
          if (result.ok) return;
        }
        fail("a commit with the newest version must win at last");
      };
      await Promise.all(
        newIds(writers).map(async () => {
          for (let round = 0; round < rounds; round++) await increment();
        }),
      );
      const record = writers * rounds;
      await assertStored(store, id, { record }, "of the counter");
    },
  },
];
