/**
 * The session as a handler sees it: pure state, and a log of operations.
 *
 * What needs I/O is handed in; what to do with the log is the commit's business.
 *
 * @module
 */

import type { Changes } from "./_changes.ts";
import { checkOptions, checkType, nameAction } from "./_check.ts";
import {
  changedAfterEnd,
  changedInUpdate,
  noSocket,
  usedAfterDestroy,
} from "./_misuse.ts";
import { PendingChanges } from "./_pending_changes.ts";
import { bounded, NO_DATA, type SessionRecord } from "./_record.ts";
import type { SessionData } from "./_session_data.ts";
import { SessionFlash } from "./_session_flash.ts";
import type { LoadedState, SessionIo } from "./_session_io.ts";
import type { SessionSocket } from "./_session_socket.ts";
import type { LoginOptions, Session } from "./session.ts";

type Status = "open" | "committed" | "destroyed" | "discarded";

/** The one implementation of `Session`. */
export class SessionHandle implements Session {
  readonly #io: SessionIo;
  readonly #newAtLoad: boolean;
  #status: Status = "open";
  #accessed = false;
  #id: string | undefined;
  #record: SessionRecord | undefined;
  #changes: PendingChanges;

  /**
   * Constructs a handle.
   *
   * @param io What needs I/O.
   * @param loaded The session that the request brought, if any.
   */
  constructor(io: SessionIo, loaded: LoadedState | undefined) {
    this.#io = io;
    this.#newAtLoad = loaded === undefined;
    this.#id = loaded?.id;
    this.#record = loaded && bounded(loaded.record, io.usedAt, io.lifetimes);
    this.#changes = new PendingChanges(this.#record, loaded?.data ?? NO_DATA);
  }

  /** Finds what a handle was made with; `undefined` if it is no handle. */
  static ioOf(handle: object): SessionIo | undefined {
    return typeof handle === "object" && handle !== null && #io in handle
      ? handle.#io
      : undefined;
  }

  get id(): string {
    this.#accessed = true;
    const identity = this.#changes.identity;
    if (identity !== undefined && identity.type !== "destroy") {
      return identity.id;
    }
    return this.#id ??= this.#io.nextId();
  }

  get isNew(): boolean {
    this.#accessed = true;
    return this.#newAtLoad;
  }

  get subject(): string | undefined {
    this.#accessed = true;
    if (this.#changes.identity?.type === "login") {
      return this.#changes.identity.subject;
    }
    return this.#status === "destroyed" ? undefined : this.#record?.subject;
  }

  get createdAt(): number {
    this.#accessed = true;
    return this.#record?.createdAt ?? this.#io.usedAt;
  }

  get lastSeenAt(): number {
    this.#accessed = true;
    return this.#record?.lastSeenAt ?? this.#io.usedAt;
  }

  get expiresAt(): number {
    this.#accessed = true;
    const { lifetimes, usedAt } = this.#io;
    if (
      this.#record === undefined || this.#changes.identity?.type === "login"
    ) {
      return usedAt + lifetimes.idleTimeout;
    }
    return this.#record.expiresAt;
  }

