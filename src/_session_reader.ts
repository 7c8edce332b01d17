/**
 * Finds the session that a token, or an id, leads to.
 *
 * @module
 */

import { Endings } from "./_endings.ts";
import { RecentMap } from "./_recent.ts";
import {
  expiredBy,
  type ForwardRecord,
  parseRecord,
  type SessionRecord,
} from "./_record.ts";
import type { LoadedState } from "./_session_io.ts";
import type { Settings } from "./_settings.ts";
import { checkLoaded } from "./_validation.ts";
import type { EndReason, RefusalReason } from "./events.ts";
import type { VersionedRecord } from "./session_store.ts";
import { matchesHash, sealSecret, type Token } from "./token.ts";

/**
 * An id may have been replaced this often within one grace: as a token's, and as one that is
 * named.
 */
const MAX_FORWARDS = { token: 64, id: 1_000 };

/** An id that was not replaced led to a session. */
export const NO_HOPS: readonly string[] = [];

/** So often a record is read again that seemed to have expired, and was changed meanwhile. */
const MAX_REVIVALS = 3;

/** Of so many expired sessions, at least, it is remembered that they could not be removed. */
const MIN_EXPIRED = 10_000;

/** A session as it was found in the store. */
export interface StoredSession extends LoadedState {
  /** Its secret; known where a token led to it. */
  readonly secret: string | undefined;
  /** The version of the record. */
  readonly version: string;
  /** The replaced ids that led to it. */
  readonly hops: readonly string[];
}

/** Nothing was found, or nothing that lives. */
export interface Missing {
  /** Why. */
  readonly missing: RefusalReason;
  /** Where the trail ended. */
  readonly id: string;
}

/** Options of {@linkcode SessionReader.find}. */
export interface FindOptions {
  /** What the store has under the id; left out: it is asked. */
  readonly found?: VersionedRecord | undefined;
  /** The secret that must match; left out where ids alone are trusted. */
  readonly secret?: string | undefined;
  /** When the request that asks began to use the session. */
  readonly usedAt?: number;
  /** Whether the data is wanted, so that the schema has to check it. @default {true} */
  readonly dataNeeded?: boolean;
}

/** Reads sessions, follows replaced ids, and decides what has expired. */
export class SessionReader {
  readonly #settings: Settings;
  /** What this process knows of the ends of sessions. */
  readonly endings = new Endings();
  /** When those expired that could not be removed: nobody goes on with them. */
  readonly #expired = new RecentMap<string, number>(MIN_EXPIRED);

  /** Constructs a reader. */
  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /**
   * Finds the living session under an id.
   *
   * @param id The id; any string.
   * @param options The secret that must match, and since when it is in use.
   * @returns The session, or why there is none.
   * @throws {SessionStoreError} If the store fails.
   * @throws {SessionValidationError} If the data no longer fits the schema, and that is to fail.
   */
  async find(
    id: string,
    options: FindOptions = {},
  ): Promise<StoredSession | Missing> {
    // an app may have taken it from anywhere
    if (typeof id !== "string") return { missing: "unknown", id: "" };
    const { store, now } = this.#settings;
    let { secret, found } = options;
    const hops: string[] = [];
    let revivals = 0;
    const most = MAX_FORWARDS[secret === undefined ? "id" : "token"];
    for (let next = id; hops.length <= most; found = undefined) {
      found ??= await store.get(next);
      const record = this.#verify(next, secret, found);
      if ("missing" in record) return record;
      if ("forward" in record) {
        if (now() >= record.expiresAt) return { missing: "unknown", id: next };
        if (secret !== undefined) secret = sealSecret(record.sealed, secret);
        hops.push(next);
        next = record.forward;
        if (hops.includes(next)) break; // in a circle
        continue;
      }
      const expired = this.expiredBy(next, record, options.usedAt ?? now());
      const version = found?.version ?? "";
      if (expired !== undefined) {
        const gone = await this.#expire(next, version, record, expired);
        if (gone || revivals++ >= MAX_REVIVALS) {
          return { missing: expired, id: next };
        }
        continue; // somebody who began to use it in time has written
      }
      const data = options.dataNeeded === false
        ? record.data
        : await checkLoaded(this.#settings, next, record.data);
      return { id: next, record, data, version, secret, hops };
    }
    return { missing: "unknown", id };
  }

  /**
   * Finds the living session that the store has under the id of a token, as nearly every
   * request wants it.
   *
   * @param token The token.
   * @param found What the store has.
   * @returns The session, or why there is none; `undefined` if it takes more than a look.
   */
  glance(
    { id, secret }: Token,
    found: VersionedRecord | undefined,
  ): StoredSession | Missing | undefined {
    const settings = this.#settings;
    const record = this.#verify(id, secret, found);
    if ("missing" in record) return record;
    if ("forward" in record || settings.schema !== undefined) return undefined;
    const now = settings.now();
    if (expiredBy(record, now, now, settings) !== undefined) return undefined;
    const { data } = record;
    const version = found?.version ?? "";
    return { id, record, data, version, secret, hops: NO_HOPS };
  }

  /** Reads what the store has under an id, and makes sure of the secret. */
  #verify(
    id: string,
    secret: string | undefined,
    found: VersionedRecord | undefined,
  ): SessionRecord | ForwardRecord | Missing {
    // who writes a store in JavaScript may say null
    if (found === undefined || found === null) {
      return { missing: this.endings.reasonOf(id) ?? "unknown", id };
    }
    const record = parseRecord(found.record);
    if (record === undefined) return { missing: "corrupt", id };
    if (secret !== undefined && !matchesHash(secret, record.secretHash)) {
      return { missing: "bad-secret", id };
    }
    return record;
  }

  /**
   * Says how a session has expired, if it has, for who began to use it at a time.
   *
   * Who began in time may go on with it, unless it was found expired by then.
   */
  expiredBy(
    id: string,
    record: SessionRecord,
    usedAt: number,
  ): EndReason | undefined {
    const now = this.#settings.now();
    const expired = expiredBy(record, now, usedAt, this.#settings);
    if (expired !== undefined || now < record.expiresAt) return expired;
    return this.#expired.get(id) === record.expiresAt
      ? "idle-timeout"
      : undefined;
  }

  /**
   * Reports that a session has ended, and remembers how for who asks later.
   *
   * @param id The id of the session.
   * @param reason Why it ended.
   * @param hops The replaced ids that went with it.
   */
  ended(id: string, reason: EndReason, hops: readonly string[] = []): void {
    this.#settings.emit({ type: "ended", id, reason });
    for (const one of [id, ...hops]) this.endings.ended(one, reason);
  }

  /** Removes an expired record, so that no other clock revives it; `false` if it has changed. */
  async #expire(
    id: string,
    version: string,
    { expiresAt, subject }: SessionRecord,
    reason: EndReason,
  ): Promise<boolean> {
    const removal = subject === undefined ? { id } : { id, subject };
    const commit = { check: [{ id, version }], put: [], delete: [removal] };
    this.endings.leave([id]);
    let gone = false;
    try {
      gone = (await this.#settings.store.commit(commit)).ok;
      if (gone) this.ended(id, reason);
      return gone;
    } catch {
      // reported by the store's guard; the store's own expiry will remove it
      this.#expired.set(id, expiresAt);
      return true;
    } finally {
      if (!gone) this.endings.stay([id]);
    }
  }
}
