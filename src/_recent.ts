/**
 * Remembers a bounded number of things, those that were used last.
 *
 * @module
 */

/** A map that forgets what has not been used for long. */
export class RecentMap<K, V> {
  readonly #limit: number;
  /** What was used since the last change of generations, and what in the one before. */
  #young = new Map<K, V>();
  #old = new Map<K, V>();

  /**
   * Constructs a map.
   *
   * @param limit How many entries a generation has; there are two of them.
   */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Finds a value, and keeps it for longer. */
  get(key: K): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  /** Remembers a value. */
  set(key: K, value: V): void {
    if (this.#young.size >= this.#limit) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }
}
