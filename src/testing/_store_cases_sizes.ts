import { assert, fail } from "@std/assert";
import type { SessionStore } from "../session_store.ts";
import {
  assertListed,
  assertSame,
  assertStored,
  commit,
  newId,
  newIds,
  put,
  read,
  readDuring,
  show,
  type StoreCase,
  toPut,
  tryCommit,
} from "./_store_case.ts";

const KIB = 1_024;
/** More than most engines take; a store without a limit stores it. */
const HUGE = 4 * KIB * KIB;

/** Cases about small and large records. */
export const SIZE_CASES: readonly StoreCase[] = [
  {
    name: "records of every size come back whole",
    rule: "size",
    async run(store, { largestRecord }) {
      for (const size of sizes(largestRecord)) {
        const id = newId();
        await put(store, id, toRecord(size), "alice");
        const record = toRecord(size);
        await assertStored(store, id, { record }, `with ${size} bytes`);
        let listed = 0;
        for await (const item of store.list({ subject: "alice", limit: 1 })) {
          listed++;
          assertSame(item.record, record, `by list, with ${size} bytes`);
        }
        assert(listed === 1, `list must give a record of ${size} bytes`);
      }
    },
  },
  {
    name: "records of about 64 KiB come back whole, whatever their overhead",
    rule: "size",
    async run(store, { largestRecord }) {
      for (const base of [64 * KIB, 128 * KIB]) {
        // wherever the encoding adds up to 64 KiB sharp, these pass the edge
        for (let size = base - 40; size <= base + 4; size++) {
          if (size > largestRecord) return;
          const id = newId();
          const record = "x".repeat(size);
          await put(store, id, record);
          await assertStored(store, id, { record }, `with ${size} characters`);
          await commit(store, { delete: [{ id }] }, "it has no checks");
        }
      }
    },
  },
  {
    name: "large records of text and of many small values come back whole",
    rule: "size",
    async run(store, { largestRecord }) {
      const count = Math.floor(largestRecord / 4);
      const records = {
        "text of two bytes a character": "\u044f\u{1f36a}\ud800".repeat(
          Math.floor(count / 4),
        ),
        "many values": new Map(
          Array.from({ length: Math.floor(count / 64) }, (_, n) => [n, [n]]),
        ),
      };
      for (const [name, record] of Object.entries(records)) {
        const id = newId();
        await put(store, id, record);
        await assertStored(store, id, { record }, `with ${name}`);
      }
    },
  },
  {
    name: "a record may grow and shrink, and be deleted at any size",
    rule: "size",
    async run(store, { largestRecord }) {
      const id = newId();
      const steps = [
        1,
        largestRecord,
        10,
        64 * KIB,
        largestRecord - 1,
        200 * KIB,
      ];
      for (const size of steps.filter((size) => size <= largestRecord)) {
        const version = await put(store, id, toRecord(size), "alice");
        const because = `with ${size} bytes, over one of another size`;
        await assertStored(store, id, { record: toRecord(size) }, because);
        const check = [{ id, version }];
        await commit(store, { check }, "it is at the version of the last put");
        await assertListed(store, { subject: "alice" }, [id], because);
      }
      const gone = [{ id, subject: "alice" }];
      await commit(store, { delete: gone }, "it has no checks");
      await assertStored(store, id, undefined, "after a delete");
      await assertListed(store, undefined, [], "after a delete");
      const record = toRecord(largestRecord, 7);
      await put(store, id, record, "alice");
      await assertStored(store, id, { record }, "made anew");
    },
  },
  {
    name: "large records take part in rotation",
    rule: "atomic",
    async run(store, { largestRecord }) {
      const [old, id] = [newId(), newId()];
      const record = toRecord(largestRecord);
      const version = await put(store, old, record, "alice");
      const rotation = {
        check: [{ id: old, version }],
        put: [toPut(id, record, "alice")],
        delete: [{ id: old, subject: "alice" }],
      };
      await commit(store, rotation, "its check holds");
      await assertStored(store, id, { record }, "after rotation");
      await assertStored(store, old, undefined, "that was rotated away");
      const late = newId();
      const { ok } = await tryCommit(store, {
        ...rotation,
        put: [toPut(late, record, "alice")],
      });
      assert(!ok, "a second rotation of the same record must be refused");
      await assertStored(store, late, undefined, "of a refused rotation");
      await assertListed(store, { subject: "alice" }, [id], "after rotation");
    },
  },
  {
    name: "a reader of a large record sees it whole while it is overwritten",
    rule: "atomic",
    async run(store, { largestRecord }) {
      const id = newId();
      const size = Math.min(200 * KIB, largestRecord);
      await put(store, id, new Uint8Array(size).fill(0));
      const lengthOf = (n: number) => n % 3 === 2 ? 100 : size - n;
      const writer = (async () => {
        for (let n = 1; n <= 12; n++) {
          await put(store, id, new Uint8Array(lengthOf(n)).fill(n));
        }
      })();
      await readDuring(writer, async () => {
        const { record } = await read(store, id, "while it is overwritten");
        const bytes = record as Uint8Array;
        const [n = -1] = bytes;
        const torn = bytes.findIndex((byte) => byte !== n);
        assert(
          torn < 0,
          "get must give one write of the record, not parts of two: " +
            `received ${n} at the start and ${bytes[torn]} at ${torn}`,
        );
        assert(
          bytes.length === lengthOf(n),
          `get must give all ${lengthOf(n)} bytes: received ${bytes.length}`,
        );
      });
    },
  },
  {
    name: "parallel writes of large records: exactly one wins, whole",
    rule: "atomic",
    async run(store, { largestRecord }) {
      const id = newId();
      const size = Math.min(150 * KIB, largestRecord);
      const version = await put(store, id, toRecord(size, 100), "alice");
      const results = await Promise.all(
        newIds(6).map((_, n) =>
          tryCommit(store, {
            check: [{ id, version }],
            put: [toPut(id, toRecord(size - n, n), "alice")],
          })
        ),
      );
      const [winner = -1, ...others] = results.flatMap(({ ok }, n) =>
        ok ? [n] : []
      );
      assert(winner >= 0 && others.length === 0, "exactly one must be ok");
      const record = toRecord(size - winner, winner);
      await assertStored(store, id, { record }, "of the winner");
    },
  },
  {
    name: "a record of 4 MiB is stored whole, or a SessionTooLargeError",
    rule: "size",
    async run(store) {
      const [id, beside, gone] = [newId(), newId(), newId()];
      const version = await put(store, id, "old", "alice");
      await put(store, gone, "gone", "alice");
      const error = await commitHuge(store, {
        check: [{ id, version }],
        put: [
          toPut(id, toRecord(HUGE), "alice"),
          toPut(beside, "new", "alice"),
        ],
        delete: [{ id: gone, subject: "alice" }],
      });
      if (error === undefined) {
        const record = toRecord(HUGE);
        await assertStored(store, id, { record }, "for it was accepted");
        await assertStored(store, beside, { record: "new" }, "beside it");
        await assertStored(store, gone, undefined, "deleted beside it");
        return;
      }
      assertTooLarge(error);
      const because = "after a commit that was too large";
      await assertStored(store, id, { record: "old" }, because);
      await assertStored(store, gone, { record: "gone" }, because);
      await assertStored(store, beside, undefined, because);
      await assertListed(store, { subject: "alice" }, [gone, id], because);
      const check = [{ id, version }];
      await commit(store, { check, put: [toPut(id, 1, "alice")] }, because);
    },
  },
];

