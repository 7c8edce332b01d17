/**
 * Records as values of Redis: JSON text that begins with the version.
 *
 * @module
 */

import { decodeRecord } from "./_codec.ts";
import type { VersionedRecord } from "./session_store.ts";

const HEAD = '{"version":"';
const MIDDLE = '","record":';
const TAIL = "}";

/** Where the version begins, for `GETRANGE`. */
export const VERSION_START = HEAD.length;

/**
 * Makes the value of a record.
 *
 * @param text The encoded record.
 * @param version Its version.
 * @returns What Redis keeps.
 */
export function toValue(text: string, version: string): string {
  return HEAD + version + MIDDLE + text + TAIL;
}

/**
 * Reads the value of a record.
 *
 * @param value What Redis returned.
 * @returns The record: `undefined`, which is none of a session's, if it is
 *   damaged. Or `undefined` if there is no value, or not one of this format.
 */
export function fromValue(value: unknown): VersionedRecord | undefined {
  if (value === null || value === undefined) return undefined;
  // a client may be configured to return buffers
  const text = String(value);
  const end = text.indexOf('"', VERSION_START);
  if (!text.startsWith(HEAD) || !text.startsWith(MIDDLE, end)) return undefined;
  const version = text.slice(VERSION_START, end);
  const start = end + MIDDLE.length;
  try {
    return { record: decodeRecord(text.slice(start, -TAIL.length)), version };
  } catch {
    return { record: undefined, version };
  }
}
