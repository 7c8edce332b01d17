import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { SessionTooLargeError } from "../src/errors.ts";
import { MemoryStore } from "../src/memory_store.ts";
import type {
  ListedRecord,
  SessionStore,
  StoreCommit,
  StoreCommitResult,
  StoreListOptions,
  VersionedRecord,
} from "../src/session_store.ts";
import { testSessionStore } from "../src/testing/mod.ts";

type Run = () => Promise<void>;

function collectTests(open: () => SessionStore): Map<string, Run> {
  const tests = new Map<string, Run>();
  testSessionStore("store", open, {
    test: (name, run) => tests.set(name.replace("store: ", ""), run),
  });
  return tests;
}

/** A good store, with the single steps open to sabotage. */
class Base extends MemoryStore {
  /** Called with the commit before anything happens. */
  before(commit: StoreCommit): StoreCommit | Promise<StoreCommit> {
    return commit;
  }

  /** Called with what was found. */
  found(
    found: VersionedRecord | undefined,
    _id: string,
  ): VersionedRecord | undefined {
    return found;
  }

  /** Called with each item of a list. */
  listed(item: ListedRecord): ListedRecord {
    return item;
  }

  /** Called with the options of a list. */
  options(options: StoreListOptions): StoreListOptions {
    return options;
  }

  override async get(id: string): Promise<VersionedRecord | undefined> {
    return this.found(await super.get(id), id);
  }

  override commit(commit: StoreCommit): Promise<StoreCommitResult> {
    const changed = this.before(commit);
    if (!(changed instanceof Promise)) return super.commit(changed);
    return changed.then((commit) => super.commit(commit));
  }

  override async *list(
    options: StoreListOptions = {},
  ): AsyncGenerator<ListedRecord> {
    for await (const item of super.list(this.options(options))) {
      yield this.listed(item);
    }
  }
}

function mapSubjects(
  commit: StoreCommit,
  map: (subject: string) => string | undefined,
): StoreCommit {
  const change = <T extends { subject?: string }>(item: T): T => {
    const { subject, ...rest } = item;
    const mapped = subject === undefined ? undefined : map(subject);
    return { ...rest, ...(mapped !== undefined && { subject: mapped }) } as T;
  };
  return {
    check: commit.check,
    put: commit.put.map(change),
    delete: commit.delete.map(change),
  };
}

/** Makes a store that changes subjects before it uses them. */
function withSubjects(map: (subject: string) => string | undefined) {
  return class extends Base {
    override before(commit: StoreCommit) {
      return mapSubjects(commit, map);
    }
    override options({ subject, ...rest }: StoreListOptions) {
      const mapped = subject === undefined ? undefined : map(subject);
      return { ...rest, ...(mapped !== undefined && { subject: mapped }) };
    }
  };
}

/** Makes a store that changes records as it keeps them. */
function withRecords(map: (record: unknown) => unknown) {
  return class extends Base {
    override before(commit: StoreCommit) {
      const put = commit.put.map((put) => ({
        ...put,
        record: map(put.record),
      }));
      return { ...commit, put };
    }
  };
}

/** Makes a store that changes how long it keeps records. */
function withExpiry(map: (expireIn: number) => number) {
  return class extends Base {
    override before(commit: StoreCommit) {
      const put = commit.put.map((put) => ({
        ...put,
        expireIn: Math.max(1, Math.floor(map(put.expireIn))),
      }));
      return { ...commit, put };
    }
  };
}

/** Makes a store that gives other versions than it keeps. */
function withVersions(map: (version: string, record: unknown) => string) {
  return class extends Base {
    #real = new Map<string, string>();
    override found(found: VersionedRecord | undefined) {
      return found && this.#hide(found);
    }
    override listed(item: ListedRecord) {
      return this.#hide(item);
    }
    override before(commit: StoreCommit) {
      const check = commit.check.map(({ id, version }) => ({
        id,
        version: this.#real.get(`${id} ${version}`) ?? version,
      }));
      return { ...commit, check };
    }
    override async commit(commit: StoreCommit): Promise<StoreCommitResult> {
      const result = await super.commit(commit);
      if (!result.ok) return result;
      let { version } = result;
      for (const { id, record } of commit.put) {
        version = map(result.version, record);
        this.#real.set(`${id} ${version}`, result.version);
      }
      return { ok: true, version };
    }
    #hide<T extends VersionedRecord>(item: T): T {
      return { ...item, version: map(item.version, item.record) };
    }
  };
}

