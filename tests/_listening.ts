/**
 * Stores whose lists take their time.
 *
 * @module
 */

import type { SessionStore } from "@tessera/session";

/** A store whose lists, which read record after record, a test gets in the way of. */
export function listening(
  store: SessionStore,
  { list, entry }: {
    /** Awaited before each list. */
    list?: (lists: number) => Promise<unknown>;
    /** Awaited before each entry of a list. */
    entry?: (entries: number) => Promise<unknown>;
  },
): SessionStore & { readonly lists: number } {
  let lists = 0;
  let entries = 0;
  return {
    get: (id) => store.get(id),
    commit: (commit) => store.commit(commit),
    async *list(options) {
      lists++;
      await list?.(lists);
      const listed = await Array.fromAsync(store.list(options));
      for (const { id } of listed) {
        entries++;
        await entry?.(entries);
        const found = await store.get(id);
        if (found !== undefined) yield { id, ...found };
      }
    },
    get lists() {
      return lists;
    },
  };
}
