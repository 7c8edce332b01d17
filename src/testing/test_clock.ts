/**
 * A clock that a test moves by hand.
 *
 * @module
 */

import { type Duration, toMilliseconds } from "../duration.ts";

/** The greatest and, negated, the smallest time that a `Date` can hold. */
const MAX_TIME_MS = 8.64e15;

/**
 * Stands still until a test moves it: the `clock` option of a manager.
 *
 * @example Looking at tomorrow without waiting for it
 * ```ts
 * import { TestClock } from "@tessera/session/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const clock = new TestClock(0);
 * clock.advance({ days: 1 });
 *
 * assertEquals(clock.now(), 86_400_000);
 * ```
 *
 * @example Seeing a session expire
 * ```ts
 * import { MemoryStore, withSession } from "@tessera/session";
 * import { TestClient, TestClock } from "@tessera/session/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const clock = new TestClock();
 * const handler = withSession((_request, session) => {
 *   session.update<number>("count", (count = 0) => count + 1);
 *   return Response.json(session.get("count"));
 * }, {
 *   store: new MemoryStore(),
 *   idleTimeout: { hours: 1 },
 *   clock: clock.now,
 * });
 * const client = new TestClient(handler, { clock: clock.now });
 *
 * await client.get("/");
 * assertEquals(await (await client.get("/")).json(), 2);
 *
 * clock.advance({ hours: 1, milliseconds: 1 });
 * assertEquals(await (await client.get("/")).json(), 1);
 * ```
 */
export class TestClock {
  #time: number;

  /**
   * Gives the time of the clock, in epoch milliseconds.
   *
   * Bound to the clock, so that it can be handed on as it is.
   *
   * @example Handing the clock on
   * ```ts
   * import { TestClock } from "@tessera/session/testing";
   * import { assertEquals } from "@std/assert";
   *
   * const { now } = new TestClock(1_000);
   * assertEquals(now(), 1_000);
   * ```
   *
   * @returns The time in epoch milliseconds.
   */
  readonly now: () => number = () => this.#time;

  /**
   * Constructs a clock that stands still.
   *
   * @param start Epoch milliseconds; the real time if left out.
   * @throws {RangeError} If `start` is no time that a `Date` can hold.
   */
  constructor(start: number = Date.now()) {
    this.#time = toTime(start);
  }

  /**
   * Moves the clock on.
   *
   * @example Moving the clock in two ways
   * ```ts
   * import { TestClock } from "@tessera/session/testing";
   * import { assertEquals } from "@std/assert";
   *
   * const clock = new TestClock(0);
   * clock.advance(500);
   * clock.advance({ minutes: 1, seconds: 30 });
   *
   * assertEquals(clock.now(), 90_500);
   * ```
   *
   * @param duration How far; back, if it is negative.
   * @throws {TypeError} If `duration` is no duration.
   * @throws {RangeError} If it leads to no time that a `Date` can hold.
   */
  advance(duration: Duration): void {
    this.#time = toTime(this.#time + toMilliseconds(duration));
  }

  /**
   * Sets the clock, forwards or back.
   *
   * @example Setting the clock back
   * ```ts
   * import { TestClock } from "@tessera/session/testing";
   * import { assertEquals } from "@std/assert";
   *
   * const clock = new TestClock(5_000);
   * clock.set(4_000);
   *
   * assertEquals(clock.now(), 4_000);
   * ```
   *
   * @param time Epoch milliseconds.
   * @throws {RangeError} If `time` is no time that a `Date` can hold.
   */
  set(time: number): void {
    this.#time = toTime(time);
  }
}

function toTime(time: number): number {
  if (typeof time !== "number" || !(Math.abs(time) <= MAX_TIME_MS)) {
    throw new RangeError(
      "Cannot set the clock: want epoch milliseconds that a Date can hold: " +
        `received ${typeof time === "number" ? time : `a ${typeof time}`}`,
    );
  }
  return time;
}
