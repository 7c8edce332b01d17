/**
 * Encrypts whole sessions into tokens, for managers without a store.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { nodeBuffer, nodeCrypto } from "./_node.ts";
import { deserialize, serialize } from "./_node.ts";
import { parseRecord, type SessionRecord } from "./_record.ts";
import { IssuedTokens } from "./_stateless_issued.ts";

const ALGORITHM = "aes-256-gcm";
const KEY_BYTES = 32;

/** The nonce of GCM; random, as SP 800-38D §8.2.2 allows for 2^32 tokens per key. */
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** How many characters of a token are its nonce. */
const IV_LENGTH = 16;

/** What keys and tokens are bound to, so that they are good for nothing else. */
const PURPOSE = "tessera/session stateless v1";

/** No browser returns a longer one (RFC 6265bis §5.6). */
const MAX_TOKEN_LENGTH = 4_096;

/** A session in a token. */
export interface SealedSession {
  /** The public id. */
  readonly id: string;
  /** The record. */
  readonly record: SessionRecord;
}

/** A session of a token that was decrypted. */
export interface OpenedSession extends SealedSession {
  /** What tells the token from all others. */
  readonly version: string;
  /** Whether an older key made the token, so that a newer one should be handed out. */
  readonly stale: boolean;
}

/** Makes tokens of sessions, and sessions of tokens. */
export interface SessionCipher {
  /** What is known of the tokens that were issued. */
  readonly issued: IssuedTokens;
  /** Encrypts a session for a transport, with the first key. */
  seal(name: string, session: SealedSession): string;
  /** Decrypts a token, and says whether an older key made it; or why it cannot. */
  open(
    name: string,
    token: string,
  ):
    | OpenedSession
    | "malformed"
    | "bad-signature"
    | "corrupt";
}

/**
 * Creates a cipher: AES-256-GCM under keys derived from the secrets.
 *
 * Sessions are serialised by V8 (`node:v8`): the format in which Deno KV keeps
 * them too, which carries all that structured clone does, is read by every later
 * version of V8, and needs no dependency. It is only ever applied to what has been
 * authenticated.
 *
 * @param secrets The secrets; the first encrypts, all decrypt.
 * @returns The cipher.
 */
export function createCipher(
  secrets: readonly (string | Uint8Array)[],
): SessionCipher {
  const keys = secrets.map((secret) =>
    new Uint8Array(
      nodeCrypto().hkdfSync("sha256", secret, "", PURPOSE, KEY_BYTES),
    )
  );
  return {
    issued: new IssuedTokens(),

    seal(name, session) {
      const [key] = keys;
      if (key === undefined) {
        throw new TypeError(
          "Cannot encrypt session: want a key: received none",
        );
      }
      const { createCipheriv, randomBytes } = nodeCrypto();
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv(ALGORITHM, key, iv);
      cipher.setAAD(boundTo(name));
      const text = [cipher.update(serialize(session)), cipher.final()];
      return nodeBuffer().concat([iv, ...text, cipher.getAuthTag()]).toString(
        "base64url",
      );
    },

    open(name, token) {
      if (token.length > MAX_TOKEN_LENGTH) return "malformed";
      const bytes = nodeBuffer().from(token, "base64url");
      // one spelling for each token: no padding, no spare bits, no other alphabet
      if (
        bytes.length < IV_BYTES + TAG_BYTES ||
        bytes.toString("base64url") !== token
      ) {
        return "malformed";
      }
      for (const [index, key] of keys.entries()) {
        const text = decrypt(key, name, bytes);
        if (text !== undefined) {
          return readSession(text, versionOf(token), index > 0);
        }
      }
      return "bad-signature";
    },
  };
}

/**
 * Tells a token from all others, by its nonce.
 *
 * @param token The token.
 * @returns A text of its own: a slice would keep the whole header in memory.
 */
export function versionOf(token: string): string {
  return nodeBuffer().from(token.slice(0, IV_LENGTH)).toString("latin1");
}

/** What a token is authenticated together with. */
function boundTo(name: string): Uint8Array {
  return new TextEncoder().encode(`${PURPOSE}\n${name}`);
}

function decrypt(
  key: Uint8Array,
  name: string,
  bytes: Buffer,
): Buffer | undefined {
  const decipher = nodeCrypto().createDecipheriv(
    ALGORITHM,
    key,
    bytes.subarray(0, IV_BYTES),
    {
      authTagLength: TAG_BYTES,
    },
  );
  decipher.setAAD(boundTo(name));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  const text = decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES));
  try {
    return nodeBuffer().concat([text, decipher.final()]);
  } catch {
    return undefined; // another key's, another transport's, or forged
  }
}

function readSession(
  text: Buffer,
  version: string,
  stale: boolean,
): OpenedSession | "corrupt" {
  try {
    const { id, record } = deserialize(text) as { id: string; record: unknown };
    const parsed = parseRecord(record);
    return parsed === undefined || "forward" in parsed
      ? "corrupt"
      : { id, record: parsed, version, stale };
  } catch {
    return "corrupt"; // written by a later version of V8
  }
}
