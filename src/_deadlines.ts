/**
 * One timer for many calls that all have the same time.
 *
 * @module
 */

/** The longest delay that a timer can have (HTML §8.6: a signed 32-bit integer). */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** A call that must end in time. */
export interface Call {
  /** Called if it did not. */
  expire(): void;
  /** When it does, on the clock of `performance.now`. */
  deadline: number;
}

/**
 * Ends calls that take too long.
 *
 * A timer for each call would cost more than the rest of what is done for it; this one
 * runs only while calls are under way.
 */
export class Deadlines {
  readonly #timeout: number;
  /** The calls under way, in the order of their deadlines. */
  readonly #calls = new Set<Call>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * Constructs the deadlines.
   *
   * @param timeout The milliseconds that each call has.
   */
  constructor(timeout: number) {
    this.#timeout = timeout;
  }

  /** Notes that a call begins. */
  begin(expire: () => void): Call {
    const call = { expire, deadline: performance.now() + this.#timeout };
    this.#calls.add(call);
    if (this.#timer === undefined) this.#schedule(this.#timeout);
    return call;
  }

  /** Notes that a call has ended. */
  end(call: Call): void {
    this.#calls.delete(call);
    if (this.#calls.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(delay: number): void {
    this.#timer = setTimeout(
      () => this.#expire(),
      Math.min(delay, MAX_TIMER_MS),
    );
  }

  #expire(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const call of this.#calls) {
      const left = call.deadline - now;
      if (left >= 1) {
        return this.#schedule(left);
      }
      this.#calls.delete(call);
      call.expire();
    }
  }
}
