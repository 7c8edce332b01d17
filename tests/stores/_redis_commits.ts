/**
 * What the tests of `RedisStore` commit, and where they find it.
 *
 * @module
 */

import type { StoreCommit } from "@tessera/session";

/** How long the records of these tests are kept, unless time is the point. */
export const EXPIRE_IN_MS = 60_000;

/** Indexes: printf %s alice | iconv -t utf-16le | sha256sum, in base64url. */
export const ALICE =
  "{sessions}:subject:37b1Qe-C6RABWfEqhOY11NzgSzEATQWYD8PK6fWhlzc";
export const BOB =
  "{sessions}:subject:ysL2iEbLc--ohXYPUCNZNx1IzFzcvm9JZtFF4r8W4FA";

/** Makes a commit of what is given. */
export function toCommit(changes: Partial<StoreCommit>): StoreCommit {
  return { check: [], put: [], delete: [], ...changes };
}

/** Makes a commit that puts one record. */
export function toPut(
  id: string,
  record: unknown,
  options: { subject?: string; expireIn?: number } = {},
): StoreCommit {
  return toCommit({
    put: [{ id, record, expireIn: EXPIRE_IN_MS, ...options }],
  });
}

/** Waits. */
export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Makes ids. */
export function numbered(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${name}${n}`);
}
