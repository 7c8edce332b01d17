/**
 * Databases that are further away than a file.
 *
 * @module
 */

import type { KvDatabase, StorePut } from "@tessera/session";

/** Makes a database of another one, with something about it changed. */
export function changed(
  kv: KvDatabase,
  changes: Partial<KvDatabase>,
): KvDatabase {
  return {
    get: (key) => kv.get(key),
    getMany: (keys) => kv.getMany(keys),
    list: (selector, options) => kv.list(selector, options),
    atomic: () => kv.atomic(),
    close: () => kv.close(),
    ...changes,
  };
}

/** A promise that never settles. */
export function silence(): Promise<never> {
  return new Promise(() => {});
}

/** Lets time run 200 times as fast, until it is disposed of. */
export function hurry(): Disposable {
  const { setTimeout, performance } = globalThis;
  const now = performance.now.bind(performance);
  globalThis.setTimeout =
    ((run: () => void, delay = 0) =>
      setTimeout(run, delay / 200)) as typeof setTimeout;
  performance.now = () => now() * 200;
  return {
    [Symbol.dispose]() {
      globalThis.setTimeout = setTimeout;
      Reflect.deleteProperty(performance, "now");
    },
  };
}

/** Puts a record. */
export function put(id: string): StorePut[] {
  return [{ id, record: { id }, expireIn: 60_000 }];
}
