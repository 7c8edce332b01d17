/**
 * The keys that sign tokens.
 *
 * @module
 */

import { describeType } from "./_check.ts";
import { nodeBuffer, nodeCrypto } from "./_node.ts";

/** Bytes that SHA-256 works on at a time (RFC 2104's B). */
const HMAC_BLOCK_BYTES = 64;

/** Bytes a signing key needs at least: as many as the hash has (RFC 2104 §3). */
const MIN_KEY_BYTES = 32;

/** Bytes of a SHA-256 hash. */
export const HASH_BYTES = 32;

const ENCODER = new TextEncoder();

/** What hex digits stand for, by their codes: a table is faster than to reckon (measured). */
const DIGITS = Uint8Array.from(
  { length: 128 },
  (_, code) => Number.parseInt(String.fromCharCode(code), 16),
);

/**
 * A key for HMAC-SHA256 (RFC 2104 §2).
 *
 * In two plain hashes over bytes that lie ready: `createHmac` costs three times as
 * much, and stalls under load (measured).
 */
export class SigningKey {
  readonly #length: number;
  readonly #inner = new Uint8Array(HMAC_BLOCK_BYTES).fill(0x36);
  readonly #outer = new Uint8Array(HMAC_BLOCK_BYTES + HASH_BYTES).fill(0x5c);
  /** What is hashed first, by the name of the transport: all but the token is there. */
  readonly #messages = new Map<string, Uint8Array>();

  /**
   * Constructs a key.
   *
   * @param secret The secret.
   * @param length How many characters of a token, all of them ASCII, it signs.
   */
  constructor(secret: string | Uint8Array, length: number) {
    this.#length = length;
    let bytes = bytesOf(secret);
    if (bytes.length > HMAC_BLOCK_BYTES) {
      bytes = nodeBuffer().from(sha256(bytes), "hex");
    }
    for (const [index, byte] of bytes.entries()) {
      this.#inner[index] = 0x36 ^ byte;
      this.#outer[index] = 0x5c ^ byte;
    }
  }

  /** Signs what a token begins with, for a transport; returns the MAC in hex. */
  sign(name: string, token: string): string {
    const message = this.#messageFor(name);
    const start = message.length - this.#length;
    for (let index = 0; index < this.#length; index++) {
      message[start + index] = token.charCodeAt(index);
    }
    const inner = sha256(message);
    for (let index = 0; index < HASH_BYTES; index++) {
      this.#outer[HMAC_BLOCK_BYTES + index] = byteAt(inner, index);
    }
    return sha256(this.#outer);
  }

  /** Says whether a MAC is that of what a token begins with. */
  verify(name: string, token: string, mac: Uint8Array): boolean {
    return equalBytes(this.sign(name, token), mac);
  }

  #messageFor(name: string): Uint8Array {
    let message = this.#messages.get(name);
    if (message === undefined) {
      const label = ENCODER.encode(`tessera/session token v1\n${name}\n`);
      message = new Uint8Array(HMAC_BLOCK_BYTES + label.length + this.#length);
      message.set(this.#inner);
      message.set(label, HMAC_BLOCK_BYTES);
      this.#messages.set(name, message);
    }
    return message;
  }
}

/**
 * Checks the signing keys.
 *
 * @param secrets What the `secrets` option was given.
 * @returns The same keys.
 * @throws {TypeError} If it is not a list of keys, is empty, or a key comes twice.
 * @throws {RangeError} If a key is shorter than 32 bytes.
 */
export function checkSecrets(
  secrets: unknown,
): readonly (string | Uint8Array)[] {
  const action = `Cannot create SessionManager: "secrets"`;
  if (!Array.isArray(secrets) || secrets.length === 0) {
    throw new TypeError(
      `${action} must be a list of one or more keys: received ${
        Array.isArray(secrets) ? "an empty list" : describeType(secrets)
      }`,
    );
  }
  const seen = new Set<string>();
  for (const key of secrets) {
    if (typeof key !== "string" && !(key instanceof Uint8Array)) {
      throw new TypeError(
        `${action} must hold strings or Uint8Arrays: received ${
          describeType(key)
        }`,
      );
    }
    const bytes = bytesOf(key);
    if (bytes.length < MIN_KEY_BYTES) {
      throw new RangeError(
        `${action} must have keys of at least ${MIN_KEY_BYTES} bytes: received ${bytes.length} bytes`,
      );
    }
    const text = bytes.join();
    if (seen.has(text)) {
      throw new TypeError(
        `${action} must not name a key twice: received a duplicate`,
      );
    }
    seen.add(text);
  }
  return [...secrets];
}

/** The bytes of a key. */
function bytesOf(key: string | Uint8Array): Uint8Array {
  return typeof key === "string" ? ENCODER.encode(key) : key;
}

/**
 * Hashes bytes.
 *
 * To hex, which engines write twice as fast as any other form (measured).
 */
export function sha256(bytes: Uint8Array): string {
  return nodeCrypto().createHash("sha256").update(bytes).digest("hex");
}

/** Compares a hash in hex with bytes, in a time that does not depend on what they are. */
function equalBytes(hex: string, bytes: Uint8Array): boolean {
  let difference = 0;
  for (let index = 0; index < HASH_BYTES; index++) {
    difference |= byteAt(hex, index) ^ (bytes[index] ?? 0);
  }
  return difference === 0;
}

/** Reads a byte of a hash in hex. */
function byteAt(hex: string, index: number): number {
  return (DIGITS[hex.charCodeAt(2 * index)] as number) << 4 |
    (DIGITS[hex.charCodeAt(2 * index + 1)] as number);
}
