/**
 * The flash values of a session as one request takes and queues them.
 *
 * Racing requests of a process have all loaded the same values; the one that claims a value
 * first shows it.
 *
 * @module
 */

import { nextNonce } from "./_nonce.ts";
import type { FlashEntry } from "./_record.ts";
import { cloneValue } from "./_value.ts";

const ACTION = "flash session value";

/** So many shown values are remembered, for the racing requests that had loaded them. */
const MAX_CLAIMS = 10_000;

/** The claimed values by id; held weakly by requests under way, for good once shown. */
const claims = new Map<string, WeakRef<object> | "shown">();

/** What one request does to the queue of flash values. */
export class SessionFlash {
  readonly #stored: readonly FlashEntry[];
  readonly #owner: object;
  readonly #queued: FlashEntry[] = [];
  readonly #taken = new Map<string, FlashEntry>();

  /**
   * Constructs the view of one request.
   *
   * @param stored The values in the record.
   * @param owner The session handle, in whose name values are claimed.
   */
  constructor(stored: readonly FlashEntry[], owner: object) {
    this.#stored = stored;
    this.#owner = owner;
  }

  /** Queues a value. */
  queue(kind: string, value: unknown): void {
    this.#queued.push({
      id: nextNonce(),
      kind,
      value: cloneValue(value, ACTION, kind),
    });
  }

  /** Takes the oldest value of a kind that no request of this process has taken. */
  take(kind: string): unknown {
    for (const entries of [this.#stored, this.#queued]) {
      for (const entry of entries) {
        if (entry.kind !== kind || this.#taken.has(entry.id)) continue;
        if (!claimFlash(entry.id, this.#owner)) continue;
        this.#taken.set(entry.id, entry);
        return cloneValue(entry.value, ACTION, kind);
      }
    }
    return undefined;
  }

  /** Puts back what was taken, of one kind or of all. */
  keep(kind: string | undefined): void {
    for (const [id, entry] of this.#taken) {
      if (kind !== undefined && entry.kind !== kind) continue;
      this.#taken.delete(id);
      releaseFlash([id]);
    }
  }

  /** Gives up all claims: the request showed nothing. */
  release(): void {
    releaseFlash(this.#taken.keys());
  }

  /** Whether anything was queued or taken. */
  get changed(): boolean {
    return this.#queued.length > 0 || this.#taken.size > 0;
  }

  /** The values to store: those queued, and not taken again. */
  get flashed(): readonly FlashEntry[] {
    return this.#queued.filter(({ id }) => !this.#taken.has(id));
  }

  /** The ids of the values that were taken. */
  get taken(): ReadonlySet<string> {
    return new Set(this.#taken.keys());
  }
}

/**
 * Claims a value for a request.
 *
 * @param id The id of the flash value.
 * @param owner The session handle of the request.
 * @returns Whether no other request of this process has it.
 */
function claimFlash(id: string, owner: object): boolean {
  const claim = claims.get(id);
  if (claim === "shown") return false;
  const holder = claim?.deref();
  if (holder !== undefined && holder !== owner) return false;
  claims.set(id, new WeakRef(owner));
  return true;
}

/** Gives values back: the request that claimed them did not show them. */
function releaseFlash(ids: Iterable<string>): void {
  for (const id of ids) if (claims.get(id) !== "shown") claims.delete(id);
}

/** Settles claims: the values were shown, and are gone from the record. */
export function settleFlash(ids: Iterable<string>): void {
  for (const id of ids) {
    claims.delete(id);
    claims.set(id, "shown");
  }
  for (const [id, claim] of claims) {
    if (claims.size <= MAX_CLAIMS) break;
    if (claim === "shown" || claim.deref() === undefined) claims.delete(id);
  }
}
