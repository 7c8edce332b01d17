/**
 * What the tests of the codec share.
 *
 * @module
 */

import { assert } from "@std/assert";
import { decodeRecord, encodeRecord } from "../src/_codec.ts";
import { equalValues } from "../src/_value.ts";
import { findDifference } from "../src/testing/_difference.ts";

/** Asserts that a value comes back as structured clone would copy it. */
export function assertRoundTrip(value: unknown): void {
  const text = encodeRecord(value);
  const decoded = decodeRecord(text);
  const expected = structuredClone(value);
  const difference = findDifference(decoded, expected);
  assert(difference === undefined, `${difference}, of ${text}`);
  // Order of keys, offsets of views, and the insides of errors.
  assert(equalValues(decoded, expected), text);
  // Whatever it holds, it is plain JSON that can be put anywhere as it is.
  JSON.parse(text);
  assert(text.isWellFormed() && !text.includes("\0"));
}
