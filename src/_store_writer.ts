/**
 * Writes to the store, and finds out what became of a write that failed.
 *
 * @module
 */

import { describeType } from "./_check.ts";
import { LineageFinder } from "./_lineage.ts";
import { remembersNonce } from "./_nonce.ts";
import { RecentMap } from "./_recent.ts";
import { parseRecord, type SessionRecord } from "./_record.ts";
import { Rounds } from "./_rounds.ts";
import type { SessionReader } from "./_session_reader.ts";
import type { Settings } from "./_settings.ts";
import { SessionConflictError, SessionStoreError } from "./errors.ts";
import type {
  StoreCommit,
  StoreCommitResult,
  StoreDelete,
  StorePut,
} from "./session_store.ts";

/** After so many tries that other writers won, a commit gives up. */
const MAX_ATTEMPTS = 100;

/** The longest wait between two tries; a commit to a local store takes well under a millisecond. */
const MAX_WAIT_MS = 50;

/**
 * Of so many new ids, at least, it is remembered whose they are; a request needs its own until
 * it is committed.
 */
const MIN_RENAMINGS = 10_000;

const NONE: readonly string[] = [];

/** How to recognise a write that took place although the store said otherwise. */
export interface Proof {
  /** The id that the write put or deleted. */
  readonly id: string;
  /** The name that the put record remembers; `undefined`: the record is gone. */
  readonly nonce: string | undefined;
  /** The record that is deleted, and when it was read. */
  readonly deleted?: { readonly record: SessionRecord; readonly since: number };
}

/** What all kinds of commits share. */
export class StoreWriter {
  readonly settings: Settings;
  readonly reader: SessionReader;
  /** What finds sessions that have moved further than their old ids lead. */
  readonly lineages: LineageFinder;
  /** The rounds in which the sessions of a subject are counted. */
  readonly evictions = new Rounds<void>();
  /** The ids that sessions have had, by those that requests have chosen for them. */
  readonly renamings = new RecentMap<string, string>(MIN_RENAMINGS);

  /** Constructs a writer. */
  constructor(settings: Settings, reader: SessionReader) {
    this.settings = settings;
    this.reader = reader;
    this.lineages = new LineageFinder(settings, reader);
  }

  /**
   * Writes, all or nothing.
   *
   * A store may report a failure, or a conflict with itself, after the write took
   * place; so the proof is looked for before that is believed.
   *
   * @param commit What to write.
   * @param proof How to recognise the write.
   * @returns Whether it took place; `false`: another writer came first.
   * @throws {SessionStoreError} If the store failed, and the write did not take place.
   * @throws {SessionTooLargeError} If it does not fit.
   */
  async write(commit: StoreCommit, proof: Proof): Promise<boolean> {
    const { settings: { nonces, store }, reader: { endings } } = this;
    const { nonce } = proof;
    const leaving = leavingIds(commit);
    endings.leave(leaving);
    if (nonce !== undefined) nonces.begin(nonce);
    let written: boolean | undefined;
    let isKnown = true;
    try {
      const ok = outcomeOf(await store.commit(commit));
      // a deletion that finds nothing to delete was not this one's
      written = ok || (nonce !== undefined && await this.#tookPlace(proof));
      isKnown = written !== undefined;
      return written ?? false;
    } catch (error) {
      isKnown = !(error instanceof SessionStoreError);
      if (isKnown) throw error;
      written = await this.#tookPlace(proof).catch(() => undefined);
      if (!written) throw error;
      return isKnown = true;
    } finally {
      if (!written) endings.stay(leaving); // else the caller says what became of them
      if (nonce !== undefined && isKnown) nonces.end(nonce);
      else if (nonce !== undefined) nonces.doubt(nonce);
    }
  }

  /** Looks whether a write took place; `undefined` if that cannot be seen. */
  async #tookPlace(proof: Proof): Promise<boolean | undefined> {
    const { id, nonce } = proof;
    const found = await this.settings.store.get(id);
    if (nonce === undefined) {
      return (found ?? undefined) === undefined && await this.#isOwnEnd(proof);
    }
    const record = parseRecord(found?.record);
    return record === undefined || "forward" in record
      ? undefined
      : remembersNonce(record.nonce, nonce);
  }

  /** Whether a session that is gone was ended by this write, and not by another one, or moved. */
  async #isOwnEnd({ id, deleted }: Proof): Promise<boolean> {
    if (this.reader.endings.isTaken(id)) return false;
    if (deleted === undefined) return true;
    return !(await this.lineages.hasMovedOn(deleted.record, deleted.since));
  }

  /**
   * Prepares another try: reports the conflict, and waits.
   *
   * @param id The session.
   * @param attempt How many tries have failed.
   * @throws {SessionConflictError} If that is enough.
   */
  async conflict(id: string, attempt: number): Promise<void> {
    this.settings.emit({ type: "conflict", id, attempt });
    if (attempt >= MAX_ATTEMPTS) {
      throw new SessionConflictError(
        `Cannot commit session: want one of ${MAX_ATTEMPTS} tries to come before other writers: received ${attempt} conflicts`,
      );
    }
    await backOff(attempt);
  }
}

/**
 * Waits between tries, so that writers who keep meeting part ways: a random while that grows
 * with the attempts; not at all after the first.
 *
 * @param attempt How many tries have failed: 1 or more.
 */
export async function backOff(attempt: number): Promise<void> {
  if (attempt === 1) return;
  const wait = Math.random() * Math.min(2 ** (attempt - 1), MAX_WAIT_MS);
  await new Promise((resolve) => setTimeout(resolve, wait));
}

/** Reads what a store answered; one written in JavaScript may have forgotten to. */
function outcomeOf(result: Partial<StoreCommitResult> | undefined): boolean {
  if (typeof result?.ok === "boolean") return result.ok;
  throw new TypeError(
    `Cannot commit session: the store's commit must answer { ok: true, version } or { ok: false }: received ${
      describeType(result)
    }`,
  );
}

/** The ids of the sessions that a write takes away. */
function leavingIds(
  { check, delete: deletes }: StoreCommit,
): readonly string[] {
  if (deletes.length === 0) return NONE;
  const deleted = new Set(deletes.map(({ id }) => id));
  return check.map(({ id }) => id).filter((id) => deleted.has(id));
}

/** Puts a session under its id and its subject, until it expires. */
export function putOf(
  id: string,
  record: SessionRecord,
  now: number,
): StorePut {
  const { subject } = record;
  const put = { id, record, expireIn: Math.max(1, record.expiresAt - now) };
  return subject === undefined ? put : { ...put, subject };
}

/** Deletes ids that share a subject. */
export function deletesOf(
  ids: readonly string[],
  subject: string | undefined,
): StoreDelete[] {
  return ids.map((id) => subject === undefined ? { id } : { id, subject });
}
