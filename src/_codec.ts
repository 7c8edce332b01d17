/**
 * Records as readable text: JSON that carries all of structured clone.
 *
 * For stores whose engine keeps text. What JSON can say, it says: plain values
 * come out as they are. Everything else is a tag, an object whose one and only
 * key begins with `$`:
 *
 * | tag | stands for |
 * | --- | --- |
 * | `{"$undefined":true}` | `undefined` |
 * | `{"$number":"NaN"}` | `NaN`, `Infinity`, `-Infinity` or `-0` |
 * | `{"$bigint":"123"}` | a bigint |
 * | `{"$date":"2026-01-01T00:00:00.000Z"}` | a `Date`; `null`: an invalid one |
 * | `{"$map":[[key,value],…]}` | a `Map` |
 * | `{"$set":[value,…]}` | a `Set` |
 * | `{"$regexp":["source","flags"]}` | a `RegExp` |
 * | `{"$boxed":primitive}` | a `Number`, `String`, `Boolean` or `BigInt` object |
 * | `{"$error":{"name":…,"message":…,"stack":…,"cause":…}}` | an `Error`; name: its class |
 * | `{"$ArrayBuffer":"base64"}` | an `ArrayBuffer`; resizable: `["base64",maxByteLength]` |
 * | `{"$Uint8Array":"base64"}` | a typed array or `DataView` (each by its name) on the whole of a buffer |
 * | `{"$Uint8Array":[buffer,byteOffset,length]}` | one on part of a buffer, or on a shared one |
 * | `{"$array":[length,{"0":value,…}]}` | an array with holes, or with other properties |
 * | `{"$shared":[n,value]}` | an object that occurs again, where it occurs first |
 * | `{"$ref":n}` | the same object, wherever it occurs again, cycles included |
 * | `{"$object":{…}}` | an object that looks like a tag, but is none |
 * | `{"$object":[[key,value],…]}` | one with a key that JSON cannot write without an escape; within `$array` too |
 *
 * Numbers in binary data are little-endian. Text holds no NUL and no lone
 * surrogate, for JSON escapes them (`\u0000`, `\ud800`): it fits any column of
 * text, and Postgres's `json`, but not its `jsonb`, which unescapes them. The
 * order of keys and entries is kept.
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
