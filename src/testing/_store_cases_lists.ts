import { assert, assertEquals } from "@std/assert";
import type { SessionStore } from "../session_store.ts";
import {
  assertListed,
  collect,
  commit,
  newId,
  newIds,
  put,
  type StoreCase,
} from "./_store_case.ts";

/** The two ways to list: everything, and what one subject has. */
const SCOPES = [{}, { subject: "alice" }];

/** Cases about the order of lists, and about pages. */
export const LIST_CASES: readonly StoreCase[] = [
  {
    name: "list goes from the greatest id to the smallest",
    rule: "order",
    async run(store) {
      const ids = newIds(12);
      const shuffled = [5, 0, 11, 3, 8, 1, 10, 2, 7, 4, 9, 6];
      for (const n of shuffled) await put(store, ids[n] ?? "", n, "alice");
      // order is by id, not by time of the last write
      await put(store, ids[0] ?? "", "again", "alice");
      for (const scope of SCOPES) {
        await assertListed(store, scope, ids.toReversed(), "newest first");
      }
    },
  },
  {
    name: "list gives the record and the version of each id",
    rule: "order",
    async run(store) {
      const versions = new Map<string, string>();
      for (const id of newIds(5)) {
        versions.set(id, await put(store, id, { id }, "alice"));
      }
      for (const scope of SCOPES) {
        for (const { id, record, version } of await collect(store, scope)) {
          assertEquals(record, { id }, "list must give each id its own record");
          await commit(
            store,
            { check: [{ id, version }] },
            "the check has the version that list gave",
          );
        }
      }
    },
  },
  {
    name: "`before` leaves out the id itself and all greater ones",
    rule: "order",
    async run(store) {
      const ids = await putMany(store, 5);
      const [first = "", second = "", third = "", , fifth = ""] = ids;
      for (const scope of SCOPES) {
        const list = (before: string, expected: string[]) =>
          assertListed(store, { ...scope, before }, expected, "below `before`");
        await list(third, [second, first]);
        await list(first, []);
        await list(fifth, ids.slice(0, 4).reverse());
        await list(newId(), ids.toReversed());
        await list("", []);
        await list("0", []);
        await list("~", ids.toReversed());
        await list(`${second}0`, [second, first]);
        await list(second.slice(0, -1), [first]);
      }
    },
  },
  {
    name: "`before` need not exist any more",
    rule: "order",
    async run(store) {
      const [first = "", second = "", third = ""] = await putMany(store, 3);
      await commit(
        store,
        { delete: [{ id: second, subject: "alice" }] },
        "it has no checks",
      );
      for (const scope of SCOPES) {
        const because = "though `before` was deleted";
        await assertListed(
          store,
          { ...scope, before: second },
          [first],
          because,
        );
        await assertListed(store, scope, [third, first], because);
      }
    },
  },
  {
    name: "`limit` ends the list",
    rule: "order",
    async run(store) {
      const newestFirst = (await putMany(store, 5)).reverse();
      for (const scope of SCOPES) {
        for (const limit of [1, 2, 4, 5, 6, 1_000, Infinity]) {
          await assertListed(
            store,
            { ...scope, limit },
            newestFirst.slice(0, limit),
            "and not more than `limit`",
          );
        }
        await assertListed(
          store,
          { ...scope, limit: 2, before: newestFirst[1] ?? "" },
          newestFirst.slice(2, 4),
          "below `before`, and not more than `limit`",
        );
      }
    },
  },
  {
    name: "pages of 10 show each of 25 records once",
    rule: "order",
    async run(store) {
      const ids = await putMany(store, 25);
      await put(store, newId(), "of another subject", "bob");
      const sizes: number[] = [];
      const seen: string[] = [];
      for (let more = true; more;) {
        const before = seen.at(-1);
        const page = await collect(store, {
          subject: "alice",
          limit: 10,
          ...(before !== undefined && { before }),
        });
        sizes.push(page.length);
        seen.push(...page.map(({ id }) => id));
        more = page.length === 10 && sizes.length < 10;
      }
      assertEquals(sizes, [10, 10, 5], "25 records must fill three pages");
      assertEquals(seen, ids.toReversed(), "pages must show each record once");
    },
  },
  {
    name: "a list that is not read to its end lets go",
    rule: "order",
    async run(store) {
      const ids = await putMany(store, 25);
      for (const scope of SCOPES) {
        for await (const { id } of store.list(scope)) {
          assertEquals(id, ids.at(-1), "list must begin with the greatest id");
          break;
        }
        const iterator = store.list(scope)[Symbol.asyncIterator]();
        await iterator.next();
        await iterator.return?.();
        // never iterated at all
        store.list(scope);
      }
      await assertListed(store, undefined, ids.reverse(), "after a break");
    },
  },
  {
    name: "list tolerates changes that happen meanwhile",
    rule: "order",
    async run(store) {
      const ids = await putMany(store, 25);
      for (const scope of SCOPES) {
        const seen: string[] = [];
        const gone = new Set<string>();
        for await (const { id } of store.list(scope)) {
          seen.push(id);
          if (seen.length % 5 !== 0) continue;
          // one that was shown, one that was not, and a new one
          for (const victim of [id, ids[ids.indexOf(id) - 2] ?? ""]) {
            gone.add(victim);
            const change = { delete: [{ id: victim, subject: "alice" }] };
            await commit(store, change, "it has no checks");
          }
          await put(store, newId(), "new", "alice");
        }
        const sorted = [...new Set(seen)].sort().reverse();
        assertEquals(seen, sorted, "list must stay in order, without repeats");
        for (const id of ids) {
          assert(
            gone.has(id) || seen.includes(id),
            "list must give every record that is there all the time",
          );
        }
        for (const id of gone) ids.splice(ids.indexOf(id), 1);
      }
    },
  },
];

/** Puts records for "alice", and gives their ids in ascending order. */
async function putMany(store: SessionStore, count: number): Promise<string[]> {
  const ids = newIds(count);
  await Promise.all(ids.map((id, n) => put(store, id, n, "alice")));
  return ids;
}
