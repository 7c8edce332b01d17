/**
 * Watches sessions for those who outlast their request: streams and sockets.
 *
 * @module
 */

import { inBatches } from "./_batches.ts";
import { MAX_TIMER_MS } from "./_deadlines.ts";
import type { EndingListener } from "./_endings.ts";
import type { LineageFinder } from "./_lineage.ts";
import { expiredBy, type SessionRecord } from "./_record.ts";
import type { Missing, SessionReader } from "./_session_reader.ts";
import type { Settings } from "./_settings.ts";
import type { EndReason, RefusalReason } from "./events.ts";

/** Someone who is told when a session ends. */
export interface Watcher {
  /** Called once, when the session has ended. */
  ended(reason: EndReason): void;
  /** Called when the session has got a new id. */
  moved(id: string): void;
}

/** A watcher, and the session it watches; `undefined` once it has been let go. */
interface Subscription {
  readonly watcher: Watcher;
  watch: Watch | undefined;
}

/** What is watched of one session, however many watch it. */
interface Watch {
  readonly id: string;
  readonly subscriptions: Set<Subscription>;
  /** Ends the store's own watch. */
  readonly stop: AbortController;
  /** Fires when the session expires, unless it was used meanwhile. */
  timer: ReturnType<typeof setTimeout> | undefined;
  state: "idle" | "checking" | "check again";
  /** The record as it was read last, to say how it expired if the store drops it. */
  record: SessionRecord | undefined;
}

/** Tells watchers when sessions end: told by this process, by the store, or by polling. */
export class SessionWatcher implements EndingListener {
  readonly #settings: Settings;
  readonly #reader: SessionReader;
  readonly #lineages: LineageFinder;
  readonly #watches = new Map<string, Watch>();
  #poll: ReturnType<typeof setTimeout> | undefined;
  #polling = false;

  /** Constructs a watcher; it listens to what its manager ends. */
  constructor(
    settings: Settings,
    reader: SessionReader,
    lineages: LineageFinder,
  ) {
    this.#settings = settings;
    this.#reader = reader;
    this.#lineages = lineages;
    reader.endings.listener = this;
  }

  /**
   * Watches a session until it ends or the returned function is called.
   *
   * @param id The public id of the session.
   * @param record The session as it was last seen.
   * @param watcher Who is told.
   * @returns Lets go of the session.
   */
  watch(id: string, record: SessionRecord, watcher: Watcher): () => void {
    const watch = this.#watchOf(id);
    watch.record ??= record;
    const subscription: Subscription = { watcher, watch };
    watch.subscriptions.add(subscription);
    void this.#check(watch); // it may have ended since it was loaded
    this.#schedulePoll();
    return () => {
      const { watch } = subscription;
      subscription.watch = undefined;
      watch?.subscriptions.delete(subscription);
      if (watch?.subscriptions.size === 0) this.#drop(watch);
    };
  }

  /** Tells who watches a session that it has ended. */
  ended(id: string, reason: EndReason): void {
    const watch = this.#watches.get(id);
    if (watch === undefined) return;
    this.#drop(watch);
    for (const subscription of watch.subscriptions) {
      if (subscription.watch === undefined) continue;
      subscription.watch = undefined;
      try {
        subscription.watcher.ended(reason);
      } catch {
        // a socket of the app's own kind that cannot be closed is no reason to leave others open
      }
    }
  }

  /** Follows a session to its new id. */
  moved(from: string, to: string): void {
    const old = this.#watches.get(from);
    if (old === undefined || from === to) return;
    const watch = this.#watchOf(to);
    watch.record ??= old.record;
    for (const subscription of old.subscriptions) {
      subscription.watch = watch;
      watch.subscriptions.add(subscription);
      subscription.watcher.moved(to);
    }
    this.#drop(old);
    void this.#check(watch);
  }

