/**
 * The credential that travels: `<id>.<secret>`, and `.<mac>` when signed.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

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
const BYTES_LENGTH = 43;
const PLAIN_LENGTH = 26 + 1 + BYTES_LENGTH;
const SIGNED_LENGTH = PLAIN_LENGTH + 1 + BYTES_LENGTH;

/** Room for two texts that are compared, so that nothing is allocated for it. */
const left = new Uint16Array(BYTES_LENGTH);
const right = new Uint16Array(BYTES_LENGTH);

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
  return randomBytes(SECRET_BYTES).toString("base64url");
}

/** Computes what the store may know of a secret: its SHA-256, in base64url. */
export function hashSecret(secret: string): string {
  return createHash("sha256").update(Buffer.from(secret, "base64url")).digest(
    "base64url",
  );
}

/** Says in constant time whether a secret is the one that a hash was made of. */
export function matchesHash(secret: string, hash: string): boolean {
  return equalText(hashSecret(secret), hash);
}

/**
 * Covers one secret with another, so that only who knows the one learns the other.
 *
 * The same call with the same covering secret uncovers it again.
 *
 * @param secret The secret to cover or uncover, in base64url.
 * @param cover The secret that covers it, in base64url.
 * @returns `secret` XOR SHA-256(label + `cover`), in base64url.
 */
export function sealSecret(secret: string, cover: string): string {
  const pad = createHash("sha256").update("tessera/session forward v1\n")
    .update(Buffer.from(cover, "base64url")).digest();
  const bytes = Buffer.from(secret, "base64url");
  return Buffer.from(bytes.map((byte, index) => byte ^ (pad[index] ?? 0)))
    .toString("base64url");
}

/** Compares two hashes in base64url in a time that does not depend on what they are. */
function equalText(a: string, b: string): boolean {
  if (a.length !== BYTES_LENGTH || b.length !== BYTES_LENGTH) return false;
  for (let index = 0; index < BYTES_LENGTH; index++) {
    left[index] = a.charCodeAt(index);
    right[index] = b.charCodeAt(index);
  }
  return timingSafeEqual(left, right);
}

/** Makes tokens of ids and secrets, and reads them back. */
export class TokenCodec {
  readonly #keys: readonly { inner: Buffer; outer: Buffer }[];

  /**
   * Constructs a codec.
   *
   * @param secrets Signing keys, the first signs, all verify; none: no signature.
   */
  constructor(secrets: readonly (string | Uint8Array)[] | undefined) {
    this.#keys = (secrets ?? []).map(deriveKey);
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
    return key === undefined ? body : `${body}.${sign(key, name, body)}`;
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
    const mac = text.slice(PLAIN_LENGTH + 1);
    const index = this.#keys.findIndex((key) =>
      equalText(sign(key, name, body), mac)
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
        Array.isArray(secrets) ? "an empty list" : typeof secrets
      }`,
    );
  }
  const seen = new Set<string>();
  for (const key of secrets) {
    if (typeof key !== "string" && !(key instanceof Uint8Array)) {
      throw new TypeError(
        `${action} must hold strings or Uint8Arrays: received ${typeof key}`,
      );
    }
    const bytes = Buffer.from(key as string);
    if (bytes.length < MIN_KEY_BYTES) {
      throw new RangeError(
        `${action} must have keys of at least ${MIN_KEY_BYTES} bytes: received ${bytes.length} bytes`,
      );
    }
    const text = bytes.toString("base64");
    if (seen.has(text)) {
      throw new TypeError(
        `${action} must not name a key twice: received a duplicate`,
      );
    }
    seen.add(text);
  }
  return [...secrets];
}

/** Prepares a key for HMAC-SHA256 (RFC 2104 §2). */
function deriveKey(
  secret: string | Uint8Array,
): { inner: Buffer; outer: Buffer } {
  let bytes: Buffer = Buffer.from(secret as string);
  if (bytes.length > HMAC_BLOCK_BYTES) {
    bytes = createHash("sha256").update(bytes).digest();
  }
  const inner = Buffer.alloc(HMAC_BLOCK_BYTES, 0x36);
  const outer = Buffer.alloc(HMAC_BLOCK_BYTES, 0x5c);
  for (const [index, byte] of bytes.entries()) {
    inner[index] = 0x36 ^ byte;
    outer[index] = 0x5c ^ byte;
  }
  return { inner, outer };
}

/** HMAC-SHA256 in two plain hashes: `createHmac` costs more, and stalls under load. */
function sign(
  key: { inner: Buffer; outer: Buffer },
  name: string,
  body: string,
): string {
  const digest = createHash("sha256").update(key.inner)
    .update(`tessera/session token v1\n${name}\n${body}`).digest();
  return createHash("sha256").update(key.outer).update(digest).digest(
    "base64url",
  );
}
