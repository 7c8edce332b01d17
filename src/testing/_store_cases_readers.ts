import { assert, assertEquals } from "@std/assert";
import {
  assertListed,
  commit,
  newId,
  newIds,
  put,
  read,
  readDuring,
  refuse,
  type StoreCase,
  toPut,
  tryCommit,
} from "./_store_case.ts";

/** How many commits are watched, one after the other. */
const ROUNDS = 20;

/** Cases about what others read while a commit is under way. */
export const READER_CASES: readonly StoreCase[] = [
  {
    name: "no reader sees one half of a commit",
    rule: "atomic",
    async run(store) {
      const [a, b] = [newId(), newId()];
      const write = (n: number) =>
        commit(store, { put: [toPut(a, n), toPut(b, n)] }, "it has no checks");
      await write(0);
      const writer = (async () => {
        for (let n = 1; n <= 20; n++) await write(n);
      })();
      await readDuring(writer, async () => {
        const [first, second] = await Promise.all([
          read(store, a, "while it is overwritten"),
          read(store, b, "while it is overwritten"),
        ]);
        const { ok } = await tryCommit(store, {
          check: [
            { id: a, version: first.version },
            { id: b, version: second.version },
          ],
        });
        if (!ok) return;
        assertEquals(
          first.record,
          second.record,
          "records put together, whose versions are both current, must match",
        );
      });
    },
  },
  {
    name: "no reader finds both ids of a rotation, or neither",
    rule: "atomic",
    async run(store) {
      let old = newId();
      let version = await put(store, old, old, "alice");
      for (const id of newIds(ROUNDS)) {
        const rotation = commit(store, {
          check: [{ id: old, version }, { id, version: null }],
          put: [toPut(id, id, "alice")],
          delete: [{ id: old, subject: "alice" }],
        }, "both its checks hold");
        const neither = [{ id: old, version: null }, { id, version: null }];
        await readDuring(rotation, async () => {
          const because = "one of the two ids of a rotation is always there";
          await refuse(store, { check: neither }, because);
        }, async () => {
          const before = await store.get(old);
          const replacement = await store.get(id);
          const after = await store.get(old);
          assert(
            before !== undefined || replacement !== undefined,
            "who finds the old id gone must then find the new one: received neither",
          );
          assert(
            replacement === undefined || after === undefined,
            "who finds the new id must then find the old one gone: received both",
          );
        });
        version = await rotation;
        old = id;
      }
    },
  },
  {
    name: "no reader finds one of two new records alone",
    rule: "atomic",
    async run(store) {
      for (let round = 0; round < ROUNDS; round++) {
        const [a, b] = [newId(), newId()];
        const creation = commit(store, {
          check: [{ id: a, version: null }, { id: b, version: null }],
          put: [toPut(a, a), toPut(b, b)],
        }, "there is no record");
        await readDuring(creation, async () => {
          const first = await store.get(a);
          const second = await store.get(b);
          const again = await store.get(a);
          assert(
            first === undefined || second !== undefined,
            "who finds the first of two records put together must then find " +
              "the second: received the first alone",
          );
          assert(
            second === undefined || again !== undefined,
            "who finds the second of two records put together must then find " +
              "the first: received the second alone",
          );
        });
      }
    },
  },
  {
    name: "no reader finds a record that its subject's index lacks",
    rule: "atomic",
    async run(store) {
      for (const id of newIds(ROUNDS)) {
        await readDuring(put(store, id, id, "alice"), async () => {
          if (await store.get(id) === undefined) return;
          const newest = { subject: "alice", limit: 1 };
          await assertListed(store, newest, [id], "once get gives the record");
        });
      }
    },
  },
];
