/**
 * One timer for all calls that must end in time.
 *
 * @module
 */

/** The longest delay that a timer can have (HTML §8.6: a signed 32-bit integer). */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** A call that must end in time. */
export interface Call {
  /** Called if it did not. */
  readonly expire: () => void;
  /** When it does, on the clock of `performance.now`; infinite once it has ended. */
  deadline: number;
  /** The calls under way that began before and after it. */
  previous: Call | undefined;
  next: Call | undefined;
}

/** Those who have calls under way. */
const waiting = new Set<Deadlines>();
let timer: ReturnType<typeof setTimeout> | undefined;
/** When the timer is due. */
let due = Infinity;

/**
 * Ends calls that take too long; all calls of one of these have the same time.
 *
 * A timer for each call would cost more than the rest of what is done for it. So all
 * share one, which runs only while calls are under way.
 */
export class Deadlines {
  readonly #timeout: number;
  /** The calls under way, in the order of their deadlines. */
  #first: Call | undefined;
  #last: Call | undefined;

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
    const now = performance.now();
    const deadline = now + this.#timeout;
    const call = { expire, deadline, previous, next: undefined };
    this.#last = call;
    if (previous !== undefined) previous.next = call;
    else {
      this.#first = call;
      waiting.add(this);
    }
    if (deadline < due) schedule(deadline, this.#timeout);
    else if (now > due) schedule(now, 0); // a timer that somebody has removed
    return call;
  }

  /** Notes that a call has ended; says whether it was in time. */
  end(call: Call): boolean {
    if (call.deadline === Infinity) return false;
    this.#remove(call);
    if (waiting.size === 0) {
      clearTimeout(timer);
      due = Infinity;
    }
    return true;
  }

  /**
   * Ends the calls whose time is up.
   *
   * @param now The time, on the clock of `performance.now`.
   * @returns The next deadline, if there is one.
   */
  expire(now: number): number {
    // timers may fire a fraction of a millisecond early
    while (this.#first !== undefined && this.#first.deadline - now < 1) {
      const { expire } = this.#first;
      this.#remove(this.#first);
      expire();
    }
    return this.#first?.deadline ?? Infinity;
  }

  #remove(call: Call): void {
    const { previous, next } = call;
    call.deadline = Infinity;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    if (this.#first === undefined) waiting.delete(this);
  }
}

function schedule(deadline: number, delay: number): void {
  clearTimeout(timer);
  due = deadline;
  timer = setTimeout(expireAll, Math.min(delay, MAX_TIMER_MS));
}

function expireAll(): void {
  due = Infinity;
  const now = performance.now();
  let next = Infinity;
  for (const deadlines of [...waiting]) {
    next = Math.min(next, deadlines.expire(now));
  }
  if (next < due) schedule(next, next - now);
}
