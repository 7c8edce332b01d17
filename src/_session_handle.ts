/**
 * The session as a handler sees it: pure state, and a log of operations.
 *
 * What needs I/O is handed in; what to do with the log is the commit's business.
 *
 * @module
 */

import {
  type Changes,
  type DataOperation,
  type IdentityChange,
  runUpdate,
  type UpdateOperation,
} from "./_changes.ts";
import { checkOptions, checkType, describeType } from "./_check.ts";
import { claimFlash, releaseFlash } from "./_flash_claims.ts";
import { nextNonce } from "./_nonce.ts";
import type { FlashEntry, Lifetimes, SessionRecord } from "./_record.ts";
import { cloneValue, equalValues, isCompound } from "./_value.ts";
import { SessionClosedError } from "./errors.ts";
import type { LoginOptions, Session } from "./session.ts";

/** What a handle needs from outside. */
export interface SessionIo {
  /** When the request began to use the session, in epoch milliseconds. */
  readonly usedAt: number;
  /** The lifetimes in force. */
  readonly lifetimes: Lifetimes;
  /** Why the id must not change here, if it must not. */
  readonly fixedId: string | undefined;
  /** Makes a new public id. */
  nextId(): string;
  /** Commits the session now. */
  commit(): Promise<void>;
  /** Aborts when the session ends. */
  readonly signal: AbortSignal;
  /** Closes a socket when the session ends. */
  attach(socket: WebSocket): void;
}

/** A session as loaded: its id, its record, and its data as the schema sees it. */
export interface LoadedState {
  /** The public id. */
  readonly id: string;
  /** The record. */
  readonly record: SessionRecord;
  /** The data: the record's, or what the schema made of it. */
  readonly data: ReadonlyMap<string, unknown>;
}

type Status = "open" | "committed" | "destroyed" | "discarded";

/** In place of a pristine copy: the value belongs to the operation that set it. */
const OWN = Symbol("own");

const NO_DATA: ReadonlyMap<string, unknown> = new Map();
const NO_CHANGES: Changes = {
  operations: [],
  flashed: [],
  taken: new Set(),
  persistent: undefined,
  identity: undefined,
};

/** The one implementation of `Session`. */
export class SessionHandle implements Session {
  readonly #io: SessionIo;
  readonly isNewAtLoad: boolean;
  #status: Status = "open";
  #accessed = false;
  #id: string | undefined;
  #record: SessionRecord | undefined;
  #data: ReadonlyMap<string, unknown>;
  /** The data as this request sees it; made when the first value is handed out or changed. */
  #view: Map<string, unknown> | undefined;
  /** The objects handed out by key, with what they were, so that changes in place are seen. */
  #tracked: Map<string, unknown> | undefined;
  #log: DataOperation[] | undefined;
  /** The last operation on each key since the last `clear`. */
  #latest: Map<string, DataOperation> | undefined;
  #updating = false;
  #flashed: FlashEntry[] | undefined;
  #taken: Map<string, FlashEntry> | undefined;
  #persistent: boolean | undefined;
  #identity: IdentityChange | undefined;

  /**
   * Constructs a handle.
   *
   * @param io What needs I/O.
   * @param loaded The session that the request brought, if any.
   */
  constructor(io: SessionIo, loaded: LoadedState | undefined) {
    this.#io = io;
    this.isNewAtLoad = loaded === undefined;
    this.#id = loaded?.id;
    this.#record = loaded?.record;
    this.#data = loaded?.data ?? NO_DATA;
  }

  /** Finds what a handle was made with; `undefined` if it is no handle. */
  static ioOf(handle: object): SessionIo | undefined {
    return #io in handle ? handle.#io : undefined;
  }

  get id(): string {
    this.#accessed = true;
    const identity = this.#identity;
    if (identity !== undefined && identity.type !== "destroy") {
      return identity.id;
    }
    return this.#id ??= this.#io.nextId();
  }

  get isNew(): boolean {
    this.#accessed = true;
    return this.isNewAtLoad;
  }

