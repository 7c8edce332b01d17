/**
 * What a handler has done to its session so far.
 *
 * @module
 */

import { type Changes, type IdentityChange, NO_CHANGES } from "./_changes.ts";
import type { SessionRecord } from "./_record.ts";
import { SessionData } from "./_session_data.ts";
import type { SessionFlash } from "./_session_flash.ts";

/** The changes of one handle, until they are committed. */
export class PendingChanges {
  /** The data, as the handler sees it. */
  readonly data: SessionData;
  /** The flash values, once the handler has asked for one or queued one. */
  flash: SessionFlash | undefined;
  /** What `persist` chose, if it was called. */
  persistent: boolean | undefined;
  /** What becomes of the identity, if anything. */
  identity: IdentityChange | undefined;
  /** The session that is changed; `undefined`: a new one. */
  readonly #record: SessionRecord | undefined;

  constructor(
    record: SessionRecord | undefined,
    data: ReadonlyMap<string, unknown>,
  ) {
    this.#record = record;
    this.data = new SessionData(data);
  }

  /** Whether the handler has done nothing to the session, and holds no object of its data. */
  get untouched(): boolean {
    return this.identity === undefined && this.persistent === undefined &&
      this.flash === undefined && this.data.untouched;
  }

  /** Whether anything is to be committed. */
  get changed(): boolean {
    return this.identity !== undefined || this.persistent !== undefined ||
      (this.flash?.changed ?? false) || this.data.changed;
  }

  /** Whether the client is to be told of what the handler did. */
  get tells(): boolean {
    const { identity } = this;
    if (this.#record !== undefined) {
      const { persistent } = this.#record;
      return identity !== undefined ||
        (this.persistent ?? persistent) !== persistent;
    }
    if (identity !== undefined) return identity.type === "login";
    const flashed = this.flash?.flashed.length ?? 0;
    return this.data.current.size > 0 || flashed > 0;
  }

  /**
   * Says what is to be committed.
   *
   * @returns The changes, with copies of all values.
   * @throws {TypeError} If a value was changed in place to what cannot be stored.
   */
  collect(): Changes {
    const operations = this.data.collect();
    const { flash, identity } = this;
    const isSame = identity === undefined &&
      this.persistent === this.#record?.persistent;
    const persistent = isSame ? undefined : this.persistent;
    if (
      operations.length === 0 && flash === undefined &&
      persistent === undefined && identity === undefined
    ) return NO_CHANGES;
    return {
      operations,
      flashed: flash?.flashed ?? NO_CHANGES.flashed,
      taken: flash?.taken ?? NO_CHANGES.taken,
      persistent,
      identity,
    };
  }
}
