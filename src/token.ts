/**
 * The credential that travels: `<id>.<secret>`, and `.<mac>` when signed.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { describeType } from "./_check.ts";
import { nodeBuffer, nodeCrypto } from "./_node.ts";
import { RecentMap } from "./_recent.ts";

/** Bytes of a secret: 256 bits, twice what ASVS 7.2.3 asks for. */
const SECRET_BYTES = 32;

/** Bytes that SHA-256 works on at a time (RFC 2104's B). */
const HMAC_BLOCK_BYTES = 64;

/** Bytes a signing key needs at least: as many as the hash has (RFC 2104 §3). */
const MIN_KEY_BYTES = 32;

/** A ULID in Crockford's alphabet; 128 bits, so the first character is at most 7. */
const ID = "[0-7][0-9A-HJKMNP-TV-Z]{25}";

/** 32 bytes in base64url: the last character carries four bits, the rest is zero. */
const BYTES = "[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]";

const PLAIN_TOKEN = new RegExp(`^${ID}\\.${BYTES}$`);
const SIGNED_TOKEN = new RegExp(`^${ID}\\.${BYTES}\\.${BYTES}$`);
const PLAIN_LENGTH = 26 + 1 + 43;
const SIGNED_LENGTH = PLAIN_LENGTH + 1 + 43;

/** Bytes of a SHA-256 hash. */
const HASH_BYTES = 32;

/**
 * The hashes of secrets that came lately and were right: hashing is a quarter of the work on a
 * read.
 */
const recentHashes = new RecentMap<string, string>(1_000);

const ENCODER = new TextEncoder();

/** What a token consists of. */
export interface Token {
  /** The public id of the session. */
  id: string;
  /** The secret that proves the right to it, in base64url. */
  secret: string;
  /** Whether a newer token should be handed out: an older key signed it. */
  stale: boolean;
}

/** Generates a secret: 32 bytes of a CSPRNG, in base64url. */
export function generateSecret(): string {
  return nodeCrypto().randomBytes(SECRET_BYTES).toString("base64url");
}

/** Computes what the store may know of a secret: its SHA-256, in hex. */
export function hashSecret(secret: string): string {
  return sha256(nodeBuffer().from(secret, "base64url"));
}

/** Says in constant time whether a secret is the one that a hash was made of. */
export function matchesHash(secret: string, hash: string): boolean {
  const known = recentHashes.get(secret);
  if (known !== undefined) return equalHex(known, hash);
  const computed = hashSecret(secret);
  const matches = equalHex(computed, hash);
  // what a client makes up must not push out what is in use
  if (matches) recentHashes.set(secret, computed);
  return matches;
}

/**
 * Covers one secret with another, so that only those who know the one learn the other.
 *
 * The same call with the same covering secret uncovers it again.
 *
 * @param secret The secret to cover or uncover, in base64url.
 * @param cover The secret that covers it, in base64url.
 * @returns `secret` XOR SHA-256(label + `cover`), in base64url.
 */
export function sealSecret(secret: string, cover: string): string {
  const Buffer = nodeBuffer();
  const pad = nodeCrypto().createHash("sha256").update(
    "tessera/session forward v1\n",
  )
    .update(Buffer.from(cover, "base64url")).digest();
  const bytes = Buffer.from(secret, "base64url");
  return Buffer.from(bytes.map((byte, index) => byte ^ (pad[index] ?? 0)))
    .toString("base64url");
}

/**
 * Hashes bytes.
 *
 * To hex, which engines write twice as fast as any other form (measured).
 */
function sha256(bytes: Uint8Array): string {
  return nodeCrypto().createHash("sha256").update(bytes).digest("hex");
}

/**
 * Compares two hashes in hex in a time that does not depend on what they are.
 *
 * As text: to turn them into the bytes that `timingSafeEqual` wants takes longer than
 * all else that is done for a token (measured).
 */
function equalHex(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let index = 0; index < a.length; index++) {
    difference |= a.charCodeAt(index) ^ b.charCodeAt(index);
  }
  return difference === 0;
}

/** Compares a hash in hex with bytes, likewise. */
function equalBytes(hex: string, bytes: Uint8Array): boolean {
  let difference = 0;
  for (let index = 0; index < HASH_BYTES; index++) {
    difference |= byteAt(hex, index) ^ (bytes[index] ?? 0);
  }
  return difference === 0;
}

