import { assertEquals } from "@std/assert";
import {
  assertListed,
  assertStored,
  collect,
  commit,
  newId,
  newIds,
  put,
  refuse,
  type StoreCase,
  toPut,
} from "./_store_case.ts";

/** Subjects that some engine or other takes for one another. */
const ODD_SUBJECTS = [
  "",
  " ",
  "a",
  "A",
  "a ",
  "ab",
  "a:b",
  "a:",
  ":a",
  "a/b",
  "a,b",
  "a\0",
  "a\0b",
  "\0",
  "*",
  "%",
  "_",
  "__proto__",
  "constructor",
  "undefined",
  "null",
  "\ud800",
  "\udfff",
  "\ufffd",
  "\u00e9",
  "e\u0301",
  "\ufb01",
  "fi",
  "x".repeat(2_100),
  "x".repeat(2_101),
  `${"x".repeat(2_100)}y`,
];

/** Cases about the subject index. */
export const SUBJECT_CASES: readonly StoreCase[] = [
  {
    name: "subjects do not touch each other, however alike",
    rule: "subjects",
    async run(store) {
      const none = newId();
      await put(store, none, "none");
      const owned = ODD_SUBJECTS.map((subject) => ({ subject, id: newId() }));
      for (const { subject, id } of owned) await put(store, id, id, subject);
      for (const { subject, id } of owned) {
        await assertListed(store, { subject }, [id], "for that subject alone");
        await assertStored(store, id, { record: id }, "of that subject");
      }
      const all = [none, ...owned.map(({ id }) => id)].reverse();
      await assertListed(store, undefined, all, "with and without subject");
      const [first, ...rest] = owned;
      for (const { subject, id } of first ? [first] : []) {
        await commit(store, { delete: [{ id, subject }] }, "it has no checks");
        await assertListed(store, { subject }, [], "after a delete");
      }
      for (const { subject, id } of rest) {
        await assertListed(
          store,
          { subject },
          [id],
          "after the record of another subject was deleted",
        );
      }
    },
  },
  {
    name: "a record without a subject is in no subject's index",
    rule: "subjects",
    async run(store) {
      const id = newId();
      await put(store, id, 1);
      for (const subject of ["", "undefined", "null"]) {
        await assertListed(store, { subject }, [], "without any put for it");
      }
      await assertListed(store, undefined, [id], "after a put");
    },
  },
  {
    name: "an overwritten record is listed once, as it is now",
    rule: "atomic",
    async run(store) {
      const id = newId();
      await put(store, id, "first", "alice");
      const version = await put(store, id, "second", "alice");
      for (const options of [undefined, { subject: "alice" }]) {
        const listed = await collect(store, options);
        assertEquals(
          listed.map(({ id, record }) => ({ id, record })),
          [{ id, record: "second" }],
          "list must give an overwritten record once, as it was put last",
        );
        await commit(
          store,
          { check: [{ id, version: listed[0]?.version ?? null }] },
          "the check has the version that list gave",
        );
      }
      await commit(store, { check: [{ id, version }] }, "it is up to date");
    },
  },
  {
    name: "delete and rotation leave nothing in the index",
    rule: "atomic",
    async run(store) {
      const subject = "alice";
      const [a, b, c, d] = [newId(), newId(), newId(), newId()];
      for (const id of [a, b, c]) await put(store, id, id, subject);
      await commit(store, { delete: [{ id: b, subject }] }, "it is unchecked");
      await assertListed(store, { subject }, [c, a], "after a delete");
      await commit(store, {
        put: [toPut(d, d, subject)],
        delete: [{ id: a, subject }],
      }, "it is unchecked");
      await assertListed(store, { subject }, [d, c], "after a rotation");
      await assertListed(store, undefined, [d, c], "after a rotation");
      const rest = [{ id: c, subject }, { id: d, subject }];
      await commit(store, { delete: rest }, "it is unchecked");
      await assertListed(store, { subject }, [], "after the last delete");
      await put(store, c, "again", subject);
      await assertListed(store, { subject }, [c], "after it was made anew");
    },
  },
  {
    name: "a sign-in moves a record into a subject's index with its new id",
    rule: "atomic",
    async run(store) {
      const [anonymous, id] = [newId(), newId()];
      const version = await put(store, anonymous, { cart: 1 });
      await commit(store, {
        check: [{ id: anonymous, version }],
        put: [toPut(id, { cart: 1 }, "alice")],
        delete: [{ id: anonymous }],
      }, "its check holds");
      await assertListed(store, { subject: "alice" }, [id], "after a sign-in");
      await assertListed(store, undefined, [id], "after a sign-in");
      await refuse(store, {
        check: [{ id: anonymous, version }],
        put: [toPut(newId(), { cart: 1 }, "bob")],
        delete: [{ id: anonymous }],
      }, "the anonymous record is gone");
      await assertListed(store, { subject: "bob" }, [], "after a lost sign-in");
    },
  },
  {
    name: "a subject may have many records",
    rule: "order",
    async run(store) {
      const ids = newIds(120);
      for (let from = 0; from < ids.length; from += 20) {
        const batch = ids.slice(from, from + 20);
        await Promise.all(batch.map((id) => put(store, id, id, "alice")));
      }
      const newestFirst = ids.toReversed();
      await assertListed(store, { subject: "alice" }, newestFirst, "for 120");
      await assertListed(store, undefined, newestFirst, "for 120");
      const half = ids.filter((_, n) => n % 2 === 0);
      for (let from = 0; from < half.length; from += 20) {
        await commit(store, {
          delete: half.slice(from, from + 20)
            .map((id) => ({ id, subject: "alice" })),
        }, "it is unchecked");
      }
      await assertListed(
        store,
        { subject: "alice" },
        newestFirst.filter((id) => !half.includes(id)),
        "after every other one was deleted",
      );
    },
  },
];
