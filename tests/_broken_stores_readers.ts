import { MemoryStore } from "../src/memory_store.ts";
import type {
  ListedRecord,
  StoreCommit,
  StoreCommitResult,
  StoreListOptions,
} from "../src/session_store.ts";
import { Base, type Mutant } from "./_broken_store.ts";

/** Stores that let others see a commit that is half done. */
export const BROKEN_READERS: Mutant[] = [
  [
    "writes one record after the other",
    class extends Base {
      override async commit(commit: StoreCommit): Promise<StoreCommitResult> {
        const puts = structuredClone(commit.put);
        let result = await super.commit({ ...commit, put: [] });
        for (const put of puts) {
          await pause();
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
    "deletes the old id of a rotation before it puts the new one",
    class extends MemoryStore {
      override async commit(commit: StoreCommit): Promise<StoreCommitResult> {
        const put = structuredClone(commit.put);
        if (commit.delete.length === 0 || put.length === 0) {
          return super.commit(commit);
        }
        const deleted = await super.commit({ ...commit, put: [] });
        if (!deleted.ok) return deleted;
        await pause();
        return super.commit({ check: [], put, delete: [] });
      }
    },
    "no reader finds both ids of a rotation, or neither",
  ],
  [
    "puts the new id of a rotation before it deletes the old one",
    class extends MemoryStore {
      /** Who has rotated a record is alone in that. */
      readonly #rotated = new Set<string | null>();
      override async commit(commit: StoreCommit): Promise<StoreCommitResult> {
        const { check, put } = commit;
        if (commit.delete.length === 0 || put.length === 0) {
          return super.commit(commit);
        }
        if (check.some(({ version }) => this.#rotated.has(version))) {
          return { ok: false };
        }
        const result = await super.commit({ ...commit, delete: [] });
        if (!result.ok) return result;
        for (const { version } of check) {
          if (version !== null) this.#rotated.add(version);
        }
        await pause();
        await super.commit({ check: [], put: [], delete: commit.delete });
        return result;
      }
    },
    "no reader finds both ids of a rotation, or neither",
  ],
  ...[false, true].map((isReverse): Mutant => [
    `makes new records ${isReverse ? "from last to first" : "one by one"}`,
    class extends MemoryStore {
      override async commit(commit: StoreCommit): Promise<StoreCommitResult> {
        const put = structuredClone(commit.put);
        const found = await Promise.all(put.map(({ id }) => this.get(id)));
        if (put.length < 2 || found.some((it) => it !== undefined)) {
          return super.commit({ ...commit, put });
        }
        const [first] = isReverse ? put.slice(-1) : put;
        const result = await super.commit({
          ...commit,
          put: first ? [first] : [],
        });
        if (!result.ok) return result;
        await pause();
        return super.commit({ check: [], put, delete: [] });
      }
    },
    "no reader finds one of two new records alone",
  ]),
  [
    "enters records in the index after it has put them",
    class extends Base {
      readonly #entered = new Set<string>();
      override async commit(commit: StoreCommit): Promise<StoreCommitResult> {
        const ids = commit.put.map(({ id }) => id);
        const result = await super.commit(commit);
        if (result.ok) await pause();
        for (const id of result.ok ? ids : []) this.#entered.add(id);
        return result;
      }
      override async *list(
        options: StoreListOptions = {},
      ): AsyncGenerator<ListedRecord> {
        for await (const item of super.list(options)) {
          const { subject } = options;
          if (subject === undefined || this.#entered.has(item.id)) yield item;
        }
      }
    },
    "no reader finds a record that its subject's index lacks",
  ],
];

/** Waits, as for a second answer of an engine. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}
