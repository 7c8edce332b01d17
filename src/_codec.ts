/**
 * Records as readable text: JSON that carries all of structured clone.
 *
 * For stores whose engine keeps text; docs/encoding.md lists the tags.
 *
 * @module
 */

import { Decoder } from "./_codec_decoder.ts";
import { encode } from "./_codec_encoder.ts";
import { UNFAMILIAR } from "./_codec_kinds.ts";

/**
 * Encodes a record.
 *
 * As structured clone does, it makes plain objects of class instances, and
 * drops symbol keys and what an app has put on a Date, Map and the like. Takes
 * time in proportion to the size of the record.
 *
 * @param value The record: anything that structured clone carries.
 * @returns JSON text.
 * @throws {TypeError} If the record holds what structured clone does not carry,
 *   or shared memory.
 */
export function encodeRecord(value: unknown): string {
  try {
    try {
      return encode(value);
    } catch (error) {
      if (error !== UNFAMILIAR) throw error;
      return encode(structuredClone(value));
    }
  } catch {
    // no cause: its message may show what could not be encoded
    throw new TypeError(
      "Cannot encode a record: want values that structured clone carries: received one that it does not",
    );
  }
}

/**
 * Decodes a record.
 *
 * @param text What {@linkcode encodeRecord} made.
 * @returns The record, a new copy each time.
 * @throws {SyntaxError} If the text cannot be decoded.
 */
export function decodeRecord(text: string): unknown {
  const json: unknown = JSON.parse(text);
  // every tag is a key that begins with `$`
  if (!text.includes('"$')) return json;
  try {
    return new Decoder().decode(json);
  } catch (cause) {
    throw new SyntaxError("Cannot decode a record: want text of its format", {
      cause,
    });
  }
}
