/**
 * What Node.js has built in, loaded when it is first needed.
 *
 * For the first of these modules Deno starts its whole Node.js layer, which takes longer
 * than to import this package (measured: 16 ms beside 11); a process whose requests bring
 * no session never needs it.
 *
 * @module
 */

interface NodeModules {
  readonly "node:buffer": typeof import("node:buffer");
  readonly "node:crypto": typeof import("node:crypto");
  readonly "node:util": typeof import("node:util");
  readonly "node:v8": typeof import("node:v8");
}

let buffer: NodeModules["node:buffer"] | undefined;
let crypto: NodeModules["node:crypto"] | undefined;
let v8: NodeModules["node:v8"] | undefined;

/** Returns the `Buffer` of `node:buffer`. */
export function nodeBuffer(): NodeModules["node:buffer"]["Buffer"] {
  return (buffer ??= load("node:buffer")).Buffer;
}

/** Returns `node:crypto`. */
export function nodeCrypto(): NodeModules["node:crypto"] {
  return crypto ??= load("node:crypto");
}

/** Returns `node:util`, which may be missing. */
export function nodeUtil(): NodeModules["node:util"] | undefined {
  return find("node:util");
}

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
  const serializer = new ((v8 ??= load("node:v8")).Serializer)();
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
  const deserializer = new ((v8 ??= load("node:v8")).Deserializer)(bytes);
  deserializer.readHeader();
  return deserializer.readValue();
}

function load<Name extends keyof NodeModules>(name: Name): NodeModules[Name] {
  const module = find(name);
  if (module === undefined) {
    throw new TypeError(
      `Cannot use sessions: the runtime must have ${name} in process.getBuiltinModule, as Deno 2.1, Node.js 20.16 or 22.3, Bun and Workers with nodejs_compat do: received none`,
    );
  }
  return module;
}

function find<Name extends keyof NodeModules>(
  name: Name,
): NodeModules[Name] | undefined {
  const { process } = globalThis as {
    process?: {
      getBuiltinModule?: (name: Name) => NodeModules[Name] | undefined;
    };
  };
  return process?.getBuiltinModule?.(name);
}
