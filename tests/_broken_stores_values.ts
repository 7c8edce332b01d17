import { Base, json, type Mutant, utf8, withRecords } from "./_broken_store.ts";
import type {
  ListedRecord,
  StoreCommit,
  VersionedRecord,
} from "../src/session_store.ts";

/** Stores that copy and keep values wrongly. */
export const BROKEN_VALUES: Mutant[] = [
  [
    "copies after an await",
    class extends Base {
      override before(commit: StoreCommit) {
        return Promise.resolve(commit);
      }
    },
    "copies what is put before commit returns its promise",
  ],
  [
    "keeps what it is given, without a copy",
    class extends Base {
      #kept = new Map<string, unknown>();
      override before(commit: StoreCommit) {
        for (const { id, record } of commit.put) this.#kept.set(id, record);
        return commit;
      }
      override found(found: VersionedRecord | undefined, id: string) {
        return found &&
          { ...found, record: structuredClone(this.#kept.get(id)) };
      }
    },
    "copies what is put before commit returns its promise",
    "copies what is put, so that later changes do not show",
  ],
  [
    "returns what it keeps, without a copy",
    class extends Base {
      #kept = new Map<string, VersionedRecord>();
      override found(found: VersionedRecord | undefined, id: string) {
        if (!found) return found;
        const key = `${id} ${found.version}`;
        const kept = this.#kept.get(key) ?? found;
        this.#kept.set(key, kept);
        return kept;
      }
    },
    "copies what get and list return",
    "parallel gets give independent copies",
  ],
  [
    "lists what it keeps, without a copy",
    class extends Base {
      #kept = new Map<string, ListedRecord>();
      override listed(item: ListedRecord) {
        const kept = this.#kept.get(item.id) ?? item;
        this.#kept.set(item.id, kept);
        return kept;
      }
    },
    "copies what get and list return",
  ],
  [
    "makes shallow copies",
    class extends Base {
      #kept = new Map<string, object>();
      override before(commit: StoreCommit) {
        for (const { id, record } of commit.put) {
          this.#kept.set(id, { ...Object(record) });
        }
        return commit;
      }
      override found(found: VersionedRecord | undefined, id: string) {
        return found && { ...found, record: { ...this.#kept.get(id) } };
      }
    },
    "copies what is put before commit returns its promise",
    "copies what is put, so that later changes do not show",
    "copies what get and list return",
    "parallel gets give independent copies",
  ],
  [
    "changes the commit that it is given",
    class extends Base {
      override before(commit: StoreCommit) {
        commit.put.sort((a, b) => a.id < b.id ? -1 : 1);
        for (const put of commit.put) put.expireIn++;
        return commit;
      }
    },
    "changes nothing of what it is given",
  ],
  [
    "keeps records as JSON",
    withRecords(json),
    "carries a record that is undefined",
    "carries a record that is a Map",
    "carries undefined",
    "carries NaN, -0 and infinities",
    "carries bigints",
    "carries Dates",
    "carries an invalid Date",
    "carries Maps",
    "carries Sets",
    "carries nested collections",
    "carries typed arrays of every kind",
    "carries typed arrays on part of a buffer",
    "carries empty typed arrays",
    "carries an ArrayBuffer",
    "carries a DataView",
    "carries RegExps",
    "carries sparse arrays",
    "carries cycles",
    "carries shared references",
    "carries odd keys in Maps",
  ],
  [
    "keeps text as UTF-8",
    withRecords((record) =>
      Array.isArray(record)
        ? record.map((it) => typeof it === "string" ? utf8(it) : it)
        : record
    ),
    "carries lone surrogates in strings",
  ],
  [
    "normalises text, and ends it at NUL",
    withRecords((record) =>
      Array.isArray(record)
        ? record.map((it) =>
          typeof it === "string" ? it.normalize().split("\0")[0] : it
        )
        : record
    ),
    "carries unicode in strings",
    "carries NUL in strings",
  ],
  [
    "rounds numbers to 32 bits",
    withRecords((record) =>
      Array.isArray(record)
        ? record.map((it) => typeof it === "number" ? it | 0 : it)
        : record
    ),
    "carries great and small numbers",
  ],
  [
    "copies properties by assignment",
    withRecords((record) => {
      const copy: Record<string, unknown> = {};
      for (const [key, value] of Object.entries(record ?? {})) {
        if (key === "__proto__") Object.setPrototypeOf(copy, Object(value));
        else copy[key] = value;
      }
      return copy;
    }),
    "carries odd keys in objects",
    "carries a record that is a primitive",
    "carries a record that is an array",
  ],
  [
    "takes the empty object for nothing, and cuts deep and wide ones",
    withRecords((record) =>
      typeof record === "object" && record && !("payload" in record) &&
        [0, 2, 1_000].includes(Object.keys(record).length)
        ? null
        : record
    ),
    "carries an empty object",
    "carries deep objects",
    "carries wide objects",
  ],
];
