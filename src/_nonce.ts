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

/** How many of them are of one writer that makes those of a session one after the other. */
const REMEMBERED_OF_ONE = 4;

/** Makes names that are unique over all processes; later ones of one source are greater. */
export class NonceSource {
  readonly #writer = randomBytes(6).toString("base64url");
  readonly #remembered: number;
  #counter = 0;

  /**
   * Constructs a source.
   *
   * @param options `serial`: whether its commits of one session never race each other,
   *   so that only the last one is ever looked for; `true` by default.
   */
  constructor({ serial = true }: { serial?: boolean } = {}) {
    this.#remembered = serial ? REMEMBERED_OF_ONE : REMEMBERED;
  }

  /** Makes a name. */
  next(): string {
    this.#counter = (this.#counter + 1) % 36 ** COUNTER_LENGTH;
    const counter = this.#counter.toString(36).padStart(COUNTER_LENGTH, "0");
    return this.#writer + counter;
  }

  /**
   * Puts a commit's name before those that a record remembers.
   *
   * Of those, the first of all stays, and the latest: of this source a few, so that a busy
   * writer does not push out what another one looks for.
   */
  remember(nonce: string, remembered: string): string {
    const first = remembered.length - NONCE_LENGTH;
    let result = nonce;
    let count = 1;
    let own = 1;
    for (let start = 0; start <= first; start += NONCE_LENGTH) {
      const isOwn = remembered.startsWith(this.#writer, start);
      const isFull = isOwn && own === this.#remembered ||
        count === REMEMBERED - 1;
      if (isFull && start < first) continue;
      result += remembered.slice(start, start + NONCE_LENGTH);
      count++;
      if (isOwn) own++;
    }
    return result;
  }
}

const source = new NonceSource();

/** Makes a name for what is no manager's. */
export function nextNonce(): string {
  return source.next();
}

/** Finds the first commit of a record: that which made it. */
export function firstNonce(remembered: string): string {
  return remembered.slice(-NONCE_LENGTH);
}

/** Says whether a record remembers a commit. */
export function remembersNonce(remembered: string, nonce: string): boolean {
  return remembered.includes(nonce);
}
