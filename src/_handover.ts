/**
 * Commits whose records nobody changes any more.
 *
 * @module
 */

import type { StoreCommit } from "./session_store.ts";

/** The commit that is being handed over. */
let current: StoreCommit | undefined;

/**
 * Hands a commit to a store for good, so that `KvStore` need not copy its records.
 *
 * @param commit The commit; it and its records are never changed again.
 * @param call Calls the store with it.
 * @returns What `call` returns.
 */
export function handOver<T>(commit: StoreCommit, call: () => T): T {
  current = commit;
  try {
    return call();
  } finally {
    current = undefined;
  }
}

/** Whether a commit is being handed over for good. */
export function isHandedOver(commit: StoreCommit): boolean {
  return commit === current;
}
