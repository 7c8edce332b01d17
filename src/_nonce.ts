/**
 * Names for commits and flash values that no two of any process share.
 *
 * @module
 */

import { randomBytes } from "node:crypto";

const PREFIX = randomBytes(6).toString("base64url");
const COUNTER_LENGTH = 6;
const NONCE_LENGTH = PREFIX.length + COUNTER_LENGTH;

/** How many commits a record remembers. */
const REMEMBERED = 8;

let counter = 0;

/** Makes a name that is unique over all processes, and of a fixed length. */
export function nextNonce(): string {
  counter = (counter + 1) % 36 ** COUNTER_LENGTH;
  return PREFIX + counter.toString(36).padStart(COUNTER_LENGTH, "0");
}

/** Puts a commit's name before those that a record remembers. */
export function rememberNonce(nonce: string, remembered: string): string {
  return (nonce + remembered).slice(0, NONCE_LENGTH * REMEMBERED);
}

/** Says whether a record remembers a commit. */
export function remembersNonce(remembered: string, nonce: string): boolean {
  return remembered.includes(nonce);
}
