import {
  assert,
  assertEquals,
  assertNotEquals,
  assertThrows,
} from "@std/assert";
import crypto, { createHash, createHmac } from "node:crypto";
import { Buffer } from "node:buffer";
import { checkSecrets } from "../src/_signing_key.ts";
import {
  generateSecret,
  hashSecret,
  matchesHash,
  sealSecret,
  TokenCodec,
} from "../src/token.ts";
import { collectGarbage } from "./_garbage.ts";
import { withCharacterAt } from "./_helpers.ts";

const ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const NAME = "__Host-session";
const [K1, K2, K3] = ["a", "b", "c"].map((letter) => letter.repeat(32)) as [
  string,
  string,
  string,
];

Deno.test("generateSecret() makes 32 bytes in base64url, never the same", () => {
  const secrets = Array.from({ length: 1_000 }, generateSecret);
  assertEquals(new Set(secrets).size, 1_000);
  for (const secret of secrets) {
    assertEquals(secret.length, 43);
    assertEquals(Buffer.from(secret, "base64url").length, 32);
    assert(/^[\w-]{43}$/.test(secret));
  }
});

Deno.test("hashSecret() is the SHA-256 of the bytes, which matchesHash() recognises", () => {
  const secret = generateSecret();
  const hash = createHash("sha256").update(Buffer.from(secret, "base64url"))
    .digest("hex");
  assertEquals(hashSecret(secret), hash);
  assert(matchesHash(secret, hash));
  assert(!matchesHash(generateSecret(), hash));
  assert(!matchesHash(hash, hash));
  for (const other of ["", hash.slice(1), `${hash}0`, hash.slice(1) + "0"]) {
    assert(!matchesHash(secret, other));
  }
  for (let index = 0; index < hash.length; index++) {
    const digit = hash[index] === "0" ? "1" : "0";
    assert(!matchesHash(secret, withCharacterAt(hash, index, digit)));
  }
});

/** Counts the hashes that a function computes. */
function countHashes(run: () => void): number {
  const { createHash } = crypto;
  let count = 0;
  crypto.createHash = (...args) => {
    count++;
    return createHash(...args);
  };
  try {
    run();
  } finally {
    crypto.createHash = createHash;
  }
  return count;
}

Deno.test("TokenCodec.parse() refuses a token with a wrong signature again without a hash", () => {
  const codec = new TokenCodec([K1]);
  const forge = () => new TokenCodec([K2]).format(NAME, ID, generateSecret());
  const forged = forge();
  const refuse = (text: string, name = NAME) =>
    countHashes(() => assertEquals(codec.parse(name, text), "bad-signature"));

  assertEquals(refuse(forged), 2);
  assertEquals(refuse(forged), 0);
  assertEquals(refuse(forged, "another"), 2); // a signature is bound to the name
  assertEquals(refuse(forged), 2); // of what shares a place, the last is remembered

  const last = forged.length - 40; // of the signature, not of its place
  const sibling = withCharacterAt(
    forged,
    last,
    forged[last] === "A" ? "B" : "A",
  );
  assertEquals(refuse(sibling), 2);
  assertEquals(refuse(sibling), 0);
  assertEquals(refuse(forged), 2);

  // however many come, what is good stays good
  const good = codec.format(NAME, ID, generateSecret());
  for (let count = 0; count < 5_000; count++) codec.parse(NAME, forge());
  assert(typeof codec.parse(NAME, good) === "object");
});

Deno.test("TokenCodec.parse() does not hold on to the headers that refused tokens came in", async () => {
  const codec = new TokenCodec([K1]);
  const forger = new TokenCodec([K2]);
  await collectGarbage();
  const before = Deno.memoryUsage().heapUsed;
  for (let count = 0; count < 400; count++) {
    const forged = forger.format(NAME, ID, generateSecret());
    const header = "Bearer ".padEnd(100_000) + forged;
    const [, token = ""] = /^Bearer +(\S+)$/.exec(header) ?? [];
    assertEquals(codec.parse(NAME, token), "bad-signature");
  }
  await collectGarbage();
  const kept = Deno.memoryUsage().heapUsed - before;
  assert(kept < 10_000_000, `${kept} bytes`); // of 40 MB
  codec.parse(NAME, ""); // it is in use until here
});

Deno.test("sealSecret() covers a secret, and uncovers it with the same one alone", () => {
  const [secret, cover, other] = [
    generateSecret(),
    generateSecret(),
    generateSecret(),
  ];
  const sealed = sealSecret(secret, cover);
  assertEquals(sealed.length, 43);
  assertNotEquals(sealed, secret);
  assertEquals(sealSecret(sealed, cover), secret);
  assertNotEquals(sealSecret(sealed, other), secret);
  // what the store knows of the cover does not uncover it
  const known = Buffer.from(hashSecret(cover), "hex");
  const guess = Buffer.from(sealed, "base64url")
    .map((byte, index) => byte ^ (known[index] ?? 0));
  assertNotEquals(Buffer.from(guess).toString("base64url"), secret);
});

Deno.test("TokenCodec reads what it made, with keys and without", () => {
  for (const keys of [undefined, [K1], [K2, K1]]) {
    const codec = new TokenCodec(keys);
    for (let count = 0; count < 50; count++) {
      const secret = generateSecret();
      const token = codec.format(NAME, ID, secret);
      assertEquals(token.length, keys === undefined ? 70 : 114);
      assert(token.startsWith(`${ID}.${secret}`));
      assertEquals(codec.parse(NAME, token), { id: ID, secret, stale: false });
    }
  }
});

