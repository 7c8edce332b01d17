/**
 * The credential that travels: `<id>.<secret>`, and `.<mac>` when signed.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { slotOf, SLOTS } from "./_id_map.ts";
import { nodeBuffer, nodeCrypto } from "./_node.ts";
import { RecentMap } from "./_recent.ts";
import { HASH_BYTES, sha256, SigningKey } from "./_signing_key.ts";

/** Bytes of a secret: 256 bits, twice what ASVS 7.2.3 asks for. */
const SECRET_BYTES = 32;

/** A ULID in Crockford's alphabet; 128 bits, so the first character is at most 7. */
const ID = "[0-7][0-9A-HJKMNP-TV-Z]{25}";

/** 32 bytes in base64url: the last character carries four bits, the rest is zero. */
const BYTES = "[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]";

const PLAIN_TOKEN = new RegExp(`^${ID}\\.${BYTES}$`);
const SIGNED_TOKEN = new RegExp(`^${ID}\\.${BYTES}\\.${BYTES}$`);
const PLAIN_LENGTH = 26 + 1 + 43;
const SIGNED_LENGTH = PLAIN_LENGTH + 1 + 43;

/**
 * The hashes of secrets that came lately and were right: hashing is a quarter of the work on a
 * read.
 */
const recentHashes = new RecentMap<string, string>(1_000);

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
  if (known !== undefined) return equalTexts(known, hash);
  const computed = hashSecret(secret);
  const matches = equalTexts(computed, hash);
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
 * Compares two texts in a time that depends on their lengths alone.
 *
 * As they are: to turn hashes in hex into the bytes that `timingSafeEqual` wants takes longer
 * than all else that is done for a token (measured).
 */
function equalTexts(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let index = 0; index < a.length; index++) {
    difference |= a.charCodeAt(index) ^ b.charCodeAt(index);
  }
  return difference === 0;
}

/** Makes tokens of ids and secrets, and reads them back. */
export class TokenCodec {
  readonly #keys: readonly SigningKey[];
  /** Room for the signature of a token, so that nothing is allocated for it. */
  #mac: Buffer | undefined;
  #refused: RefusedTokens | undefined;

  /**
   * Constructs a codec.
   *
   * @param secrets Signing keys, the first signs, all verify; none: no signature.
   */
  constructor(secrets: readonly (string | Uint8Array)[] | undefined) {
    this.#keys = (secrets ?? []).map((secret) =>
      new SigningKey(secret, PLAIN_LENGTH)
    );
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
    if (this.#refused?.has(name, text)) return "bad-signature";
    const index = signed ? this.#signedBy(name, text) : 0;
    if (index === -1) {
      (this.#refused ??= new RefusedTokens()).add(name, text);
      return "bad-signature";
    }
    return {
      id: text.slice(0, 26),
      secret: text.slice(27, PLAIN_LENGTH),
      stale: index > 0,
    };
  }

  /** Finds the key that signed a token; -1 if none did. */
  #signedBy(name: string, text: string): number {
    const mac = this.#mac ??= nodeBuffer().alloc(HASH_BYTES);
    mac.write(text.slice(PLAIN_LENGTH + 1), "base64url");
    return this.#keys.findIndex((key) => key.verify(name, text, mac));
  }
}

/**
 * Tokens whose signature was wrong.
 *
 * A browser whose token was signed with a key that is no longer in use sends it with every
 * request, for nobody takes it away: so it is checked once, not each time.
 *
 * Only well-formed tokens are looked for, so that nobody can guess one bit by bit: each wrong
 * guess is refused too, and takes its place.
 */
class RefusedTokens {
  /** The transports they came by. */
  readonly #names = new Array<string | undefined>(SLOTS).fill(undefined);
  /** Their characters; of a string, engines may keep the whole header that it is a part of. */
  readonly #characters = new Uint8Array(SLOTS * SIGNED_LENGTH);

  /** Whether a token of this transport was refused lately. */
  has(name: string, text: string): boolean {
    const slot = slotOf(text);
    if (this.#names[slot] !== name) return false;
    const start = slot * SIGNED_LENGTH;
    for (let index = 0; index < SIGNED_LENGTH; index++) {
      if (this.#characters[start + index] !== text.charCodeAt(index)) {
        return false;
      }
    }
    return true;
  }

  /** Remembers a token, in place of another one. */
  add(name: string, text: string): void {
    const slot = slotOf(text);
    this.#names[slot] = name;
    const start = slot * SIGNED_LENGTH;
    for (let index = 0; index < SIGNED_LENGTH; index++) {
      this.#characters[start + index] = text.charCodeAt(index);
    }
  }
}