  /** Lets go of everything. */
  close(): void {
    for (const watch of [...this.#watches.values()]) this.#drop(watch);
  }

  #watchOf(id: string): Watch {
    const known = this.#watches.get(id);
    if (known !== undefined) return known;
    const watch: Watch = {
      id,
      subscriptions: new Set(),
      stop: new AbortController(),
      timer: undefined,
      state: "idle",
      record: undefined,
    };
    this.#watches.set(id, watch);
    this.#settings.store.watch(
      id,
      () => void this.#check(watch),
      watch.stop.signal,
    );
    return watch;
  }

  #drop(watch: Watch): void {
    if (this.#watches.get(watch.id) === watch) this.#watches.delete(watch.id);
    clearTimeout(watch.timer);
    watch.stop.abort();
    if (this.#watches.size > 0 || this.#polling) return;
    clearTimeout(this.#poll);
    this.#poll = undefined;
  }

  /** Reads a watched session, one reading at a time. */
  async #check(watch: Watch): Promise<void> {
    if (watch.state !== "idle") {
      watch.state = "check again";
      return;
    }
    do {
      watch.state = "checking";
      await this.#readOnce(watch);
    } while (isStale(watch) && this.#watches.get(watch.id) === watch);
    watch.state = "idle";
  }

  async #readOnce(watch: Watch): Promise<void> {
    try {
      const found = await this.#reader.find(watch.id, { dataNeeded: false });
      if (this.#watches.get(watch.id) !== watch) return;
      if ("missing" in found) return await this.#missed(watch, found);
      if (found.id !== watch.id) return this.moved(watch.id, found.id);
      watch.record = found.record;
      this.#scheduleCheck(watch, found.record.expiresAt);
    } catch {
      // reported by the store's guard; the next poll tries again
      if (this.#watches.get(watch.id) === watch) this.#endUnread(watch);
    }
  }

  /** Ends a session whose absolute timeout is over, whatever the store would say. */
  #endUnread(watch: Watch): void {
    const { id, record } = watch;
    if (record === undefined) return;
    const { expiresAt, endsAt } = record;
    const now = this.#settings.now();
    if (now >= endsAt) this.ended(id, "absolute-timeout");
    else this.#scheduleCheck(watch, now < expiresAt ? expiresAt : endsAt);
  }

  /** Says how a session ended that is no longer there, unless who is ending it will say. */
  async #missed(watch: Watch, { missing, id }: Missing): Promise<void> {
    const { record } = watch;
    if (missing === "unknown" && this.#reader.endings.isLeaving(id)) return;
    const reason = endReasonOf(missing);
    if (reason !== undefined) return this.ended(watch.id, reason);
    // it may have got a new id, and the trace of it may have gone since the last look
    const moved = record && await this.#lineages.find(record);
    if (this.#watches.get(watch.id) !== watch) return;
    if (moved !== undefined) return this.moved(watch.id, moved);
    const now = this.#settings.now();
    const expired = record && expiredBy(record, now, now, this.#settings);
    this.ended(watch.id, expired ?? "revoked");
  }

  #scheduleCheck(watch: Watch, at: number): void {
    clearTimeout(watch.timer);
    const delay = Math.min(
      Math.max(1, at - this.#settings.now()),
      MAX_TIMER_MS,
    );
    watch.timer = setTimeout(() => void this.#check(watch), delay);
  }

  #schedulePoll(): void {
    if (this.#poll !== undefined || this.#polling || this.#watches.size === 0) {
      return;
    }
    this.#poll = setTimeout(
      () => void this.#pollAll(),
      Math.min(this.#settings.pollInterval, MAX_TIMER_MS),
    );
  }

  async #pollAll(): Promise<void> {
    this.#poll = undefined;
    this.#polling = true;
    await inBatches(
      [...this.#watches.values()],
      (watch) => this.#check(watch),
    );
    this.#polling = false;
    this.#schedulePoll();
  }
}

function isStale(watch: Watch): boolean {
  return watch.state === "check again";
}

/** What another process did to a session cannot be known. */
function endReasonOf(reason: RefusalReason): EndReason | undefined {
  switch (reason) {
    case "idle-timeout":
    case "absolute-timeout":
    case "logout":
    case "rotated":
    case "evicted":
    case "revoked":
      return reason;
    default:
      return undefined;
  }
}
