/**
 * What a manager knows of the sessions that it has ended itself.
 *
 * @module
 */

import { RecentMap } from "./_recent.ts";
import type { EndReason } from "./events.ts";

/** Of so many ended sessions, at least, it is remembered how they ended. */
const MIN_REMEMBERED = 10_000;

/** Someone who is told what becomes of sessions. */
export interface EndingListener {
  /** Called when a session has ended. */
  ended(id: string, reason: EndReason): void;
  /** Called when a session has got a new id. */
  moved(from: string, to: string): void;
}

/** Remembers how sessions ended, and tells who listens. */
export class Endings {
  readonly #reasons = new RecentMap<string, EndReason>(MIN_REMEMBERED);
  /** How many commits are about to take each of these sessions away. */
  readonly #leaving = new Map<string, number>();

  /** Who is told. */
  listener: EndingListener | undefined;

  /** Says how a session ended, if this manager ended it not long ago. */
  reasonOf(id: string): EndReason | undefined {
    return this.#reasons.get(id);
  }

  /** Whether this manager has ended a session not long ago, or two of its commits are about to. */
  isTaken(id: string): boolean {
    return this.#reasons.get(id) !== undefined ||
      (this.#leaving.get(id) ?? 0) > 1;
  }

  /** Whether a session is about to end or to move: what became of it follows. */
  isLeaving(id: string): boolean {
    return this.#leaving.has(id);
  }

  /** Notes that sessions are about to end or to move. */
  leave(ids: readonly string[]): void {
    for (const id of ids) {
      this.#leaving.set(id, (this.#leaving.get(id) ?? 0) + 1);
    }
  }

  /** Notes that sessions stay after all. */
  stay(ids: readonly string[]): void {
    for (const id of ids) this.#settle(id);
  }

  /** Notes that a session has ended. */
  ended(id: string, reason: EndReason): void {
    this.#settle(id);
    this.#reasons.set(id, reason);
    this.listener?.ended(id, reason);
  }

  /** Notes that a session has got a new id. */
  moved(from: string, to: string): void {
    this.listener?.moved(from, to);
  }

  #settle(id: string): void {
    const left = (this.#leaving.get(id) ?? 0) - 1;
    if (left > 0) this.#leaving.set(id, left);
    else this.#leaving.delete(id);
  }
}