/** Makes a store that forgets what it should clean up, or lists it wrongly. */
function withList(
  change: (items: ListedRecord[], options: StoreListOptions) => ListedRecord[],
  ask: (options: StoreListOptions) => StoreListOptions = (options) => options,
) {
  return class extends MemoryStore {
    override async *list(
      options: StoreListOptions = {},
    ): AsyncGenerator<ListedRecord> {
      const items = await Array.fromAsync(super.list(ask(options)));
      yield* change(items, options);
    }
  };
}

const utf8 = (text: string) =>
  new TextDecoder().decode(new TextEncoder().encode(text));

const json = (record: unknown) =>
  JSON.parse(
    JSON.stringify(record, (_, value) =>
      typeof value === "bigint" ? Number(value) : value) ?? "null",
  );

/** What the store does wrong, how, and the cases that must notice. */
const MUTANTS: [string, new () => SessionStore, ...string[]][] = [
  [
    "throws when a record is not found",
    class extends Base {
      override found(found: VersionedRecord | undefined) {
        if (!found) throw new Error("not found");
        return found;
      }
    },
    "get gives undefined for an id that is not there",
    "get gives undefined for odd ids",
  ],
  [
    "gives null when a record is not found",
    class extends Base {
      override found(found: VersionedRecord | undefined) {
        return found ?? (null as unknown as undefined);
      }
    },
    "get gives undefined for an id that is not there",
  ],
  [
    "refuses odd ids",
    class extends Base {
      override found(found: VersionedRecord | undefined, id: string) {
        if (id.length > 2_000) throw new RangeError("key too long");
        return found;
      }
    },
    "get gives undefined for odd ids",
  ],
  [
    "keeps records in a plain object",
    class extends Base {
      override found(found: VersionedRecord | undefined, id: string) {
        return found ?? ({} as Record<string, VersionedRecord>)[id];
      }
    },
    "get gives undefined for odd ids",
  ],
  [
    "takes ids without regard to case",
    class extends Base {
      override get(id: string) {
        return super.get(id.toUpperCase());
      }
    },
    "get gives undefined for ids that only resemble one",
  ],
  [
    "throws when there is nothing to delete",
    class extends Base {
      override before(commit: StoreCommit) {
        return Promise.all(commit.delete.map(async ({ id }) => {
          if (!await this.get(id)) throw new Error("nothing to delete");
        })).then(() => commit);
      }
    },
    "delete succeeds for an id that is not there, and for odd ids",
    "delete removes a record, and succeeds a second time",
  ],
  [
    "does not delete",
    class extends Base {
      override before(commit: StoreCommit) {
        return { ...commit, delete: [] };
      }
    },
    "delete removes a record, and succeeds a second time",
    "commit puts and deletes several records at once",
    "rotation replaces one id by another in one commit",
  ],
  [
    "is shared by the cases",
    (() => {
      const shared = new MemoryStore();
      const put = [{ id: "0", record: 1, expireIn: 60_000 }];
      shared.commit({ check: [], put, delete: [] });
      return function () {
        return shared;
      } as unknown as new () => SessionStore;
    })(),
    "opens empty, so that the cases do not disturb each other",
  ],
  [
    "refuses an empty commit",
    class extends Base {
      override before(commit: StoreCommit) {
        if (commit.put.length + commit.delete.length === 0) {
          throw new TypeError("nothing to do");
        }
        return commit;
      }
    },
    "commit takes no changes, and no checks",
  ],
  [
    "ignores checks: the last write wins",
    class extends Base {
      override before(commit: StoreCommit) {
        return { ...commit, check: [] };
      }
    },
    "commit changes nothing if one of several checks fails",
    "a check fails once the record was written again",
    "a null check holds only where there is no record",
    "parallel commits with the same check: exactly one wins",
    "parallel commits that create one record: exactly one wins",
    "parallel rotations: exactly one wins, and the others leave nothing",
    "parallel writes of large records: exactly one wins, whole",
    "read, check and write again loses no update",
  ],
  [
    "looks only at the first check",
    class extends Base {
      override before(commit: StoreCommit) {
        return { ...commit, check: commit.check.slice(0, 1) };
      }
    },
    "commit changes nothing if one of several checks fails",
  ],
  [
    "looks only at checks of what it puts or deletes",
    class extends Base {
      override before(commit: StoreCommit) {
        const touched = [...commit.put, ...commit.delete].map(({ id }) => id);
        const check = commit.check.filter(({ id }) => touched.includes(id));
        return { ...commit, check };
      }
    },
    "a check of a record that the commit does not change counts too",
  ],
  [
    "puts before it checks",
    class extends Base {
      override async commit(commit: StoreCommit): Promise<StoreCommitResult> {
        const { check, put } = commit;
        const versions = await Promise.all(
          check.map(({ id }) => this.get(id)),
        );
        await super.commit({ check: [], put, delete: [] });
        const ok = check.every(({ version }, n) =>
          (versions[n]?.version ?? null) === version
        );
        return ok ? super.commit({ ...commit, check: [] }) : { ok: false };
      }
    },
    "commit changes nothing if one of several checks fails",
    "a check of a record that the commit does not change counts too",
    "parallel rotations: exactly one wins, and the others leave nothing",
  ],
  [
    "deletes before it checks",
    class extends Base {
      override async commit(commit: StoreCommit): Promise<StoreCommitResult> {
        const result = await super.commit(commit);
        if (!result.ok) {
          await super.commit({ check: [], put: [], delete: commit.delete });
        }
        return result;
      }
    },
    "commit changes nothing if one of several checks fails",
    "a check fails once the record was written again",
  ],
  [
    "waits between check and change",
    class extends Base {
      override async commit(commit: StoreCommit): Promise<StoreCommitResult> {
        const record = structuredClone(commit.put);
        for (const { id, version } of commit.check) {
          const found = await this.get(id);
          if ((found?.version ?? null) !== version) return { ok: false };
        }
        return super.commit({ ...commit, check: [], put: record });
      }
    },
    "parallel commits with the same check: exactly one wins",
    "parallel commits that create one record: exactly one wins",
    "parallel rotations: exactly one wins, and the others leave nothing",
    "read, check and write again loses no update",
  ],
  [
    "writes one record after the other",
    class extends Base {
      override async commit(commit: StoreCommit): Promise<StoreCommitResult> {
        const puts = structuredClone(commit.put);
        let result = await super.commit({ ...commit, put: [] });
        for (const put of puts) {
          await new Promise((resolve) => setTimeout(resolve, 1));
          if (!result.ok) break;
          result = await super.commit({ check: [], put: [put], delete: [] });
        }
        return result;
      }
    },
    "no reader sees one half of a commit",
    "commit puts and deletes several records at once",
  ],
  [
    "refuses all commits of a batch if one fails",
    class extends Base {
      #batch: StoreCommit[] = [];
      #result: Promise<StoreCommitResult> | undefined;
      override commit(commit: StoreCommit): Promise<StoreCommitResult> {
        this.#batch.push(structuredClone(commit));
        return this.#result ??= Promise.resolve().then(() => {
          const batch = this.#batch;
          this.#batch = [];
          this.#result = undefined;
          return super.commit({
            check: batch.flatMap(({ check }) => check),
            put: batch.flatMap(({ put }) => put),
            delete: batch.flatMap((it) => it.delete),
          });
        });
      }
    },
    "parallel commits on different records each have their own outcome",
  ],
  [
    "mixes up parallel reads",
    class extends Base {
      #last = Promise.resolve<VersionedRecord | undefined>(undefined);
      #reading = false;
      override get(id: string) {
        if (this.#reading) return this.#last;
        this.#reading = true;
        this.#last = super.get(id);
        return this.#last.finally(() => this.#reading = false);
      }
    },
    "parallel reads each get their own record",
    "parallel gets give independent copies",
  ],
  [
    "never changes the version",
    withVersions(() => "1"),
    "a check fails once the record was written again",
    "every write changes the version, even to the same record",
  ],
  [
    "takes the content for the version",
    withVersions((_, record) => `v${JSON.stringify(record)}`),
    "every write changes the version, even to the same record",
    "a version does not come back when a record is made anew",
  ],
  [
    "starts counting again when a record is made anew",
    class extends Base {
      #births = new Map<string, number>();
      override found(found: VersionedRecord | undefined, id: string) {
        if (!found) return found;
        const version = Number(found.version) - (this.#births.get(id) ?? 0);
        return { ...found, version: String(version) };
      }
      override async commit(commit: StoreCommit): Promise<StoreCommitResult> {
        const check = commit.check.map(({ id, version }) => ({
          id,
          version: version &&
            String(Number(version) + (this.#births.get(id) ?? 0)),
        }));
        for (const { id } of commit.delete) this.#births.delete(id);
        const result = await super.commit({ ...commit, check });
        const [put] = commit.put;
        if (!result.ok || !put) return result;
        const version = Number(result.version);
        if (!this.#births.has(put.id)) this.#births.set(put.id, version);
        const birth = this.#births.get(put.id) ?? 0;
        return { ok: true, version: String(version - birth) };
      }
    },
    "a version does not come back when a record is made anew",
  ],
  [
    "gives no version on commit",
    class extends Base {
      override async commit(commit: StoreCommit): Promise<StoreCommitResult> {
        const { ok } = await super.commit(commit);
        return { ok } as StoreCommitResult;
      }
    },
    "the versions of commit, get and list work as checks",
  ],
  [
    "gives versions on commit that get does not",
    class extends Base {
      override async commit(commit: StoreCommit): Promise<StoreCommitResult> {
        const result = await super.commit(commit);
        return result.ok ? { ok: true, version: `${result.version}.` } : result;
      }
    },
    "the versions of commit, get and list work as checks",
    "large records take part in rotation",
  ],
  [
    "lists other versions than get gives",
    class extends Base {
      override listed(item: ListedRecord) {
        return { ...item, version: `${item.version}.` };
      }
    },
    "the versions of commit, get and list work as checks",
    "list gives the record and the version of each id",
    "an overwritten record is listed once, as it is now",
  ],
  [
    "takes falsy records for nothing",
    class extends Base {
      override found(found: VersionedRecord | undefined) {
        return found?.record ? found : undefined;
      }
    },
    "a null check fails for records that look like nothing",
    "carries a record that is undefined",
    "carries a record that is null",
  ],
  [
    "demands a check for every write over a record",
    class extends Base {
      override before(commit: StoreCommit) {
        const blind = commit.put.filter(({ id }) =>
          commit.check.every((check) => check.id !== id)
        ).map(({ id }) => ({ id, version: null }));
        return { ...commit, check: [...commit.check, ...blind] };
      }
    },
    "a write without a check is unconditional",
  ],
  [
    "drops the old id of a rotation, forward or not",
    class extends Base {
      override before(commit: StoreCommit) {
        const put = commit.check.length === 0
          ? commit.put
          : commit.put.slice(0, 1);
        return { ...commit, put };
      }
    },
    "rotation can leave a forward under the old id",
  ],
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
  [
    "fails above 64 KiB with the error of its engine",
    class extends Base {
      override before(commit: StoreCommit) {
        for (const { record } of commit.put) {
          if (sizeOf(record) > 65_536) throw new TypeError("Value too large");
        }
        return commit;
      }
    },
    "records of every size come back whole",
    "records of about 64 KiB come back whole, whatever their overhead",
    "large records of text and of many small values come back whole",
    "a record of 4 MiB is stored whole, or a SessionTooLargeError",
  ],
  [
    "loses what is over 64 KiB",
    withRecords((record) =>
      typeof record === "string"
        ? record.slice(0, 65_530)
        : record instanceof Uint8Array
        ? record.slice(0, 65_530)
        : record instanceof Object && "payload" in record
        ? {
          ...record,
          payload: (record.payload as Uint8Array).slice(0, 65_530),
        }
        : record
    ),
    "records of every size come back whole",
    "records of about 64 KiB come back whole, whatever their overhead",
    "large records of text and of many small values come back whole",
    "a record may grow and shrink, and be deleted at any size",
    "large records take part in rotation",
    "a reader of a large record sees it whole while it is overwritten",
    "parallel writes of large records: exactly one wins, whole",
    "a record of 4 MiB is stored whole, or a SessionTooLargeError",
  ],
  [
    "tears large records",
    class extends Base {
      #last: Uint8Array | undefined;
      override before(commit: StoreCommit) {
        const record = commit.put[0]?.record;
        if (!(record instanceof Uint8Array)) return commit;
        const torn = record.slice();
        if (this.#last) torn.set(this.#last.subarray(0, 10));
        this.#last = record;
        return {
          ...commit,
          put: commit.put.map((it) => ({ ...it, record: torn })),
        };
      }
    },
    "a reader of a large record sees it whole while it is overwritten",
  ],
  [
    "reports a record that is too large without the limit",
    withTooLarge(() => new SessionTooLargeError("no", { size: 1, limit: 2 })),
    "a record of 4 MiB is stored whole, or a SessionTooLargeError",
  ],
  [
    "refuses a record that is too large without an error",
    withTooLarge(() => undefined),
    "a record of 4 MiB is stored whole, or a SessionTooLargeError",
  ],
  [
    "deletes before it notices that a record is too large",
    class extends Base {
      override async commit(commit: StoreCommit): Promise<StoreCommitResult> {
        const { check } = commit;
        if (!commit.put.some(({ record }) => sizeOf(record) > 1_000_000)) {
          return super.commit(commit);
        }
        await super.commit({ check, put: [], delete: commit.delete });
        throw new SessionTooLargeError("no", { size: 4e6, limit: 1e6 });
      }
    },
    "a record of 4 MiB is stored whole, or a SessionTooLargeError",
  ],
  [
    "drops records after half their time",
    withExpiry((expireIn) => expireIn / 2),
    "a record is there until its expireIn has passed",
  ],
  [
    "takes seconds for milliseconds",
    withExpiry((expireIn) => expireIn / 1_000),
    "a record is there until its expireIn has passed",
    "a put extends the life of a record and of its index entry",
  ],
  [
    "does not extend the life of a record",
    class extends Base {
      #first = new Map<string, number>();
      override before(commit: StoreCommit) {
        const put = commit.put.map((put) => {
          const expireIn = this.#first.get(put.id) ?? put.expireIn;
          this.#first.set(put.id, expireIn);
          return { ...put, expireIn };
        });
        return { ...commit, put };
      }
    },
    "a put extends the life of a record and of its index entry",
    "an expireIn of 1 is accepted, and may end at any time after it",
  ],
  [
    "counts milliseconds in 32 bits, as timers do",
    withExpiry((expireIn) => expireIn | 0),
    "records may be kept for 400 days, and for 100 years",
  ],
  [
    "refuses a very long expireIn",
    withExpiry((expireIn) => {
      if (expireIn > 34_560_000_000) throw new RangeError("too long");
      return expireIn;
    }),
    "records may be kept for 400 days, and for 100 years",
  ],
  [
    "refuses a very short expireIn",
    withExpiry((expireIn) => {
      if (expireIn < 1_000) throw new RangeError("too short");
      return expireIn;
    }),
    "an expireIn of 1 is accepted, and may end at any time after it",
  ],
  [
    "goes on watching after the abort",
    class extends Base {
      override watch(id: string, changed: () => void): void {
        super.watch(id, changed, new AbortController().signal);
      }
    },
    "watch, if there is one, ends with its signal",
  ],
  [
    "throws when it watches odd ids",
    class extends Base {
      override watch(id: string, changed: () => void, signal: AbortSignal) {
        if (id === "") throw new TypeError("empty key");
        super.watch(id, changed, signal);
      }
    },
    "watch, if there is one, ends with its signal",
  ],
];

function sizeOf(record: unknown): number {
  if (typeof record === "string") return record.length;
  if (record instanceof Map) return record.size * 64;
  if (!(record instanceof Object) || !("payload" in record)) return 0;
  return (record.payload as Uint8Array).length;
}

function withTooLarge(toError: () => Error | undefined) {
  return class extends Base {
    override commit(commit: StoreCommit): Promise<StoreCommitResult> {
      if (!commit.put.some(({ record }) => sizeOf(record) > 1_000_000)) {
        return super.commit(commit);
      }
      const error = toError();
      return error ? Promise.reject(error) : Promise.resolve({ ok: false });
    }
  };
}

for (const [fault, Mutant, ...cases] of MUTANTS) {
  Deno.test(`testSessionStore() fails a store that ${fault}`, async () => {
    const tests = collectTests(() => new Mutant());
    for (const name of cases) {
      const run = tests.get(name);
      assert(run, `there must be a case with the name: ${name}`);
      const error = await assertRejects(
        run,
        Error,
        "The store breaks a rule of the contract.\nRule: ",
        `must fail: ${name}`,
      );
      assert(/\nHow: .{20}/.test(error.message), error.message);
    }
  });
}

Deno.test("testSessionStore() has a broken store for each of its cases", () => {
  const caught = new Set(MUTANTS.flatMap(([, , ...cases]) => cases));
  const names = [...collectTests(() => new MemoryStore()).keys()];
  assertEquals(names.filter((name) => !caught.has(name)), []);
  assertEquals(new Set(names).size, names.length);
});

Deno.test("testSessionStore() passes a store that is sound in every step", async () => {
  const tests = collectTests(() => new Base());
  await Promise.all([...tests.values()].map((run) => run()));
});

Deno.test("testSessionStore() says which rule was broken, and how", async () => {
  const tests = collectTests(() => new (withRecords(json))());
  await assertRejects(
    async () => await tests.get("carries Maps")?.(),
    Error,
    "The store breaks a rule of the contract.\n" +
      "Rule: Records are opaque: whatever structured clone carries comes back as it was.\n" +
      "How: the record must come back as it was put by get: " +
      'record["map"]: want Map object: received Object object',
  );
});

Deno.test("testSessionStore() opens a store for each case, and disposes of it", async () => {
  const log: string[] = [];
  const kinds = [
    [Symbol.asyncDispose, "async"],
    [Symbol.dispose, "sync"],
  ] as const;
  for (const [symbol, kind] of kinds) {
    const tests = collectTests(() => {
      log.push(`open ${kind}`);
      return Object.assign(new MemoryStore(), {
        [symbol]: () => void log.push(`dispose ${kind}`),
      });
    });
    assertEquals(log.length % 2, 0);
    await tests.get("get gives undefined for odd ids")?.();
  }
  const tests = collectTests(() =>
    Object.assign(new (withRecords(json))(), {
      [Symbol.asyncDispose]: () => void log.push("dispose failed"),
    })
  );
  await assertRejects(async () => await tests.get("carries Maps")?.());
  assertEquals(log, [
    "open async",
    "dispose async",
    "open sync",
    "dispose sync",
    "dispose failed",
  ]);
});

Deno.test("testSessionStore() tests a store of small records with largestRecord", async () => {
  const tests = new Map<string, Run>();
  const open = () =>
    new class extends Base {
      override before(commit: StoreCommit) {
        for (const { record } of commit.put) {
          const size = sizeOf(record);
          const limit = 10_000;
          if (size > limit) throw new SessionTooLargeError("", { size, limit });
        }
        return commit;
      }
    }();
  testSessionStore("small", open, {
    largestRecord: 8_000,
    test: (name, run) => tests.set(name, run),
  });
  const large = [...tests].filter(([name]) => /record|large|4 MiB/.test(name));
  for (const [name, run] of large) {
    if (!/expireIn|extends/.test(name)) await run();
  }
});

Deno.test("testSessionStore() refuses arguments of the wrong type", () => {
  const open = () => new MemoryStore();
  const test = () => {};
  assertThrows(
    () => Reflect.apply(testSessionStore, undefined, [open]),
    TypeError,
    "want a name and a function",
  );
  assertThrows(
    () => Reflect.apply(testSessionStore, undefined, ["x", open()]),
    TypeError,
    "want a name and a function",
  );
  for (const largestRecord of [0, 1_023, 2_000.5, NaN, Infinity]) {
    assertThrows(
      () => testSessionStore("x", open, { test, largestRecord }),
      RangeError,
      `want largestRecord as an integer of 1024 or more: received ${largestRecord}`,
    );
  }
});
