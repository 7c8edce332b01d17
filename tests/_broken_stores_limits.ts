import {
  Base,
  type Mutant,
  sizeOf,
  withExpiry,
  withRecords,
  withSharedExpiry,
  withTooLarge,
} from "./_broken_store.ts";
import { SessionTooLargeError } from "../src/errors.ts";
import type {
  StoreCommit,
  StoreCommitResult,
  StoreListOptions,
} from "../src/session_store.ts";

const OWN_EXPIRY =
  "each record lives for its own expireIn, whatever is put beside it";

/** Stores that deal wrongly with large records, with time and with watches. */
export const BROKEN_LIMITS: Mutant[] = [
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
    "keeps all records of a commit as long as the shortest",
    withSharedExpiry((lives) => Math.min(...lives)),
    OWN_EXPIRY,
  ],
  [
    "keeps all records of a commit as long as the first",
    withSharedExpiry(([first = 1]) => first),
    OWN_EXPIRY,
  ],
  [
    "keeps all records of a commit as long as the last",
    withSharedExpiry((lives) => lives.at(-1) ?? 1),
    OWN_EXPIRY,
  ],
  [
    "keeps the index of a subject as long as its last put",
    class extends Base {
      readonly #ends = new Map<string, number>();
      override before(commit: StoreCommit) {
        for (const { subject = "", expireIn } of commit.put) {
          this.#ends.set(subject, performance.now() + expireIn);
        }
        return commit;
      }
      override async *list(options: StoreListOptions = {}) {
        const end = this.#ends.get(options.subject ?? "") ?? Infinity;
        if (options.subject !== undefined && performance.now() > end) return;
        yield* super.list(options);
      }
    },
    OWN_EXPIRY,
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
