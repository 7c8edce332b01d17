/**
 * Work that many ask for at a time.
 *
 * @module
 */

/**
 * Does work in rounds: who asks while a round is under way gets the next one, as this one may
 * have passed by already what it is wanted for.
 */
export class Rounds<Result> {
  /** The rounds that are under way. */
  readonly #running = new Map<string, Promise<Result>>();
  /** Those that come next. */
  readonly #next = new Map<string, Promise<Result>>();

  /**
   * Joins the next round.
   *
   * @param key What the work is about; rounds of other keys run beside it.
   * @param work Does the work, for all who have joined.
   * @returns What the work resolves to.
   */
  join(key: string, work: () => Promise<Result>): Promise<Result> {
    let round = this.#next.get(key);
    if (round === undefined) {
      round = this.#run(key, work, this.#running.get(key));
      this.#next.set(key, round);
    }
    return round;
  }

  async #run(
    key: string,
    work: () => Promise<Result>,
    before: Promise<Result> | undefined,
  ): Promise<Result> {
    await before?.catch(() => {});
    await undefined; // so that those of this moment come along
    this.#next.delete(key);
    const running = work();
    this.#running.set(key, running);
    try {
      return await running;
    } finally {
      if (this.#running.get(key) === running) this.#running.delete(key);
    }
  }
}
