/**
 * Commits that travel together (group commit).
 *
 * @module
 */

import { afterBurst } from "./_burst.ts";
import { IdMap } from "./_id_map.ts";
import type { KvConnection, KvDatabase, KvKey } from "./_kv_database.ts";
import {
  applyPlan,
  ATOMIC_KEY_LIMIT_BYTES,
  ATOMIC_LIMIT_BYTES,
  ATOMIC_MUTATIONS,
  type Plan,
} from "./_kv_plan.ts";
import {
  Backoff,
  hadTooManyChecks,
  isTransient,
  isUnanswered,
  retryTransient,
} from "./_kv_retry.ts";
import type { StoreCommitResult } from "./session_store.ts";

/** How long a group of commits takes, at most, that is written to a file at rest. */
const SEEMS_FAR_MS = 10;

/** A commit that somebody waits for. */
interface Write {
  readonly plan: Plan;
  readonly resolve: (result: StoreCommitResult) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Writes plans: while an atomic operation is in flight, others queue, and go out
 * as one when it ends. Each has an outcome of its own.
 *
 * Over a network many operations are in flight, of different ids, and commits share
 * one only when there are more of them. Commits of one id keep the order in which they
 * were given.
 */
export class KvWriter {
  readonly #connection: KvConnection;
  readonly #batch: boolean;
  readonly #key: KvKey;
  #queue: Write[] = [];
  /** Whether a group of commits took so long that it is worth asking. */
  #seemsFar = false;
  /** How many operations are in flight, or about to be. */
  #inFlight = 0;
  /** The ids of the commits in flight. */
  readonly #busy = new IdMap<true>();

  /**
   * Constructs a writer.
   *
   * @param connection The database.
   * @param options Whether commits travel together, and a key to probe it with.
   */
  constructor(
    connection: KvConnection,
    options: { batch: boolean; key: KvKey },
  ) {
    this.#connection = connection;
    this.#batch = options.batch;
    this.#key = options.key;
  }

  /** How many checks a plan can have, as far as is known. */
  get checks(): number {
    return this.#connection.atomicChecks;
  }