/** Reads a byte of a hash in hex. */
function byteAt(hex: string, index: number): number {
  return digitOf(hex.charCodeAt(2 * index)) << 4 |
    digitOf(hex.charCodeAt(2 * index + 1));
}

/** The value of a hex digit: those of letters follow those of figures by 39. */
function digitOf(code: number): number {
  return code - (code > 57 ? 87 : 48);
}

/** Makes tokens of ids and secrets, and reads them back. */
export class TokenCodec {
  readonly #keys: readonly SigningKey[];
  /** Room for the signature of a token, so that nothing is allocated for it. */
  #mac: Buffer | undefined;

  /**
   * Constructs a codec.
   *
   * @param secrets Signing keys, the first signs, all verify; none: no signature.
   */
  constructor(secrets: readonly (string | Uint8Array)[] | undefined) {
    this.#keys = (secrets ?? []).map((secret) => new SigningKey(secret));
  }

  /**
   * Makes the token that travels.
   *
   * @param name The name of the transport, which a signature is bound to.
   * @param id The public id.
   * @param secret The secret, in base64url.
   * @returns The token.
   */
  format(name: string, id: string, secret: string): string {
    const body = `${id}.${secret}`;
    const key = this.#keys[0];
    if (key === undefined) return body;
    const mac = nodeBuffer().from(key.sign(name, body), "hex");
    return `${body}.${mac.toString("base64url")}`;
  }

  /**
   * Reads a token, without any lookup.
   *
   * @param name The name of the transport it came by.
   * @param text What the client sent.
   * @returns The token, or why it is none.
   */
  parse(name: string, text: string): Token | "malformed" | "bad-signature" {
    const signed = this.#keys.length > 0;
    if (text.length !== (signed ? SIGNED_LENGTH : PLAIN_LENGTH)) {
      return "malformed";
    }
    if (!(signed ? SIGNED_TOKEN : PLAIN_TOKEN).test(text)) return "malformed";
    const token = {
      id: text.slice(0, 26),
      secret: text.slice(27, PLAIN_LENGTH),
      stale: false,
    };
    if (!signed) return token;
    const body = text.slice(0, PLAIN_LENGTH);
    const mac = this.#mac ??= nodeBuffer().alloc(HASH_BYTES);
    mac.write(text.slice(PLAIN_LENGTH + 1), "base64url");
    const index = this.#keys.findIndex((key) =>
      equalBytes(key.sign(name, body), mac)
    );
    if (index === -1) return "bad-signature";
    token.stale = index > 0;
    return token;
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
 * A key for HMAC-SHA256 (RFC 2104 §2).
 *
 * In two plain hashes over bytes that lie ready: `createHmac` costs three times as
 * much, and stalls under load (measured).
 */
class SigningKey {
  readonly #inner = new Uint8Array(HMAC_BLOCK_BYTES).fill(0x36);
  readonly #outer = new Uint8Array(HMAC_BLOCK_BYTES + HASH_BYTES).fill(0x5c);
  /** What is hashed first, by the name of the transport: all but the token is there. */
  readonly #messages = new Map<string, Uint8Array>();

  constructor(secret: string | Uint8Array) {
    let bytes = bytesOf(secret);
    if (bytes.length > HMAC_BLOCK_BYTES) {
      bytes = nodeBuffer().from(sha256(bytes), "hex");
    }
    for (const [index, byte] of bytes.entries()) {
      this.#inner[index] = 0x36 ^ byte;
      this.#outer[index] = 0x5c ^ byte;
    }
  }

  /** Signs the id and secret of a token for a transport; returns the MAC in hex. */
  sign(name: string, body: string): string {
    const message = this.#messageFor(name);
    const start = message.length - PLAIN_LENGTH;
    for (let index = 0; index < PLAIN_LENGTH; index++) {
      message[start + index] = body.charCodeAt(index);
    }
    const inner = sha256(message);
    for (let index = 0; index < HASH_BYTES; index++) {
      this.#outer[HMAC_BLOCK_BYTES + index] = byteAt(inner, index);
    }
    return sha256(this.#outer);
  }

  #messageFor(name: string): Uint8Array {
    let message = this.#messages.get(name);
    if (message === undefined) {
      const label = ENCODER.encode(`tessera/session token v1\n${name}\n`);
      message = new Uint8Array(HMAC_BLOCK_BYTES + label.length + PLAIN_LENGTH);
      message.set(this.#inner);
      message.set(label, HMAC_BLOCK_BYTES);
      this.#messages.set(name, message);
    }
    return message;
  }
}
