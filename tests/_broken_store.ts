/**
 * Stores that break one rule each, for the tests of the conformance suite.
 *
 * @module
 */

import { MemoryStore } from "../src/memory_store.ts";
import type {
  ListedRecord,
  SessionStore,
  StoreCommit,
  StoreCommitResult,
  StoreListOptions,
  VersionedRecord,
} from "../src/session_store.ts";

/** What a store does wrong, how, and the cases that must notice. */
export type Mutant = [
  fault: string,
  store: new () => SessionStore,
  ...cases: string[],
];

/** A good store, with the single steps open to sabotage. */
export class Base extends MemoryStore {
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
export function withSubjects(
  map: (subject: string) => string | undefined,
): new () => SessionStore {
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
export function withRecords(
  map: (record: unknown) => unknown,
): new () => SessionStore {
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
export function withExpiry(
  map: (expireIn: number) => number,
): new () => SessionStore {
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

/** Makes a store that keeps all records of a commit equally long. */
export function withSharedExpiry(
  pick: (lives: number[]) => number,
): new () => SessionStore {
  return class extends Base {
    override before(commit: StoreCommit) {
      const expireIn = pick(commit.put.map((put) => put.expireIn));
      const put = commit.put.map((put) => ({ ...put, expireIn }));
      return { ...commit, put };
    }
  };
}

/** Makes a store that gives other versions than it keeps. */
export function withVersions(
  map: (version: string, record: unknown) => string,
): new () => SessionStore {
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
export function withList(
  change: (items: ListedRecord[], options: StoreListOptions) => ListedRecord[],
  ask: (options: StoreListOptions) => StoreListOptions = (options) => options,
): new () => SessionStore {
  return class extends MemoryStore {
    override async *list(
      options: StoreListOptions = {},
    ): AsyncGenerator<ListedRecord> {
      const items = await Array.fromAsync(super.list(ask(options)));
      yield* change(items, options);
    }
  };
}

/** Carries text through UTF-8, which has no lone surrogates. */
export function utf8(text: string): string {
  return new TextDecoder().decode(new TextEncoder().encode(text));
}

/** Carries a record through JSON. */
export function json(record: unknown): unknown {
  return JSON.parse(
    JSON.stringify(
      record,
      (_, value) => typeof value === "bigint" ? Number(value) : value,
    ) ?? "null",
  );
}

/** Estimates the size of the suite's large records. */
export function sizeOf(record: unknown): number {
  if (typeof record === "string") return record.length;
  if (record instanceof Map) return record.size * 64;
  if (!(record instanceof Object) || !("payload" in record)) return 0;
  return (record.payload as Uint8Array).length;
}

/** Makes a store that refuses large records with this error, or without. */
export function withTooLarge(
  toError: () => Error | undefined,
): new () => SessionStore {
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
