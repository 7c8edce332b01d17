/**
 * What a request did to its session: a log of operations, not a snapshot.
 *
 * The commit applies it to whatever is newest in the store, again and again if
 * other writers come first.
 *
 * @module
 */

import type { FlashEntry, SessionRecord } from "./_record.ts";
import { cloneValue, equalValues } from "./_value.ts";

/** One change of the data. */
export type DataOperation =
  | { readonly type: "set"; readonly key: string; value: unknown }
  | { readonly type: "delete"; readonly key: string }
  | { readonly type: "clear" }
  | UpdateOperation;

/** A change that is computed, and computed again when its base has changed. */
export interface UpdateOperation {
  readonly type: "update";
  readonly key: string;
  readonly next: (current: unknown) => unknown;
  /** The value that `result` was computed from. */
  base: unknown;
  /** What `next` made of it. */
  result: unknown;
}

/** What becomes of the session's identity. */
export type IdentityChange =
  | { readonly type: "destroy" }
  | { readonly type: "regenerate"; readonly id: string }
  | {
    readonly type: "login";
    readonly id: string;
    readonly subject: string;
    readonly label: string | undefined;
  };

/** Everything that a request wants to change. */
export interface Changes {
  /** The changes of the data, in order. */
  readonly operations: readonly DataOperation[];
  /** The flash values to queue. */
  readonly flashed: readonly FlashEntry[];
  /** The ids of the stored flash values that were taken. */
  readonly taken: ReadonlySet<string>;
  /** What `persist` chose, if it was called. */
  readonly persistent: boolean | undefined;
  /** What becomes of the identity, if anything. */
  readonly identity: IdentityChange | undefined;
}

/** What a request changes that changes nothing. */
export const NO_CHANGES: Changes = {
  operations: [],
  flashed: [],
  taken: new Set(),
  persistent: undefined,
  identity: undefined,
};

/** Says whether there is nothing to do. */
export function isEmpty(changes: Changes): boolean {
  return changes.identity === undefined && !changesRecord(changes);
}

/** Says whether anything but the identity changes. */
function changesRecord(changes: Changes): boolean {
  return changes.operations.length > 0 || changes.flashed.length > 0 ||
    changes.taken.size > 0 || changes.persistent !== undefined;
}

/**
 * Applies operations to data.
 *
 * @param data The newest data; it is not changed.
 * @param operations The operations, in order.
 * @returns The data that results; the same object if there are no operations.
 * @throws {TypeError} If an update runs again, and returns what cannot be stored.
 */
export function applyOperations(
  data: ReadonlyMap<string, unknown>,
  operations: readonly DataOperation[],
): ReadonlyMap<string, unknown> {
  if (operations.length === 0) return data;
  const result = new Map(data);
  for (const operation of operations) {
    switch (operation.type) {
      case "set":
        result.set(operation.key, operation.value);
        break;
      case "delete":
        result.delete(operation.key);
        break;
      case "clear":
        result.clear();
        break;
      case "update":
        if (!equalValues(operation.base, result.get(operation.key))) {
          operation.base = result.get(operation.key);
          operation.result = runUpdate(
            operation.key,
            operation.next,
            operation.base,
          );
        }
        result.set(operation.key, operation.result);
        break;
    }
  }
  return result;
}

/**
 * Applies what changes beside the data and the identity.
 *
 * @param record The newest record; it is not changed.
 * @param changes The changes.
 * @param data The data that the record gets.
 * @returns The new record; the same one, if nothing changes.
 */
export function applyChanges(
  record: SessionRecord,
  changes: Changes,
  data: ReadonlyMap<string, unknown>,
): SessionRecord {
  const { flashed, taken, persistent } = changes;
  if (
    data === record.data && flashed.length === 0 && taken.size === 0 &&
    persistent === undefined
  ) return record;
  const flash = flashed.length === 0 && taken.size === 0
    ? record.flash
    : [...record.flash.filter((entry) => !taken.has(entry.id)), ...flashed];
  return {
    ...record,
    data,
    flash,
    persistent: persistent ?? record.persistent,
  };
}

/**
 * Runs the callback of an update on a copy of a value.
 *
 * @param key The key, for the message.
 * @param next The callback.
 * @param base The current value.
 * @returns A copy of what it returned.
 * @throws {TypeError} If it returned a promise, or what cannot be stored, or nothing after a
 *   change of the copy in place.
 */
export function runUpdate(
  key: string,
  next: (current: unknown) => unknown,
  base: unknown,
): unknown {
  const action = "update session value";
  const copy = cloneValue(base, action, key);
  const result = next(copy);
  if (
    typeof (result as { then?: unknown } | null | undefined)?.then ===
      "function"
  ) {
    // it is refused, so nobody else will handle its rejection
    Promise.resolve(result).catch(() => {});
    throw new TypeError(
      `Cannot ${action} ${
        JSON.stringify(key)
      }: want a synchronous callback, which may run again: received a promise`,
    );
  }
  if (result === undefined && !equalValues(base, copy)) {
    throw new TypeError(
      `Cannot ${action} ${
        JSON.stringify(key)
      }: want the callback to return the next value: received undefined, and a change in place of the copy`,
    );
  }
  return cloneValue(result, action, key);
}
