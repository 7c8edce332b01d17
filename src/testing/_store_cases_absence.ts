import { assertEquals } from "@std/assert";
import {
  assertListed,
  assertStored,
  collect,
  commit,
  newId,
  put,
  show,
  type StoreCase,
} from "./_store_case.ts";

/** Strings that no store has an id for, and some that it may stumble over. */
const ODD_IDS = [
  "",
  "__proto__",
  "constructor",
  "then",
  "*",
  "%",
  "../..",
  "a/b:c,d",
  "'; --",
  "\0",
  "\n",
  "\ud800",
  "\udfff",
  "\ufffd",
  "Z".repeat(3_000),
  "\u{1f36a}".repeat(3_000),
];

/** Cases about records that are not there. */
export const ABSENCE_CASES: readonly StoreCase[] = [
  {
    name: "opens empty, so that the cases do not disturb each other",
    rule: "absence",
    async run(store) {
      await assertListed(store, undefined, [], "when a store was just opened");
    },
  },
  {
    name: "get gives undefined for an id that is not there",
    rule: "absence",
    async run(store) {
      await put(store, newId(), { n: 1 });
      await assertStored(store, newId(), undefined, "for an unknown id");
    },
  },
  {
    name: "get gives undefined for odd ids",
    rule: "absence",
    async run(store) {
      await put(store, newId(), { n: 1 });
      for (const id of ODD_IDS) {
        await assertStored(store, id, undefined, `for the id ${show(id)}`);
      }
    },
  },
  {
    name: "get gives undefined for ids that only resemble one",
    rule: "absence",
    async run(store) {
      const id = newId();
      await put(store, id, { n: 1 });
      const alike = [
        id.toLowerCase(),
        id.slice(0, -1),
        `${id} `,
        ` ${id}`,
        `${id}\0`,
        `${id}/`,
        `${id}:1`,
        id.slice(0, 10),
      ];
      for (const other of alike) {
        await assertStored(
          store,
          other,
          undefined,
          `for ${show(other)} when ${show(id)} is stored`,
        );
      }
    },
  },
  {
    name: "delete succeeds for an id that is not there, and for odd ids",
    rule: "absence",
    async run(store) {
      const id = newId();
      await put(store, id, { n: 1 }, "alice");
      for (const odd of [newId(), ...ODD_IDS]) {
        await commit(
          store,
          { delete: [{ id: odd }] },
          `it deletes ${show(odd)}, which is not there`,
        );
        await commit(
          store,
          { delete: [{ id: odd, subject: "alice" }] },
          `it deletes ${show(odd)}, which is not there, from a subject`,
        );
      }
      await assertStored(store, id, { record: { n: 1 } }, "of another id");
      await assertListed(
        store,
        { subject: "alice" },
        [id],
        "after deletes of ids that are not there",
      );
    },
  },
  {
    name: "delete removes a record, and succeeds a second time",
    rule: "absence",
    async run(store) {
      const id = newId();
      await put(store, id, { n: 1 });
      await commit(store, { delete: [{ id }] }, "it deletes a record");
      await assertStored(store, id, undefined, "after a delete");
      await commit(store, { delete: [{ id }] }, "the record is gone already");
    },
  },
  {
    name: "list gives nothing for a subject that has nothing",
    rule: "absence",
    async run(store) {
      await put(store, newId(), { n: 1 }, "alice");
      await put(store, newId(), { n: 1 });
      for (const subject of ["bob", "Alice", "alic", "alice ", ...ODD_IDS]) {
        await assertListed(
          store,
          { subject },
          [],
          'when only the subject "alice" has a record',
        );
      }
    },
  },
  {
    name: "list takes an odd `before`",
    rule: "absence",
    async run(store) {
      const id = newId();
      await put(store, id, { n: 1 }, "alice");
      for (const before of ODD_IDS) {
        for (const options of [{ before }, { before, subject: "alice" }]) {
          const ids = (await collect(store, options)).map(({ id }) => id);
          assertEquals(
            ids,
            id < before ? [id] : [],
            `list(${show(options)}) must compare ids by code unit`,
          );
        }
      }
    },
  },
  {
    name: "commit takes no changes, and no checks",
    rule: "absence",
    async run(store) {
      await commit(store, {}, "there is nothing to check");
      await commit(
        store,
        { check: [{ id: newId(), version: null }] },
        "the only check holds, though nothing is to be changed",
      );
    },
  },
];