  get subject(): string | undefined {
    this.#accessed = true;
    if (this.#identity?.type === "login") return this.#identity.subject;
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
    return this.#record === undefined || this.#identity?.type === "login"
      ? usedAt + Math.min(lifetimes.idleTimeout, lifetimes.absoluteTimeout)
      : this.#record.expiresAt;
  }

  get authenticatedAt(): number | undefined {
    this.#accessed = true;
    if (this.#identity?.type === "login") return this.#io.usedAt;
    return this.#status === "destroyed"
      ? undefined
      : this.#record?.authenticatedAt;
  }

  get size(): number {
    return this.#readable("count session values").size;
  }

  get<Value = unknown>(key: string): Value | undefined {
    const value = this.#readable("get session value").get(key);
    if (!isCompound(value) || this.#tracked?.has(key)) {
      return value as Value | undefined;
    }
    const copy = cloneValue(value, `get session value ${JSON.stringify(key)}`);
    this.#writable().set(key, copy);
    (this.#tracked ??= new Map()).set(key, value);
    return copy as Value;
  }

  has(key: string): boolean {
    return this.#readable("look up session value").has(key);
  }

  entries(): IterableIterator<[string, unknown]> {
    const keys = [...this.#readable("list session values").keys()];
    return keys.map((key): [string, unknown] => [key, this.get(key)]).values();
  }

  set(key: string, value: unknown): void {
    const action = `set session value ${JSON.stringify(key)}`;
    this.#assertOpen(action);
    assertKey(key, action);
    cloneValue(value, action); // refused here, where the stack names the culprit
    this.#writable().set(key, value);
    (this.#tracked ??= new Map()).set(key, OWN);
    const latest = this.#latest?.get(key);
    if (latest?.type === "set") latest.value = value;
    else this.#append({ type: "set", key, value });
  }

  delete(key: string): boolean {
    this.#assertOpen(`delete session value ${JSON.stringify(key)}`);
    if (!this.#writable().delete(key)) return false;
    this.#tracked?.delete(key);
    this.#append({ type: "delete", key });
    return true;
  }

  clear(): void {
    this.#assertOpen("clear session");
    if (this.#writable().size === 0) return;
    this.#view = new Map();
    this.#tracked = undefined;
    this.#latest = undefined;
    this.#log = [{ type: "clear" }];
  }

  update(key: string, next: (current: never) => unknown): void {
    const action = `update session value ${JSON.stringify(key)}`;
    this.#assertOpen(action);
    assertKey(key, action);
    if (typeof next !== "function") {
      throw new TypeError(
        `Cannot ${action}: want a function: received ${describeType(next)}`,
      );
    }
    const base = this.#settleInPlace(key, action);
    const operation: UpdateOperation = {
      type: "update",
      key,
      next: next as (current: unknown) => unknown,
      base,
      result: undefined,
    };
    this.#updating = true;
    try {
      operation.result = runUpdate(key, operation.next, base);
    } finally {
      this.#updating = false;
    }
    this.#writable().set(key, operation.result);
    this.#tracked?.delete(key);
    this.#append(operation);
  }

  flash<Value = unknown>(
    kind: string,
    ...values: [unknown?]
  ): Value | undefined {
    const action = `flash session value ${JSON.stringify(kind)}`;
    this.#assertOpen(action);
    assertKey(kind, action);
    if (values.length === 0) {
      return this.#takeFlash(kind, action) as Value | undefined;
    }
    const value = cloneValue(values[0], action);
    (this.#flashed ??= []).push({ id: nextNonce(), kind, value });
    return undefined;
  }

  keepFlash(kind?: string): void {
    this.#assertOpen("keep flash values");
    const kept: string[] = [];
    for (const [id, entry] of this.#taken ?? []) {
      if (kind === undefined || entry.kind === kind) kept.push(id);
    }
    for (const id of kept) this.#taken?.delete(id);
    releaseFlash(kept);
  }

  persist(persistent: boolean): void {
    this.#assertOpen("persist session");
    checkType("persist session", "persistent", persistent, "boolean");
    this.#persistent = persistent;
  }

  login(subject: string, options: LoginOptions = {}): void {
    this.#assertOpen("log in");
    this.#assertIdMayChange("log in");
    checkType("log in", "subject", subject, "string");
    const { label } = checkOptions("log in", options, ["label"]);
    if (label !== undefined) checkType("log in", "label", label, "string");
    this.#identity = { type: "login", id: this.#io.nextId(), subject, label };
  }

  logout(): void {
    this.destroy();
  }

  regenerate(): void {
    this.#assertOpen("regenerate session");
    this.#assertIdMayChange("regenerate session");
    if (this.isNewAtLoad || this.#identity !== undefined) return;
    this.#identity = { type: "regenerate", id: this.#io.nextId() };
  }

  destroy(): void {
    this.#accessed = true;
    if (this.#status === "destroyed") return;
    this.#assertOpen("destroy session");
    this.#identity = { type: "destroy" };
    this.#status = "destroyed";
  }

  async commit(): Promise<void> {
    this.#accessed = true;
    await this.#io.commit();
  }

  get signal(): AbortSignal {
    this.#accessed = true;
    return this.#io.signal;
  }

  attach(socket: WebSocket): void {
    this.#accessed = true;
    if (
      typeof (socket as Partial<WebSocket> | null)?.addEventListener !==
        "function"
    ) {
      throw new TypeError(
        `Cannot attach socket: want a WebSocket: received ${
          describeType(socket)
        }`,
      );
    }
    this.#io.attach(socket);
  }

  /** Whether the handler has used the session at all, so that its answer depends on it. */
  get accessed(): boolean {
    return this.#accessed;
  }

  /** The flash values that this request has claimed. */
  get claimed(): Iterable<string> {
    return this.#taken?.keys() ?? [];
  }

  /**
   * Closes the handle, and says what it was used for.
   *
   * @returns The changes, with copies of all values.
   * @throws {TypeError} If a value was changed in place to what cannot be stored.
   */
  seal(): Changes {
    const changes = this.#collect();
    if (this.#status === "open") this.#status = "committed";
    return changes;
  }

  #collect(): Changes {
    const operations = (this.#log ?? []).map((operation) =>
      operation.type === "set"
        ? {
          ...operation,
          value: cloneValue(operation.value, settingOf(operation.key)),
        }
        : operation
    );
    for (const [key, value] of this.#changedInPlace()) {
      operations.push({
        type: "set",
        key,
        value: cloneValue(value, settingOf(key)),
      });
    }
    if (
      operations.length === 0 && this.#flashed === undefined &&
      this.#taken === undefined &&
      this.#persistent === undefined && this.#identity === undefined
    ) return NO_CHANGES;
    const taken = new Set(this.#taken?.keys());
    const flashed = (this.#flashed ?? []).filter((entry) =>
      !taken.has(entry.id)
    );
    return {
      operations,
      flashed,
      taken,
      persistent: this.#persistent,
      identity: this.#identity,
    };
  }

  /** Opens the handle again: the commit failed without effect. */
  reopen(): void {
    if (this.#status === "committed") this.#status = "open";
  }

  /** Closes the handle for good: nothing of it is committed. */
  discard(): void {
    if (this.#status === "open") this.#status = "discarded";
    releaseFlash(this.claimed);
  }

  /** Shows what was committed from now on. */
  settle(state: LoadedState): void {
    this.#id = state.id;
    this.#record = state.record;
    this.#data = state.data;
    this.#view =
      this.#tracked =
      this.#log =
      this.#latest =
        undefined;
    this.#persistent = undefined;
    if (this.#identity?.type !== "destroy") this.#identity = undefined;
  }

  /** Lists the objects that were changed in place since they were handed out. */
  *#changedInPlace(): Generator<[string, unknown]> {
    for (const [key, pristine] of this.#tracked ?? []) {
      const value = this.#view?.get(key);
      if (pristine !== OWN && !equalValues(pristine, value)) yield [key, value];
    }
  }

  /** Whether a value was changed in place after the commit, too late to be saved. */
  get changedLate(): boolean {
    return this.#status === "committed" && !this.#changedInPlace().next().done;
  }

  /** Logs what happened in place to a value, and returns a state of it that will not change. */
  #settleInPlace(key: string, action: string): unknown {
    const current = this.#writable().get(key);
    if (!this.#tracked?.has(key)) return current;
    const pristine = this.#tracked.get(key);
    if (pristine !== OWN && equalValues(pristine, current)) return pristine;
    const value = cloneValue(current, action);
    const latest = this.#latest?.get(key);
    if (latest?.type === "set") latest.value = value;
    else this.#append({ type: "set", key, value });
    return value;
  }

  #takeFlash(kind: string, action: string): unknown {
    for (
      const entry of [...this.#record?.flash ?? [], ...this.#flashed ?? []]
    ) {
      if (entry.kind !== kind || this.#taken?.has(entry.id)) continue;
      if (!claimFlash(entry.id, this)) continue;
      (this.#taken ??= new Map()).set(entry.id, entry);
      return cloneValue(entry.value, action);
    }
    return undefined;
  }

  #append(operation: Exclude<DataOperation, { type: "clear" }>): void {
    (this.#log ??= []).push(operation);
    (this.#latest ??= new Map()).set(operation.key, operation);
  }

  #writable(): Map<string, unknown> {
    return this.#view ??= new Map(this.#data);
  }

  #readable(action: string): ReadonlyMap<string, unknown> {
    this.#accessed = true;
    if (this.#status === "destroyed") {
      throw closed(action, "a use after destroy");
    }
    return this.#view ?? this.#data;
  }

  #assertOpen(action: string): void {
    this.#accessed = true;
    if (this.#updating) {
      throw new TypeError(
        `Cannot ${action}: want an update callback without effects, as it may run again: received a change from within one`,
      );
    }
    if (this.#status !== "open") {
      const late = this.#status === "destroyed" ? "destroy" : "the commit";
      throw closed(
        action,
        `a change after ${late}; use manager.edit from sockets and queues`,
      );
    }
  }

  #assertIdMayChange(action: string): void {
    const { fixedId } = this.#io;
    if (fixedId !== undefined) {
      throw new TypeError(`Cannot ${action}: ${fixedId}`);
    }
  }
}

function closed(action: string, received: string): SessionClosedError {
  return new SessionClosedError(
    `Cannot ${action}: the session must still be open: received ${received}`,
  );
}

function settingOf(key: string): string {
  return `set session value ${JSON.stringify(key)}`;
}

function assertKey(key: unknown, action: string): void {
  if (typeof key !== "string") {
    throw new TypeError(
      `Cannot ${action}: want a string as the key: received ${
        describeType(key)
      }`,
    );
  }
}
