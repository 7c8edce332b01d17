/**
 * Names for commits and flash values that no two of any process share.
 *
 * @module
 */

import { randomBytes } from "node:crypto";

const WRITER_LENGTH = 8;
const COUNTER_LENGTH = 6;
const NONCE_LENGTH = WRITER_LENGTH + COUNTER_LENGTH;

/** How many commits a record remembers at most. */
const REMEMBERED = 32;

/**
 * How many of them are of one writer: those of one session it makes one after the
 * other, so that nothing is looked for but the last; only without batching do they race.
 */
const REMEMBERED_OF_ONE = 4;

/** Makes names that are unique over all processes; later ones of one source are greater. */
export class NonceSource {
  readonly #writer = randomBytes(6).toString("base64url");
  #counter = 0;

  /** Makes a name. */
  next(): string {
    this.#counter = (this.#counter + 1) % 36 ** COUNTER_LENGTH;
    const counter = this.#counter.toString(36).padStart(COUNTER_LENGTH, "0");
    return this.#writer + counter;
  }
}

const source = new NonceSource();

/** Makes a name for what is no manager's. */
export function nextNonce(): string {
  return source.next();
}

/**
 * Puts a commit's name before those that a record remembers.
 *
 * Of those, the first of all stays, and the latest: of each writer a few, so that a busy
 * one does not push out what another looks for.
 */
export function rememberNonce(nonce: string, remembered: string): string {
  const writer = nonce.slice(0, WRITER_LENGTH);
  const first = remembered.length - NONCE_LENGTH;
  let result = nonce;
  let count = 1;
  let ofWriter = 1;
  for (let start = 0; start <= first; start += NONCE_LENGTH) {
    if (start < first) {
      if (count === REMEMBERED - 1) continue;
      if (remembered.startsWith(writer, start)) {
        if (ofWriter === REMEMBERED_OF_ONE) continue;
        ofWriter++;
      }
    }
    result += remembered.slice(start, start + NONCE_LENGTH);
    count++;
  }
  return result;
}

/** Finds the first commit of a record: that which made it. */
export function firstNonce(remembered: string): string {
  return remembered.slice(-NONCE_LENGTH);
}

/** Says whether a record remembers a commit. */
export function remembersNonce(remembered: string, nonce: string): boolean {
  return remembered.includes(nonce);
}
