/**
 * The serialiser of V8, which Deno KV uses too; runtimes without V8 have none.
 *
 * @module
 */

import { nodeV8 } from "./_node.ts";

/**
 * Serialises a value, as Deno KV does to the byte.
 *
 * `serialize` of `node:v8` does not: it has a format of its own for typed arrays, and
 * reads them back as views of one common buffer, with which KV would then store the
 * whole buffer.
 *
 * @param value Anything.
 * @returns The bytes.
 * @throws {Error} What V8 throws if it cannot; the message may show a part of the value.
 */
export function serialize(value: unknown): Uint8Array {
  const serializer = new (nodeV8().Serializer)();
  serializer.writeHeader();
  serializer.writeValue(value);
  const { buffer, byteOffset, byteLength } = serializer.releaseBuffer();
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/**
 * Reads what {@linkcode serialize} wrote.
 *
 * @param bytes The bytes.
 * @returns The value.
 * @throws {Error} If they are none.
 */
export function deserialize(bytes: Uint8Array): unknown {
  const deserializer = new (nodeV8().Deserializer)(bytes);
  deserializer.readHeader();
  return deserializer.readValue();
}
