/**
 * Finds the session that a token, or an id, leads to.
 *
 * @module
 */

import type { LoadedState } from "./_session_handle.ts";
import { expiredBy, parseRecord } from "./_record.ts";
import type { Settings } from "./_settings.ts";
import { checkLoaded } from "./_validation.ts";
import type { EndReason, RefusalReason } from "./events.ts";
import { matchesHash, sealSecret } from "./token.ts";

/** An id may have been replaced this often within one grace. */
const MAX_FORWARDS = 64;

/** How many ended sessions are remembered, to say how they ended. */
const MAX_ENDED = 10_000;

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
  readonly #ended = new Map<string, EndReason>();

  /** Called with every session that this process ends. */
  onEnded: (id: string, reason: EndReason) => void = () => {};

  /** Called with every session that this process gives a new id. */
  onMoved: (from: string, to: string) => void = () => {};

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
    const { store, now } = this.#settings;
    let { secret } = options;
    const hops: string[] = [];
    for (let next = id; hops.length <= MAX_FORWARDS;) {
      const found = await store.get(next);
      if (found === undefined) {
        return { missing: this.#ended.get(next) ?? "unknown", id: next };
      }
      const record = parseRecord(found.record);
      if (record === undefined) return { missing: "corrupt", id: next };
      if (secret !== undefined && !matchesHash(secret, record.secretHash)) {
        return { missing: "bad-secret", id: next };
      }
      if ("forward" in record) {
        if (now() >= record.expiresAt) return { missing: "unknown", id: next };
        if (secret !== undefined) secret = sealSecret(record.sealed, secret);
        hops.push(next);
        next = record.forward;
        continue;
      }
      const time = now();
      const expired = expiredBy(
        record,
        time,
        options.usedAt ?? time,
        this.#settings,
      );
      if (expired !== undefined) {
        await this.#expire(next, found.version, record.subject, expired);
        return { missing: expired, id: next };
      }
      const data = options.dataNeeded === false
        ? record.data
        : await checkLoaded(this.#settings, next, record.data);
      return { id: next, record, data, version: found.version, secret, hops };
    }
    return { missing: "unknown", id };
  }

  /** Tells everybody that a session has ended, and remembers how for who asks later. */
  ended(id: string, reason: EndReason): void {
    this.#ended.set(id, reason);
    if (this.#ended.size > MAX_ENDED) {
      const [oldest] = this.#ended.keys();
      if (oldest !== undefined) this.#ended.delete(oldest);
    }
    this.#settings.emit({ type: "ended", id, reason });
    this.onEnded(id, reason);
  }

  /** Removes an expired record, so that no other clock revives it. */
  async #expire(
    id: string,
    version: string,
    subject: string | undefined,
    reason: EndReason,
  ): Promise<void> {
    try {
      const removal = subject === undefined ? { id } : { id, subject };
      const { ok } = await this.#settings.store.commit({
        check: [{ id, version }],
        put: [],
        delete: [removal],
      });
      if (ok) this.ended(id, reason);
    } catch {
      // reported by the store's guard; the store's own expiry will remove it
    }
  }
}