Deno.test("TokenCodec signs with HMAC-SHA256 over a label, the transport's name and the token", () => {
  const keys = [
    K1,
    "x".repeat(63),
    "x".repeat(64),
    "x".repeat(65),
    "x".repeat(1_000),
    "ключ".repeat(10),
    crypto.getRandomValues(new Uint8Array(32)),
    crypto.getRandomValues(new Uint8Array(100)),
  ];
  for (const key of keys) {
    const body = `${ID}.${generateSecret()}`;
    const [id = "", secret = ""] = body.split(".");
    const mac = createHmac("sha256", key)
      .update(`tessera/session token v1\n${NAME}\n${body}`).digest("base64url");
    assertEquals(
      new TokenCodec([key]).format(NAME, id, secret),
      `${body}.${mac}`,
    );
  }
});

Deno.test("TokenCodec signs with the first key, and verifies with all", () => {
  const secret = generateSecret();
  const old = new TokenCodec([K1]).format(NAME, ID, secret);
  const both = new TokenCodec([K2, K1]);
  assertEquals(both.parse(NAME, old), { id: ID, secret, stale: true });
  const fresh = both.format(NAME, ID, secret);
  assertEquals(both.parse(NAME, fresh), { id: ID, secret, stale: false });
  assertEquals(new TokenCodec([K3, K2]).parse(NAME, fresh), {
    id: ID,
    secret,
    stale: true,
  });
  assertEquals(new TokenCodec([K2]).parse(NAME, old), "bad-signature");
  assertEquals(new TokenCodec([K1]).parse(NAME, fresh), "bad-signature");
});

Deno.test("TokenCodec binds a signature to the transport's name", () => {
  const codec = new TokenCodec([K1]);
  const token = codec.format(NAME, ID, generateSecret());
  for (const name of ["session", "__host-session", "", `${NAME}\n`]) {
    assertEquals(codec.parse(name, token), "bad-signature");
  }
});

Deno.test("TokenCodec takes no token of the other kind", () => {
  const [plain, signed] = [new TokenCodec(undefined), new TokenCodec([K1])];
  const secret = generateSecret();
  assertEquals(
    signed.parse(NAME, plain.format(NAME, ID, secret)),
    "malformed",
  );
  assertEquals(
    plain.parse(NAME, signed.format(NAME, ID, secret)),
    "malformed",
  );
});

Deno.test("TokenCodec has one spelling for a token", () => {
  const alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. ";
  for (const keys of [undefined, [K1]]) {
    const codec = new TokenCodec(keys);
    const token = codec.format(NAME, ID, generateSecret());
    const parsed = codec.parse(NAME, token);
    assert(typeof parsed === "object");
    for (let index = 0; index < token.length; index++) {
      for (const character of alphabet) {
        if (character === token[index]) continue;
        const other = token.slice(0, index) + character +
          token.slice(index + 1);
        const result = codec.parse(NAME, other);
        if (keys !== undefined) {
          assert(typeof result === "string", other);
        } else if (typeof result === "object") {
          // another session's token, or another secret: not the same bytes
          assert(
            result.id !== parsed.id ||
              !Buffer.from(result.secret, "base64url")
                .equals(Buffer.from(parsed.secret, "base64url")),
            other,
          );
        }
      }
    }
    for (
      const other of [
        "",
        ".",
        token.slice(1),
        token.slice(0, -1),
        `${token}=`,
        `${token}\n`,
        ` ${token}`,
        `${token}${token}`,
        [...token].reverse().join(""),
        token.toLowerCase(),
        token.replaceAll(".", ""),
        token.replace(ID, "81ARZ3NDEKTSV4RRFFQ69G5FAV"),
        token.replace(ID, "01ARZ3NDEKTSV4RRFFQ69G5FAI"),
        "x".repeat(100_000),
      ]
    ) assertEquals(codec.parse(NAME, other), "malformed", other.slice(0, 200));
  }
});

Deno.test("checkSecrets() takes keys of 32 bytes or more, text or bytes", () => {
  const keys = [K1, new Uint8Array(32), "é".repeat(16)];
  const checked = checkSecrets(keys);
  assertEquals(checked, keys);
  keys.length = 0;
  assertEquals(checked.length, 3);
});

Deno.test("checkSecrets() refuses what is no list of good keys, and shows none of them", () => {
  const bad: [unknown, typeof TypeError | typeof RangeError, string][] = [
    [[], TypeError, "a list of one or more keys: received an empty list"],
    ["x".repeat(32), TypeError, "received string"],
    [new Uint8Array(32), TypeError, "a list of one or more keys"],
    [null, TypeError, "a list of one or more keys"],
    [[7], TypeError, "strings or Uint8Arrays: received number"],
    [[K1, undefined], TypeError, "strings or Uint8Arrays"],
    [["x".repeat(31)], RangeError, "at least 32 bytes: received 31 bytes"],
    [["é".repeat(15)], RangeError, "at least 32 bytes: received 30 bytes"],
    [[K1, ""], RangeError, "received 0 bytes"],
    [[new Uint8Array(31)], RangeError, "received 31 bytes"],
    [[K1, K2, K1], TypeError, "received a duplicate"],
    [[K1, new TextEncoder().encode(K1)], TypeError, "received a duplicate"],
  ];
  for (const [secrets, Class, message] of bad) {
    const error = assertThrows(() => checkSecrets(secrets), Class, message);
    assert(!error.message.includes("aaaa") && !error.message.includes("xxxx"));
  }
});
