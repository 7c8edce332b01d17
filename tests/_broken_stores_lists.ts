import {
  Base,
  type Mutant,
  utf8,
  withList,
  withSubjects,
} from "./_broken_store.ts";
import type {
  ListedRecord,
  StoreCommit,
  StoreListOptions,
} from "../src/session_store.ts";

/** Stores that list, and keep their subject index, wrongly. */
export const BROKEN_LISTS: Mutant[] = [
  [
    "takes subjects without regard to case and accents",
    withSubjects((subject) => subject.normalize("NFKC").toLowerCase()),
    "subjects do not touch each other, however alike",
    "list gives nothing for a subject that has nothing",
  ],
  [
    "keeps subjects as UTF-8",
    withSubjects(utf8),
    "subjects do not touch each other, however alike",
  ],
  [
    "cuts long subjects",
    withSubjects((subject) => subject.slice(0, 2_000)),
    "subjects do not touch each other, however alike",
  ],
  [
    "takes the empty subject for none",
    withSubjects((subject) => subject || undefined),
    "subjects do not touch each other, however alike",
    "a record without a subject is in no subject's index",
  ],
  [
    "ignores the subject of a list",
    withSubjects(() => undefined),
    "list gives nothing for a subject that has nothing",
    "a sign-in moves a record into a subject's index with its new id",
  ],
  [
    "leaves what was deleted in the index",
    class extends Base {
      #index: ListedRecord[] = [];
      override async *list(options: StoreListOptions = {}) {
        const items = await Array.fromAsync(super.list(options));
        if (options.subject === undefined) return yield* items;
        for (const item of items) {
          if (!this.#index.some(({ id }) => id === item.id)) {
            this.#index.unshift(item);
          }
        }
        yield* this.#index;
      }
    },
    "delete and rotation leave nothing in the index",
  ],
  [
    "forgets to take records out of lists when they are deleted",
    class extends Base {
      #ids = new Map<string, ListedRecord>();
      override before(commit: StoreCommit) {
        for (const { id, record } of commit.put) {
          this.#ids.set(id, { id, record, version: "" });
        }
        return commit;
      }
      override async *list(options: StoreListOptions = {}) {
        const { limit = Infinity } = options;
        yield* [...this.#ids.values()].reverse().slice(0, limit);
      }
    },
    "delete and rotation leave nothing in the index",
    "a subject may have many records",
    "a record may grow and shrink, and be deleted at any size",
  ],
  [
    "lists an overwritten record twice",
    withList((items) => items.flatMap((item) => [item, item])),
    "an overwritten record is listed once, as it is now",
    "list goes from the greatest id to the smallest",
  ],
  [
    "lists a hundred records at most",
    withList((items) => items.slice(0, 100)),
    "a subject may have many records",
  ],
  [
    "lists the oldest first",
    withList((items) => items.reverse()),
    "list goes from the greatest id to the smallest",
    "`limit` ends the list",
    "pages of 10 show each of 25 records once",
    "list tolerates changes that happen meanwhile",
    "a list that is not read to its end lets go",
  ],
  [
    "includes `before`",
    withList(
      (items, { before, limit = Infinity }) =>
        items.filter(({ id }) => before === undefined || id <= before)
          .slice(0, limit),
      ({ before: _, limit: __, ...options }) => options,
    ),
    "`before` leaves out the id itself and all greater ones",
    "pages of 10 show each of 25 records once",
    "`limit` ends the list",
  ],
  [
    "finds `before` by looking for it",
    withList(
      (items, { before, limit = Infinity }) => {
        const start = items.findIndex(({ id }) => id === before) + 1;
        return items.slice(start, start + limit);
      },
      ({ before: _, limit: __, ...options }) => options,
    ),
    "`before` need not exist any more",
    "`before` leaves out the id itself and all greater ones",
    "list takes an odd `before`",
  ],
  [
    "refuses an odd `before`",
    class extends Base {
      override options(options: StoreListOptions) {
        if (options.before === "") throw new TypeError("bad cursor");
        return options;
      }
    },
    "list takes an odd `before`",
  ],
  [
    "ignores `limit`",
    class extends Base {
      override options({ limit: _, ...options }: StoreListOptions) {
        return options;
      }
    },
    "`limit` ends the list",
    "pages of 10 show each of 25 records once",
  ],
  [
    "mixes up the records of a list",
    withList((items) => {
      const first = items[0]?.record;
      return items.map((item) => ({ ...item, record: first }));
    }),
    "list gives the record and the version of each id",
  ],
  [
    "breaks off a list when something changes",
    class extends Base {
      override async *list(options: StoreListOptions = {}) {
        const size = this.size;
        for await (const item of super.list(options)) {
          if (this.size !== size) throw new Error("concurrent modification");
          yield item;
        }
      }
    },
    "list tolerates changes that happen meanwhile",
  ],
  [
    "cannot list twice at a time",
    class extends Base {
      #listing = false;
      override async *list(options: StoreListOptions = {}) {
        if (this.#listing) throw new Error("busy");
        this.#listing = true;
        yield* await Array.fromAsync(super.list(options));
        this.#listing = false;
      }
    },
    "a list that is not read to its end lets go",
  ],
];
