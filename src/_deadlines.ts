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
  readonly expire: () => void;
  /** When it does, on the clock of `performance.now`. */
  readonly deadline: number;
  /** Whether it is under way. */
  pending: boolean;
  /** The call under way that began before it. */
  previous: Call | undefined;
  /** The call under way that began after it. */
  next: Call | undefined;
}

/**
 * Ends calls that take too long.
 *
 * A timer for each call would cost more than the rest of what is done for it; this one
 * runs only while calls are under way.
 */
export class Deadlines {
  readonly #timeout: number;
  /** The first and the last of the calls under way, in the order of their deadlines. */
  #first: Call | undefined;
  #last: Call | undefined;
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
    const previous = this.#last;
    const call: Call = {
      expire,
      deadline: performance.now() + this.#timeout,
      pending: true,
      previous,
      next: undefined,
    };
    if (previous === undefined) this.#first = call;
    else previous.next = call;
    this.#last = call;
    if (this.#timer === undefined) this.#schedule(this.#timeout);
    return call;
  }

  /** Notes that a call has ended; says whether it was in time. */
  end(call: Call): boolean {
    if (!call.pending) return false;
    this.#remove(call);
    if (this.#first === undefined) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    return true;
  }

  #remove(call: Call): void {
    const { previous, next } = call;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    call.pending = false;
    // one that is never answered, and so never let go, must not hold the others
    call.previous = call.next = undefined;
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
    for (let call = this.#first; call !== undefined; call = this.#first) {
      const left = call.deadline - now;
      if (left >= 1) return this.#schedule(left);
      this.#remove(call);
      call.expire();
    }
  }
}