  get authenticatedAt(): number | undefined {
    this.#accessed = true;
    if (this.#changes.identity?.type === "login") return this.#io.usedAt;
    return this.#status === "destroyed"
      ? undefined
      : this.#record?.authenticatedAt;
  }

  get size(): number {
    return this.#readable("count session values").current.size;
  }

  get<Value = unknown>(key: string): Value | undefined {
    return this.#readable("get session value").get(key) as Value | undefined;
  }

  has(key: string): boolean {
    return this.#readable("look up session value").current.has(key);
  }

  entries(): IterableIterator<[string, unknown]> {
    const data = this.#readable("list session values");
    const keys = [...data.current.keys()];
    return keys.map((key): [string, unknown] => [key, data.get(key)]).values();
  }

  set(key: string, value: unknown): void {
    this.#writable("set session value", key).set(key, value);
  }

  delete(key: string): boolean {
    return this.#writable("delete session value", key).delete(key);
  }

  clear(): void {
    this.#assertOpen("clear session");
    this.#changes.data.clear();
  }

  update(key: string, next: (current: never) => unknown): void {
    const action = "update session value";
    const data = this.#writable(action, key);
    if (typeof next !== "function") {
      checkType(nameAction(action, key), "next", next, "function");
    }
    data.update(key, next as (current: unknown) => unknown);
  }

  flash<Value = unknown>(
    kind: string,
    ...values: [unknown?]
  ): Value | undefined {
    const action = "flash session value";
    this.#assertOpen(action, kind);
    checkKey(action, "kind", kind);
    const stored = this.#record?.flash ?? [];
    const flash = this.#changes.flash ??= new SessionFlash(stored, this);
    if (values.length === 0) return flash.take(kind) as Value | undefined;
    flash.queue(kind, values[0]);
    return undefined;
  }

  keepFlash(kind?: string): void {
    this.#assertOpen("keep flash values");
    if (kind !== undefined) checkKey("keep flash values", "kind", kind);
    this.#changes.flash?.keep(kind);
  }

  persist(persistent: boolean): void {
    this.#assertOpen("persist session");
    this.#assertTokenMayChange("persist session");
    checkType("persist session", "persistent", persistent, "boolean");
    this.#changes.persistent = persistent;
  }

  login(subject: string, options: LoginOptions = {}): void {
    this.#assertOpen("log in");
    this.#assertTokenMayChange("log in");
    checkType("log in", "subject", subject, "string");
    const { label } = checkOptions("log in", options, ["label"]);
    if (label !== undefined) checkType("log in", "label", label, "string");
    const id = this.#io.nextId();
    this.#changes.identity = { type: "login", id, subject, label };
  }

  logout(): void {
    this.destroy();
  }

  regenerate(): void {
    this.#assertOpen("regenerate session");
    this.#assertTokenMayChange("regenerate session");
    // a request that came by a replaced id joins the regenerate that replaced it
    const joins = this.#io.isForwarded;
    if (this.#newAtLoad || joins) return;
    this.#changes.identity ??= { type: "regenerate", id: this.#io.nextId() };
  }

  destroy(): void {
    this.#accessed = true;
    if (this.#status === "destroyed") return;
    this.#assertOpen("destroy session");
    this.#changes.identity = { type: "destroy" };
    this.#status = "destroyed";
  }

  commit(): Promise<void> {
    this.#accessed = true;
    if (this.#changes.data.updating) throw changedInUpdate("commit session");
    const committing = this.#io.commit();
    committing.catch(() => {}); // where nobody waits, the commit after the handler tries again
    return committing;
  }

  get signal(): AbortSignal {
    this.#accessed = true;
    return this.#io.signal;
  }

  attach(socket: SessionSocket): void {
    this.#accessed = true;
    if (
      typeof (socket as Partial<SessionSocket> | null)?.addEventListener !==
        "function"
    ) throw noSocket(socket);
    this.#io.attach(socket);
  }

  /** Whether the handler has used the session at all, so that its answer depends on it. */
  get accessed(): boolean {
    return this.#accessed;
  }

  /**
   * Closes the handle, and says what it was used for.
   *
   * @returns The changes, with copies of all values.
   * @throws {TypeError} If a value was changed in place to what cannot be stored.
   */
  seal(): Changes {
    const changes = this.#changes.collect();
    this.close();
    return changes;
  }

  /** What the handler has done so far. */
  get changes(): PendingChanges {
    return this.#changes;
  }

  /** Closes the handle: changes would come too late from now on. */
  close(): void {
    if (this.#status === "open") this.#status = "committed";
  }

  /** Opens the handle again: the commit failed without effect. */
  reopen(): void {
    if (this.#status === "committed") this.#status = "open";
  }

  /** Closes the handle for good: nothing of it is committed. */
  discard(): void {
    if (this.#status === "open") this.#status = "discarded";
    this.#changes.flash?.release();
  }

  /** Shows what was committed from now on. */
  settle(state: LoadedState): void {
    this.#id = state.id;
    this.#record = state.record;
    const { identity } = this.#changes;
    this.#changes = new PendingChanges(this.#record, state.data);
    if (identity?.type === "destroy") this.#changes.identity = identity;
  }

  /** Whether a sign-in is to be committed. */
  get signsIn(): boolean {
    return this.#changes.identity?.type === "login";
  }

  /** Shows the id that another request has given to the session. */
  moved(id: string): void {
    this.#id = id;
  }

  /** Whether a value was changed in place after the commit, too late to be saved. */
  get changedLate(): boolean {
    return this.#status === "committed" &&
      !this.#changes.data.changedInPlace().next().done;
  }

  #readable(action: string): SessionData {
    this.#accessed = true;
    if (this.#status === "destroyed") throw usedAfterDestroy(action);
    return this.#changes.data;
  }

  #writable(action: string, key: string): SessionData {
    this.#assertOpen(action, key);
    checkKey(action, "key", key);
    return this.#changes.data;
  }

  #assertOpen(action: string, key?: string): void {
    this.#accessed = true;
    if (this.#changes.data.updating) {
      throw changedInUpdate(nameAction(action, key));
    }
    if (this.#status !== "open") {
      throw changedAfterEnd(nameAction(action, key), this.#status);
    }
  }

  #assertTokenMayChange(action: string): void {
    const { fixedToken } = this.#io;
    if (fixedToken !== undefined) {
      throw new TypeError(`Cannot ${action}: ${fixedToken}`);
    }
  }
}

/** Makes sure of a key, or of the kind of a flash value. */
function checkKey(action: string, name: string, key: unknown): void {
  if (typeof key !== "string") checkType(action, name, key, "string");
}
