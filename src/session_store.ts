/**
 * The contract between the session manager and whatever keeps the records.
 *
 * @module
 */

/** What a store keeps under an id: opaque to the store, plain structured-clone data. */
export type StoredRecord = unknown;

/** A record together with the version it was read at. */
export interface VersionedRecord {
  /** The record, a deep copy that the caller may keep and change. */
  record: StoredRecord;
  /**
   * Identifies this state of the record; opaque, compared by the store alone.
   * Every successful write of the record changes it.
   */
  version: string;
}

/** A {@linkcode VersionedRecord} together with its id, as listed. */
export interface ListedRecord extends VersionedRecord {
  /** The id the record is kept under. */
  id: string;
}

/** A condition of a commit: the record must still be at this version. */
export interface StoreCheck {
  /** The id of the record to check. */
  id: string;
  /** The version the record must be at; `null`: it must not exist. */
  version: string | null;
}

/** A record to write as part of a commit. */
export interface StorePut {
  /** The id to keep the record under. */
  id: string;
  /** The record; the store copies it before the commit returns to its caller. */
  record: StoredRecord;
  /** Milliseconds to keep the record at least: an integer of 1 or more. */
  expireIn: number;
  /** Enters the id in the index of this subject, if given. Any string, the empty one included. */
  subject?: string;
}

/** A record to remove as part of a commit. */
export interface StoreDelete {
  /** The id of the record. */
  id: string;
  /** The subject in whose index the id was entered, if any. */
  subject?: string;
}

/** What one commit checks and changes, all or nothing. */
export interface StoreCommit {
  /** Conditions; if one does not hold, nothing is changed. */
  check: StoreCheck[];
  /** Records to write. */
  put: StorePut[];
  /** Records to remove; removing what is not there is no error. */
  delete: StoreDelete[];
}

/** Whether a commit took place. */
export type StoreCommitResult =
  | {
    /** The commit took place. */
    ok: true;
    /** The version of every record it put. */
    version: string;
  }
  | {
    /** A check did not hold; nothing was changed. */
    ok: false;
  };

/** Which records to list. */
export interface StoreListOptions {
  /** Only the records entered in the index of exactly this subject, compared by code unit. */
  subject?: string;
  /** Only the records whose id sorts before this one. */
  before?: string;
  /** At most this many records: an integer of 1 or more. @default {Infinity} */
  limit?: number;
}

/**
 * Keeps session records under their ids.
 *
 * A store knows nothing of requests, cookies, tokens or clocks: it is handed
 * ids (ULIDs), opaque records (anything that structured clone carries), and how
 * long to keep them. Whether a session has expired is decided by the manager,
 * from the record.
 *
 * The rules, which `testSessionStore` of `@tessera/session/testing` checks:
 *
 * - **Not found is not an error.** Errors are for system failures only, and for
 *   records that are too large (`SessionTooLargeError`). A store does not retry
 *   for ever: it fails within a bounded time.
 * - **All or nothing.** A commit changes everything it names, the subject index
 *   included, or nothing at all; no reader ever sees half of it.
 * - **Versions.** A check compares with the version that `get`, `list` or an
 *   earlier `commit` gave; `null` demands that there is no record. A check that
 *   does not hold is `{ ok: false }`, not an error. A write without a check is
 *   unconditional.
 * - **One subject for life.** Every put and the delete of an id name the same
 *   subject, or none: a record never moves from one subject's index to another
 *   (a login gets a new id). No id is both put and deleted in one commit.
 * - **Deep copies.** What is put may be changed by the caller afterwards, and
 *   what is returned too, without an effect on what is stored.
 * - **Never shorter than `expireIn`.** A record and its index entry may be kept
 *   longer than `expireIn` milliseconds after the last put, and be returned
 *   meanwhile, but must go some day; they never go earlier.
 * - **Newest first.** `list` goes by id, from the greatest to the smallest, in
 *   code unit order, and tolerates changes that happen meanwhile: a record that
 *   goes away while it runs may be left out.
 */
export interface SessionStore {
  /**
   * Reads a record.
   *
   * @param id The id of the record; any string.
   * @returns The record and its version, or `undefined` if there is none.
   *   May return a record whose `expireIn` has passed.
   */
  get(id: string): Promise<VersionedRecord | undefined>;

  /**
   * Changes records, all or nothing.
   *
   * @param commit What to check, put and delete.
   * @returns `ok: false` if a check did not hold, and then nothing was changed.
   * @throws {SessionTooLargeError} If a record does not fit; nothing was changed.
   */
  commit(commit: StoreCommit): Promise<StoreCommitResult>;

  /**
   * Lists records, newest id first.
   *
   * @param options Which records; all if left out.
   * @returns The records, read as the caller iterates.
   */
  list(options?: StoreListOptions): AsyncIterable<ListedRecord>;

  /**
   * Calls back when a record may have changed, if the store can tell.
   *
   * A hint, which may be missing or be false: the manager polls behind it.
   *
   * @param id The id of the record to watch.
   * @param changed Called after each change, deletion included.
   * @param signal Ends the watch, and lets go of all it held.
   */
  watch?(id: string, changed: () => void, signal: AbortSignal): void;
}
