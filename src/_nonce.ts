/**
 * Names for commits and flash values that no two of any process share.
 *
 * @module
 */

import { IdMap } from "./_id_map.ts";

const ALPHABET =
  "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

/** What the names of this process begin with: 48 random bits. */
const PROCESS = Array.from(
  crypto.getRandomValues(new Uint8Array(8)),
  (byte) => ALPHABET[byte % ALPHABET.length],
).join("");
const COUNTER_LENGTH = 6;
const SOURCE_LENGTH = 2;
const NONCE_LENGTH = PROCESS.length + COUNTER_LENGTH + SOURCE_LENGTH;

/** How many commits a record remembers at most, those in doubt apart. */
const REMEMBERED = 32;

/** How many of them are of one source that makes those of a session one after the other. */
const REMEMBERED_OF_ONE = 4;

/** What stands between them and those that made the records before it; no name contains it. */
const PREDECESSORS = ".";

/** How many of those it remembers. */
const MAX_PREDECESSORS = 4;

/** So many commits of a source may be in doubt at a time, those under way apart. */
const MAX_DOUBTS = 10_000;

let counter = 0;
let sources = 0;

/** Makes names that are unique over all processes; later ones of one process are greater. */
export class NonceSource {
  /** What its names end with: sources that share it only forget a little sooner. */
  readonly #suffix = toDigits(sources++, SOURCE_LENGTH);
  readonly #remembered: number;
  /** Those of which it is not known yet whether they took place. */
  readonly #underWay = new IdMap<true>();
  /** Those of which nobody will be told. */
  readonly #doubts = new Set<string>();

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
    return PROCESS + toDigits(++counter, COUNTER_LENGTH) + this.#suffix;
  }

  /** Notes that a commit begins: others may push its name out before it is looked for. */
  begin(nonce: string): void {
    this.#underWay.add(nonce, true);
  }

  /** Notes that it is known whether a commit took place. */
  end(nonce: string): void {
    this.#underWay.delete(nonce);
  }

  /** Notes that nobody knows whether a commit took place, so that it is looked for later. */
  doubt(nonce: string): void {
    this.#underWay.delete(nonce);
    this.#doubts.add(nonce);
    if (this.#doubts.size <= MAX_DOUBTS) return;
    const [oldest] = this.#doubts;
    if (oldest !== undefined) this.#doubts.delete(oldest);
  }

  /**
   * Puts a commit's name before those that a record remembers.
   *
   * Of those, the first of all stays, with what comes after it, and the latest: of this source
   * a few, and those that it does not know the outcome of, so that a busy writer does not push
   * out what another one looks for.
   */
  remember(nonce: string, remembered: string): string {
    const first = endOf(remembered) - NONCE_LENGTH;
    let result = nonce;
    let count = 1;
    let own = 1;
    /** From where on what stays is still to be taken over. */
    let rest = 0;
    for (let start = 0; start < first; start += NONCE_LENGTH) {
      const end = start + NONCE_LENGTH;
      const isOwn = remembered.startsWith(PROCESS, start) &&
        remembered.startsWith(this.#suffix, end - SOURCE_LENGTH);
      const isFull = isOwn && own >= this.#remembered ||
        count >= REMEMBERED - 1;
      if (
        isFull && !(isOwn && count < 2 * REMEMBERED &&
          this.#isOpen(remembered.slice(start, end)))
      ) {
        result += remembered.slice(rest, start);
        rest = end;
      } else {
        count++;
        if (isOwn) own++;
      }
    }
    return result + remembered.slice(rest);
  }

  /** Whether the outcome of a commit is not known. */
  #isOpen(nonce: string): boolean {
    return this.#underWay.has(nonce) ||
      this.#doubts.size > 0 && this.#doubts.has(nonce);
  }
}

const source = new NonceSource();

/** Makes a name for what is no manager's. */
export function nextNonce(): string {
  return source.next();
}

/** Writes the last digits of a number, as many as there is room for. */
function toDigits(number: number, length: number): string {
  return number.toString(36).padStart(length, "0").slice(-length);
}

/** Finds the first commit of a record: that which made it. */
export function firstNonce(remembered: string): string {
  const end = endOf(remembered);
  return remembered.slice(Math.max(0, end - NONCE_LENGTH), end);
}

/**
 * Says what the record remembers that takes the place of another one: the commit that makes it,
 * and, for as long as it lives, those that made the ones before it.
 *
 * @param nonce The name of the commit.
 * @param replaced What the other record remembers.
 */
export function succeedNonce(nonce: string, replaced: string): string {
  const before = firstNonce(replaced) + replaced.slice(endOf(replaced) + 1);
  return before === ""
    ? nonce
    : nonce + PREDECESSORS + before.slice(0, MAX_PREDECESSORS * NONCE_LENGTH);
}

/** Where the names of a record's own commits end. */
function endOf(remembered: string): number {
  const end = remembered.indexOf(PREDECESSORS);
  return end === -1 ? remembered.length : end;
}

/** Says whether a record remembers a commit. */
export function remembersNonce(remembered: string, nonce: string): boolean {
  return remembered.includes(nonce);
}
