/**
 * Commits that travel together (group commit).
 *
 * @module
 */

import { afterBurst } from "./_burst.ts";
import type { Plan } from "./_postgres_plan.ts";
import {
  isRefusal,
  leaveSlot,
  type PostgresSql,
  type PostgresTable,
} from "./_postgres_sql.ts";
import {
  commitAll,
  commitReserved,
  type CommitStatements,
  commitStatements,
  UNIQUE_VIOLATION,
  type Verdict,
} from "./_postgres_statement.ts";
import type { PostgresWatch } from "./_postgres_watch.ts";
import type { StoreCommitResult } from "./session_store.ts";

/** Most commits of one statement. */
const GROUP_COMMITS = 100;
/** Largest statement of more than one commit, in bytes of records, about. */
const GROUP_BYTES = 1_048_576;
/** Statements in flight at a time. */
const WRITE_SLOTS = 4;
/** After so many tries a statement that meets others gives up. */
const MAX_TRIES = 8;
/** Longest pause before the first retry, in milliseconds; doubles from there. */
const FIRST_PAUSE_MS = 5;

/** SQLSTATE: serialization failure, and deadlock. Nothing happened; the next try may do it. */
const TRANSIENT: ReadonlySet<string> = new Set(["40001", "40P01"]);

/** A commit that somebody waits for. */
interface Write {
  readonly plan: Plan;
  readonly resolve: (result: StoreCommitResult) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Commits plans: while as many statements as there are slots are in flight,
 * others queue, and go out as one when the next ends. Each has an outcome of its
 * own.
 *
 * Commits of one id go out one after the other, in the order in which they were
 * given: no slot is lost to one that would only wait for a lock.
 */
export class PostgresWriter {
  readonly #sql: PostgresSql;
  readonly #statements: CommitStatements;
  readonly #watch: PostgresWatch;
  readonly #batch: boolean;
  #queue: Write[] = [];
  /** The ids that statements in flight concern. */
  readonly #busy = new Set<string>();
  #inFlight = 0;
  #scheduled = false;

  constructor(
    sql: PostgresSql,
    table: PostgresTable,
    options: { batch: boolean; watch: PostgresWatch },
  ) {
    this.#sql = sql;
    this.#statements = commitStatements(table);
    this.#watch = options.watch;
    this.#batch = options.batch;
  }

  /** Commits a plan, alone or together with others. */
  write(plan: Plan): Promise<StoreCommitResult> {
    return new Promise((resolve, reject) => {
      const write = { plan, resolve, reject };
      if (!this.#batch) return void this.#settle([write]);
      this.#queue.push(write);
      if (this.#scheduled || this.#inFlight >= WRITE_SLOTS) return;
      this.#scheduled = true;
      afterBurst(() => this.#queue.length, () => {
        this.#scheduled = false;
        this.#pump();
      });
    });
  }

  #pump(): void {
    while (this.#queue.length > 0 && this.#inFlight < WRITE_SLOTS) {
      const group = this.#takeGroup();
      if (group.length === 0) return;
      const ids = group.flatMap(({ plan }) => [...plan.ids]);
      for (const id of ids) this.#busy.add(id);
      this.#inFlight++;
      leaveSlot(this.#settle(group)).then(() => {
        for (const id of ids) this.#busy.delete(id);
        this.#inFlight--;
        this.#pump();
      });
    }
  }

  /** Takes commits for one statement off the queue: no id occurs twice, or is in flight. */
  #takeGroup(): Write[] {
    const group: Write[] = [];
    const rest: Write[] = [];
    const ids = new Set(this.#busy);
    let size = 0;
    for (const write of this.#queue) {
      const { plan } = write;
      const [first] = group;
      const fits = ![...plan.ids].some((id) => ids.has(id)) &&
        (first === undefined ||
          group.length < GROUP_COMMITS && size + plan.size <= GROUP_BYTES &&
            first.plan.vacant.length === 0 && plan.vacant.length === 0);
      // those left behind also keep others of their ids from overtaking them
      for (const id of plan.ids) ids.add(id);
      if (!fits) {
        rest.push(write);
        continue;
      }
      group.push(write);
      size += plan.size;
    }
    this.#queue = rest;
    return group;
  }

  /** Runs a group and settles each of its commits; never rejects. */
  async #settle(group: readonly Write[]): Promise<void> {
    const version = crypto.randomUUID();
    try {
      const { failed, watched } = await this.#run(
        group.map(({ plan }) => plan),
        version,
      );
      const heard = new Set(watched);
      for (const [n, { plan, resolve }] of group.entries()) {
        if (failed.has(n)) {
          resolve({ ok: false });
          continue;
        }
        for (const id of [...plan.puts.keys(), ...plan.deletes]) {
          if (heard.has(id) || this.#watch.has(id)) this.#watch.tell(id);
        }
        resolve({ ok: true, version });
      }
    } catch (error) {
      if (group.length > 1 && isRefusal(error)) {
        // perhaps because of one of them: let each find out for itself
        await Promise.all(group.map((write) => this.#settle([write])));
        return;
      }
      const refused = isRefusal(error) && error.code === UNIQUE_VIOLATION;
      for (const { resolve, reject } of group) {
        if (refused) resolve({ ok: false });
        else reject(error);
      }
    }
  }

  async #run(plans: readonly Plan[], version: string): Promise<Verdict> {
    const options = {
      statements: this.#statements,
      version,
      watches: (id: string) => this.#watch.has(id),
    };
    const [first] = plans;
    for (let tries = 1;; tries++) {
      try {
        return first !== undefined && first.vacant.length > 0
          ? await commitReserved(this.#sql, first, options)
          : await commitAll(this.#sql, plans, options);
      } catch (error) {
        const passes = isRefusal(error) && TRANSIENT.has(error.code);
        if (!passes || tries === MAX_TRIES) throw error;
      }
      const pause = Math.random() * FIRST_PAUSE_MS * 2 ** (tries - 1);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}
