/**
 * The data of a session as one request sees and changes it.
 *
 * @module
 */

import {
  type DataOperation,
  runUpdate,
  type UpdateOperation,
} from "./_changes.ts";
import { cloneValue, equalValues, isCompound } from "./_value.ts";

const SET = "set session value";

/** So many operations are searched one by one; a `Map` costs more. */
const FEW = 8;

type KeyOperation = Exclude<DataOperation, { type: "clear" }>;

/** In place of a pristine copy: the value belongs to the operation that set it. */
const OWN = Symbol("own");

/**
 * A view of the data, and the log of what was done to it.
 *
 * What it was made of is never changed: objects are handed out as copies, and
 * compared with what they were when the log is collected.
 */
export class SessionData {
  readonly #base: ReadonlyMap<string, unknown>;
  /** The data as the request sees it; made when a value is handed out or changed. */
  #view: Map<string, unknown> | undefined;
  /** The objects handed out by key, with what they were. */
  #tracked: Map<string, unknown> | undefined;
  #log: DataOperation[] | undefined;
  /** The last operation on each key since the last `clear`; made when there are many. */
  #latest: Map<string, KeyOperation> | undefined;
  #updating = false;

  /**
   * Constructs a view.
   *
   * @param base The data, which nobody may change from now on.
   */
  constructor(base: ReadonlyMap<string, unknown>) {
    this.#base = base;
  }

  /** Whether an update callback is running. */
  get updating(): boolean {
    return this.#updating;
  }

  /** Whether nothing was changed, and no object handed out that could have been. */
  get untouched(): boolean {
    return this.#log === undefined && this.#tracked === undefined;
  }

  /** Whether anything was changed, objects that were handed out included. */
  get changed(): boolean {
    return this.#log !== undefined || !this.changedInPlace().next().done;
  }

  /** The data, for reading what is no object. */
  get current(): ReadonlyMap<string, unknown> {
    return this.#view ?? this.#base;
  }

  /** Hands out a value; the same object each time. */
  get(key: string): unknown {
    const value = this.current.get(key);
    if (!isCompound(value) || this.#tracked?.has(key)) return value;
    const copy = cloneValue(value, "get session value", key);
    this.#writable().set(key, copy);
    (this.#tracked ??= new Map()).set(key, value);
    return copy;
  }

  /** Sets a value; the object itself, so that later changes in place count. */
  set(key: string, value: unknown): void {
    cloneValue(value, SET, key); // refused here, where the stack names the culprit
    if (isCompound(value)) (this.#tracked ??= new Map()).set(key, OWN);
    else this.#tracked?.delete(key);
    this.#writable().set(key, value);
    this.#logSet(key, value);
  }

  /** Removes a value; says whether there was one. */
  delete(key: string): boolean {
    // what this request never saw comes after it, if another one is setting it now
    if (!this.#writable().delete(key)) return false;
    this.#tracked?.delete(key);
    const latest = this.#latestOf(key);
    if (latest?.type === "set") latest.value = undefined; // no longer the session's affair
    this.#append({ type: "delete", key });
    return true;
  }

  /** Removes all values. */
  clear(): void {
    if (this.current.size === 0) return;
    this.#view = new Map();
    this.#tracked = undefined;
    this.#latest = undefined;
    this.#log = [{ type: "clear" }];
  }

  /** Computes a value from the current one. */
  update(key: string, next: (current: unknown) => unknown): void {
    const base = this.#settle(key);
    const operation: UpdateOperation = {
      type: "update",
      key,
      next,
      base,
      result: undefined,
    };
    this.#updating = true;
    try {
      operation.result = runUpdate(key, next, base);
    } finally {
      this.#updating = false;
    }
    this.#writable().set(key, operation.result);
    this.#tracked?.delete(key);
    this.#append(operation);
  }

  /**
   * Collects what was done, with copies of all values.
   *
   * @returns The operations, in order; changes in place come last.
   * @throws {TypeError} If a value was changed in place to what cannot be stored.
   */
  collect(): readonly DataOperation[] {
    const operations = (this.#log ?? []).map((operation) =>
      operation.type === "set"
        ? copyOf(operation.key, operation.value)
        : operation
    );
    if (this.#tracked === undefined) return operations;
    for (const [key, value] of this.changedInPlace()) {
      operations.push(copyOf(key, value));
    }
    return operations;
  }

  /** Lists the objects that were changed in place since they were handed out. */
  *changedInPlace(): Generator<[string, unknown]> {
    for (const [key, pristine] of this.#tracked ?? []) {
      const value = this.#view?.get(key);
      if (pristine !== OWN && !equalValues(pristine, value)) yield [key, value];
    }
  }

  /** Logs what happened in place to a value; returns a state of it that will not change. */
  #settle(key: string): unknown {
    const current = this.current.get(key);
    if (!this.#tracked?.has(key)) return current;
    const pristine = this.#tracked.get(key);
    if (pristine !== OWN && equalValues(pristine, current)) return pristine;
    const value = cloneValue(current, SET, key);
    this.#logSet(key, value);
    return value;
  }

  /** Logs a value in place of the one that was set last, if nothing came between. */
  #logSet(key: string, value: unknown): void {
    const latest = this.#latestOf(key);
    if (latest?.type === "set") latest.value = value;
    else this.#append({ type: "set", key, value });
  }

  #append(operation: KeyOperation): void {
    const log = this.#log ??= [];
    log.push(operation);
    if (this.#latest !== undefined) this.#latest.set(operation.key, operation);
    else if (log.length > FEW) {
      this.#latest = new Map(
        log.filter((one) => one.type !== "clear").map((one) => [one.key, one]),
      );
    }
  }

  /** Finds the last operation on a key since the last `clear`. */
  #latestOf(key: string): KeyOperation | undefined {
    return this.#latest === undefined
      ? this.#log?.findLast((one): one is KeyOperation =>
        one.type !== "clear" && one.key === key
      )
      : this.#latest.get(key);
  }

  #writable(): Map<string, unknown> {
    return this.#view ??= new Map(this.#base);
  }
}

function copyOf(key: string, value: unknown): DataOperation {
  return { type: "set", key, value: cloneValue(value, SET, key) };
}