  /** Writes a plan, alone or together with others. */
  write(plan: Plan): Promise<StoreCommitResult> {
    return new Promise((resolve, reject) => {
      const write = { plan, resolve, reject };
      if (!this.#batch) {
        this.#connection.enter();
        this.#run([write]).finally(() => this.#connection.leave());
        return;
      }
      this.#queue.push(write);
      if (this.#inFlight < this.#connection.writeSlots) this.#start();
    });
  }

  /** Has one more operation in flight, once no more commits come in. */
  #start(): void {
    this.#inFlight++;
    this.#connection.enter();
    afterBurst(() => this.#queue.length, () => this.#drain());
  }

  /** Writes group after group, until the others in flight have to end first. */
  async #drain(): Promise<void> {
    const connection = this.#connection;
    for (
      let group = this.#takeGroup();
      group.length > 0;
      group = this.#takeGroup()
    ) {
      const ids = group.flatMap(({ plan }) => plan.ids);
      for (const id of ids) this.#busy.add(id, true);
      await this.#run(group);
      for (const id of ids) this.#busy.delete(id);
      if (this.#seemsFar && !connection.probed) void this.#probe();
      this.#spread();
    }
    this.#inFlight--;
    connection.leave();
  }

  /** Finds out whether the database is far away, beside what is written meanwhile. */
  async #probe(): Promise<void> {
    const connection = this.#connection;
    await connection.during(() => connection.probe(this.#key));
    this.#spread();
  }

  /** Has as many operations in flight as the queue has work for. */
  #spread(): void {
    const most = Math.min(
      this.#connection.writeSlots,
      this.#inFlight + this.#queue.length,
    );
    while (this.#inFlight < most) this.#start();
  }

  /** Takes the commits for one atomic operation off the queue. */
  #takeGroup(): Write[] {
    const group: Write[] = [];
    const rest: Write[] = [];
    const ids = new Set<string>();
    // shared out evenly: over a network, a larger operation takes longer
    const most = Math.ceil(this.#queue.length / this.#connection.writeSlots);
    let checks = 0;
    let mutations = 0;
    let bytes = 0;
    let keyBytes = 0;
    for (const write of this.#queue) {
      const { plan } = write;
      const fits = !plan.ids.some((id) => ids.has(id) || this.#busy.has(id)) &&
        (
          group.length === 0 || group.length < most &&
            checks + plan.checks.length <= this.#connection.atomicChecks &&
            mutations + plan.sets.length + plan.deletes.length <=
              ATOMIC_MUTATIONS &&
            bytes + plan.bytes <= ATOMIC_LIMIT_BYTES &&
            keyBytes + plan.keyBytes <= ATOMIC_KEY_LIMIT_BYTES
        );
      // those left behind also keep others of their ids from overtaking them
      for (const id of plan.ids) ids.add(id);
      if (!fits) {
        rest.push(write);
        continue;
      }
      group.push(write);
      checks += plan.checks.length;
      mutations += plan.sets.length + plan.deletes.length;
      bytes += plan.bytes;
      keyBytes += plan.keyBytes;
    }
    this.#queue = rest;
    return group;
  }

  /** Writes a group and settles each of its commits; never rejects. */
  async #run(group: Write[]): Promise<void> {
    let database: KvDatabase;
    try {
      database = this.#connection.database ?? await this.#connection.open();
    } catch (error) {
      if (isUnanswered(error)) group.push(...this.#queue.splice(0));
      for (const { reject } of group) reject(error);
      return;
    }
    await this.#settle(database, group, new Backoff());
  }

  /** Writes a group; returns why nothing more is to be asked of the database, if so. */
  async #settle(
    database: KvDatabase,
    group: Write[],
    backoff: Backoff,
  ): Promise<{ error: unknown } | undefined> {
    let failed: { error: unknown } | undefined;
    try {
      const start = performance.now();
      const sent = await send(database, group, backoff);
      if (sent.ok) {
        this.#seemsFar ||= group.length > 1 &&
          performance.now() - start > SEEMS_FAR_MS;
        const { versionstamp } = sent;
        for (const { plan, resolve } of group) {
          resolve({ ok: true, version: versionstamp + plan.suffix });
        }
        return void this.#refuseOutdated(group, versionstamp);
      }
    } catch (error) {
      failed = { error };
      const news = hadTooManyChecks(error) &&
        this.#connection.tookTooManyChecks();
      // back to the queue, to be grouped anew
      if (news && group.length > 1) return void this.#queue.unshift(...group);
    }
    const silent = isUnanswered(failed?.error);
    if (silent) {
      this.#connection.leftUnanswered(database);
      // those in the queue would only wait for the same silence
      group.push(...this.#queue.splice(0));
    }
    if (group.length === 1 || silent || isTransient(failed?.error)) {
      for (const { resolve, reject } of group) {
        if (failed === undefined) resolve({ ok: false });
        else reject(failed.error);
      }
      return silent ? failed : undefined;
    }
    // Somebody's check does not hold, or somebody's data cannot be stored: by
    // halves, to find out whose. If the operation was applied although it
    // failed, the checks fail now, and the callers recognise their own writes.
    const half = group.length >> 1;
    const rest = group.slice(half);
    const silence = await this.#settle(
      database,
      group.slice(0, half),
      backoff,
    );
    if (silence === undefined) {
      return await this.#settle(database, rest, backoff);
    }
    for (const { reject } of rest) reject(silence.error);
    return silence;
  }

  /**
   * Refuses the commits in the queue that this group has just outdated, so that
   * they do not make the next group fail. Versionstamps only grow: a version
   * older than the last write of its record can never hold again.
   */
  #refuseOutdated(group: Write[], versionstamp: string): void {
    if (this.#queue.length === 0) return;
    const written = new Set<string>();
    for (const { plan } of group) {
      for (const id of plan.written) written.add(id);
    }
    this.#queue = this.#queue.filter(({ plan, resolve }) => {
      const outdated = plan.checks.some((check) =>
        check.versionstamp !== null && check.versionstamp < versionstamp &&
        written.has(check.id)
      );
      if (outdated) resolve({ ok: false });
      return !outdated;
    });
  }
}

/**
 * Sends a group as one atomic operation.
 *
 * After a transient failure it is sent again. If the first try was applied in
 * truth, the second sees its own write as a conflict: that is reported as
 * such, for the manager recognises its own write by the nonce in the record.
 *
 * @returns The versionstamp; `ok: false` if a check did not hold.
 */
function send(
  database: KvDatabase,
  group: Write[],
  backoff: Backoff,
): Promise<{ ok: true; versionstamp: string } | { ok: false }> {
  return retryTransient(() => {
    const atomic = database.atomic();
    for (const { plan } of group) applyPlan(plan, atomic);
    return atomic.commit();
  }, backoff);
}
