import { Base, type Mutant, withVersions } from "./_broken_store.ts";
import { MemoryStore } from "../src/memory_store.ts";
import type {
  ListedRecord,
  SessionStore,
  StoreCommit,
  StoreCommitResult,
  VersionedRecord,
} from "../src/session_store.ts";

/** Stores that commit, check and read wrongly. */
export const BROKEN_COMMITS: Mutant[] = [
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
];
