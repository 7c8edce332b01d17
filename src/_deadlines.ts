/**
 * Deadlines of calls, with one timer for all of them.
 *
 * @module
 */

/** The longest delay that a timer can have (HTML §8.6: a signed 32-bit integer). */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** A timer that is so late will never go off: a fake clock of a test had it. */
const LOST_MS = 1_000;

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

/** Those that have calls under way. */
const busy = new Set<Deadlines>();

/** The timer of them all: to set and clear one costs more than all else that a call needs. */
let timer: ReturnType<typeof setTimeout> | undefined;

/** When it goes off, on the clock of `performance.now`. */
let timerAt = Infinity;

/** Ends calls that take too long; a timer runs only while calls are under way. */
export class Deadlines {
  readonly #timeout: number;
  /** The first and the last of the calls under way, in the order of their deadlines. */
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
    const call: Call = {
      expire,
      deadline: now + this.#timeout,
      pending: true,
      previous,
      next: undefined,
    };
    this.#last = call;
    if (previous !== undefined) previous.next = call;
    else {
      this.#first = call;
      busy.add(this);
    }
    if (call.deadline < timerAt) setTimer(call.deadline, now);
    else if (timerAt + LOST_MS < now) {
      timer = undefined; // by now its number may be another one's
      setTimer(now, now);
    }
    return call;
  }

  /** Notes that a call has ended; says whether it was in time. */
  end(call: Call): boolean {
    if (!call.pending) return false;
    this.#remove(call);
    if (busy.size === 0) clearTimer();
    return true;
  }

  /** Ends the calls whose time is up; returns the deadline of the next one. */
  expire(now: number): number {
    for (let call = this.#first; call !== undefined; call = this.#first) {
      if (call.deadline > now) return call.deadline;
      this.#remove(call);
      call.expire();
    }
    return Infinity;
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
    if (this.#first === undefined) busy.delete(this);
  }
}

function setTimer(at: number, now: number): void {
  clearTimeout(timer);
  const delay = Math.min(at - now, MAX_TIMER_MS);
  timerAt = now + delay;
  timer = setTimeout(expireAll, delay);
}

function clearTimer(): void {
  clearTimeout(timer);
  timer = undefined;
  timerAt = Infinity;
}

function expireAll(): void {
  // timers may go off early: a little, or by far, where a test has a fake clock
  const now = Math.max(performance.now(), timerAt);
  clearTimer();
  const next = Math.min(...[...busy].map((deadlines) => deadlines.expire(now)));
  if (next < timerAt) setTimer(next, now);
}
