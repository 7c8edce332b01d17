/**
 * Public ids that sort in the order in which they were made.
 *
 * @module
 */

import { ulid } from "@std/ulid";

/** Crockford's alphabet, as ULIDs use it. */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** Characters that tell the millisecond. */
const TIME_LENGTH = 10;

/** Where the part ends that counts up within a millisecond; 60 random bits follow. */
const SEQUENCE_END = TIME_LENGTH + 4;

/** Makes the ids of one manager. */
export class IdSource {
  #last = "";

  /**
   * Makes an id.
   *
   * @param now The time, in epoch milliseconds.
   * @returns A ULID, greater than the last one of the same millisecond; they show their
   *   time and order, and are no credentials.
   */
  next(now: number): string {
    const fresh = ulid(Math.max(0, now));
    const time = fresh.slice(0, TIME_LENGTH);
    const sequence = this.#last.startsWith(time)
      ? increment(this.#last.slice(TIME_LENGTH, SEQUENCE_END))
      : undefined;
    this.#last = sequence === undefined
      ? fresh
      : time + sequence + fresh.slice(SEQUENCE_END);
    return this.#last;
  }
}

/** Makes what no id of a time, or of a later one, is less than. */
export function earliestId(time: number): string {
  return ulid(Math.max(0, time)).slice(0, TIME_LENGTH);
}

/** Counts up in Crockford's alphabet; `undefined` where there is no more to count. */
function increment(digits: string): string | undefined {
  for (let index = digits.length - 1; index >= 0; index--) {
    const value = ALPHABET.indexOf(digits.charAt(index)) + 1;
    if (value === ALPHABET.length) continue;
    const zeros = "0".repeat(digits.length - index - 1);
    return digits.slice(0, index) + ALPHABET.charAt(value) + zeros;
  }
  return undefined;
}
