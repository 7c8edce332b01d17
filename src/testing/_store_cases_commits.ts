import { assertNotEquals } from "@std/assert";
import type { SessionStore, StoreCheck } from "../session_store.ts";
import {
  assertListed,
  assertStored,
  collect,
  commit,
  newId,
  put,
  read,
  refuse,
  type StoreCase,
  toPut,
} from "./_store_case.ts";

/** Cases about what one commit changes, and about versions. */
export const COMMIT_CASES: readonly StoreCase[] = [
  {
    name: "commit puts and deletes several records at once",
    rule: "atomic",
    async run(store) {
      const [a, b, c, d] = [newId(), newId(), newId(), newId()];
      await put(store, a, "a", "alice");
      await put(store, b, "b");
      const version = await commit(store, {
        delete: [{ id: a, subject: "alice" }, { id: b }],
        put: [toPut(c, "c", "alice"), toPut(d, "d")],
      }, "it has no checks");
      await assertStored(store, a, undefined, "of the first delete");
      await assertStored(store, b, undefined, "of the second delete");
      await assertStored(store, c, { record: "c" }, "of the first put");
      await assertStored(store, d, { record: "d" }, "of the second put");
      await assertListed(store, undefined, [d, c], "after the commit");
      const check = [{ id: c, version }, { id: d, version }];
      await commit(store, { check }, "all that was put is at its version");
    },
  },
  {
    name: "commit changes nothing if one of several checks fails",
    rule: "atomic",
    async run(store) {
      const [kept, other, fresh] = [newId(), newId(), newId()];
      const keptVersion = await put(store, kept, "kept", "alice");
      const otherVersion = await put(store, other, "other");
      const good: StoreCheck[] = [
        { id: kept, version: keptVersion },
        { id: fresh, version: null },
      ];
      const bad: StoreCheck[] = [
        { id: other, version: null },
        { id: other, version: keptVersion },
        { id: newId(), version: otherVersion },
      ];
      for (const failing of bad) {
        for (const check of [[...good, failing], [failing, ...good]]) {
          await refuse(store, {
            check,
            put: [toPut(fresh, "fresh", "alice"), toPut(other, "changed")],
            delete: [{ id: kept, subject: "alice" }],
          }, "one of its three checks fails");
        }
      }
      const because = "after commits that were refused";
      await assertStored(store, kept, { record: "kept" }, because);
      await assertStored(store, other, { record: "other" }, because);
      await assertStored(store, fresh, undefined, because);
      await assertListed(store, { subject: "alice" }, [kept], because);
      await assertListed(store, undefined, [other, kept], because);
      await commit(store, {
        check: [
          { id: kept, version: keptVersion },
          { id: other, version: otherVersion },
        ],
      }, "versions did not change, for every commit since was refused");
    },
  },
  {
    name: "the versions of commit, get and list work as checks",
    rule: "versions",
    async run(store) {
      const id = newId();
      let version = await put(store, id, 0, "alice");
      const sources = {
        commit: () => Promise.resolve(version),
        get: () => read(store, id, "of the put").then((it) => it.version),
        list: () => listedVersion(store, {}),
        "list by subject": () => listedVersion(store, { subject: "alice" }),
      };
      for (const [source, versionOf] of Object.entries(sources)) {
        version = await commit(store, {
          check: [{ id, version: await versionOf() }],
          put: [toPut(id, source, "alice")],
        }, `the check has the version that ${source} gave`);
        await assertStored(store, id, { record: source }, "of the put");
      }
    },
  },
  {
    name: "a check fails once the record was written again",
    rule: "versions",
    async run(store) {
      const id = newId();
      const first = await put(store, id, "first");
      await put(store, id, "second");
      const check = [{ id, version: first }];
      await refuse(
        store,
        { check, put: [toPut(id, "third")] },
        "the record was written since",
      );
      await refuse(store, { check, delete: [{ id }] }, "it was written since");
      await assertStored(store, id, { record: "second" }, "of the last put");
    },
  },
  {
    name: "every write changes the version, even to the same record",
    rule: "versions",
    async run(store) {
      const id = newId();
      const versions = new Set<string>();
      for (let count = 1; count <= 5; count++) {
        const given = await put(store, id, { same: true });
        const { version } = await read(store, id, "of the put");
        await commit(
          store,
          { check: [{ id, version }, { id, version: given }] },
          "get and commit gave the versions of one and the same state",
        );
        for (const old of versions) {
          assertNotEquals(version, old, "a write must change the version");
          await refuse(
            store,
            { check: [{ id, version: old }] },
            "the same record was written again since",
          );
        }
        versions.add(version);
      }
    },
  },
  {
    name: "a version does not come back when a record is made anew",
    rule: "versions",
    async run(store) {
      const id = newId();
      const version = await put(store, id, "same");
      await commit(store, { delete: [{ id }] }, "it has no checks");
      await refuse(
        store,
        { check: [{ id, version }], put: [toPut(id, "back")] },
        "the record is gone",
      );
      await assertStored(store, id, undefined, "after a delete");
      await put(store, id, "same");
      await refuse(
        store,
        { check: [{ id, version }] },
        "the record was deleted and made anew since",
      );
    },
  },
  {
    name: "a null check holds only where there is no record",
    rule: "versions",
    async run(store) {
      const id = newId();
      const check = [{ id, version: null }];
      await commit(
        store,
        { check, put: [toPut(id, "first")] },
        "there is no record",
      );
      await refuse(
        store,
        { check, put: [toPut(id, "second")] },
        "there is a record",
      );
      await assertStored(store, id, { record: "first" }, "of the first put");
      await commit(store, { delete: [{ id }] }, "it has no checks");
      await commit(
        store,
        { check, put: [toPut(id, "third")] },
        "the record was deleted",
      );
      await assertStored(store, id, { record: "third" }, "of the last put");
    },
  },
  {
    name: "a null check fails for records that look like nothing",
    rule: "versions",
    async run(store) {
      for (const record of [undefined, null, false, 0, ""]) {
        const id = newId();
        await put(store, id, record);
        await refuse(
          store,
          { check: [{ id, version: null }] },
          `there is a record, which is ${JSON.stringify(record)}`,
        );
        await assertStored(store, id, { record }, "that looks like nothing");
      }
    },
  },
  {
    name: "a check of a record that the commit does not change counts too",
    rule: "versions",
    async run(store) {
      const [guard, id] = [newId(), newId()];
      const old = await put(store, guard, 1);
      const version = await put(store, guard, 2);
      await refuse(
        store,
        { check: [{ id: guard, version: old }], put: [toPut(id, "no")] },
        "the record that is checked, though not changed, was written since",
      );
      await assertStored(store, id, undefined, "after a refused commit");
      await commit(
        store,
        { check: [{ id: guard, version }], put: [toPut(id, "yes")] },
        "the record that is checked is at its version",
      );
      await assertStored(store, id, { record: "yes" }, "of the put");
    },
  },
  {
    name: "a write without a check is unconditional",
    rule: "versions",
    async run(store) {
      const id = newId();
      await put(store, id, "first");
      await put(store, id, "second");
      await assertStored(store, id, { record: "second" }, "of the last put");
      await commit(store, { delete: [{ id }] }, "it has no checks");
      await assertStored(store, id, undefined, "after the delete");
    },
  },
];

async function listedVersion(
  store: SessionStore,
  options: { subject?: string },
): Promise<string> {
  const [first] = await collect(store, options);
  return first?.version ?? "list gave no record";
}
