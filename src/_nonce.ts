/**
 * Names for commits and flash values that no two of any process share.
 *
 * @module
 */

import { randomBytes } from "node:crypto";

const PREFIX = randomBytes(6).toString("base64url");
const COUNTER_LENGTH = 6;
const NONCE_LENGTH = PREFIX.length + COUNTER_LENGTH;

/** How many commits a record remembers: more than others make before a lost answer is looked into. */
const REMEMBERED = 32;

let counter = 0;

/** Makes a name that is unique over all processes; in one process, later ones are greater. */
export function nextNonce(): string {
  counter = (counter + 1) % 36 ** COUNTER_LENGTH;
  return PREFIX + counter.toString(36).padStart(COUNTER_LENGTH, "0");
}

/** Puts a commit's name before those that a record remembers. */
export function rememberNonce(nonce: string, remembered: string): string {
  return (nonce + remembered).slice(0, NONCE_LENGTH * REMEMBERED);
}

/** Finds the oldest commit that a record remembers: the first of all, if they are few. */
export function firstNonce(remembered: string): string {
  return remembered.slice(-NONCE_LENGTH);
}

/** Says whether a record remembers a commit. */
export function remembersNonce(remembered: string, nonce: string): boolean {
  return remembered.includes(nonce);
}