async function commitHuge(
  store: SessionStore,
  commit: Parameters<SessionStore["commit"]>[0],
): Promise<unknown> {
  try {
    const { ok } = await store.commit(commit);
    if (!ok) fail("a commit whose checks hold must not be { ok: false }");
    return undefined;
  } catch (error) {
    return error;
  }
}

function assertTooLarge(error: unknown): void {
  // by name, not by class: a bundle may hold the class twice
  const { name, size, limit } = error as Record<string, unknown>;
  if (name !== "SessionTooLargeError") throw error;
  assert(
    typeof size === "number" && typeof limit === "number" && limit > 0 &&
      size > limit,
    `SessionTooLargeError must say size > limit > 0: received ${
      show({ size, limit })
    }`,
  );
}

function sizes(largest: number): number[] {
  return [1, 1_000, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 300 * KIB, largest]
    .filter((size) => size <= largest);
}

/** Makes a record whose payload has a size, and does not compress well. */
function toRecord(
  size: number,
  key = 1,
): { payload: Uint8Array; size: number } {
  const payload = new Uint8Array(size);
  let state = key * 7_919 + 1;
  for (let index = 0; index < size; index++) {
    state = Math.imul(state, 1_103_515_245) + 12_345;
    payload[index] = state >>> 16;
  }
  return { payload, size };
}
