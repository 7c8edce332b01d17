/**
 * Ids and subjects as Postgres can keep them.
 *
 * @module
 */

import { createHash } from "node:crypto";

/** So long an id fits into an index page, whatever its characters. */
const LONGEST_ID = 600;

/** What text in Postgres cannot hold, or would not sort by code unit. */
const UNFIT = /[\0\ud800-\udfff]/;

/**
 * Says whether there can be a record with an id.
 *
 * Postgres's text holds no NUL and no lone surrogates; and surrogate pairs sort
 * after U+FFFF there, but before U+E000 in JavaScript.
 */
export function acceptsId(id: string): boolean {
  return id.length <= LONGEST_ID && !UNFIT.test(id);
}

/**
 * Makes an upper bound that Postgres takes.
 *
 * @param before Any string.
 * @returns A string that the same of all acceptable ids sort before.
 */
export function toBound(before: string): string {
  const end = before.search(UNFIT);
  if (end === -1) return before;
  return before.slice(0, end) + (before[end] === "\0" ? "\u0001" : "\ue000");
}

/** Hashes over code units, not UTF-8: lone surrogates stay distinct. */
export function hashSubject(subject: string): string {
  return createHash("sha256").update(subject, "utf16le").digest("hex");
}
