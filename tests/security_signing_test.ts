/**
 * What makes a token valid: one spelling, and a signature.
 */

import { assert, assertEquals } from "@std/assert";
import { type Session, SessionManager } from "@tessera/session";
import { matchesHash, TokenCodec } from "../src/token.ts";
import {
  BASE64URL,
  Events,
  get,
  getWith,
  key,
  NO_CALLS,
  testOnStores,
  tokenOf,
  withCharacterAt,
} from "./_helpers.ts";

const K1 = key("one");

function remember(session: Session): Response {
  session.set("seen", true);
  return new Response();
}

function isNew(session: Session): Response {
  return Response.json(session.isNew);
}

/** Says whether a manager takes a token for a session's. */
async function accepts(
  sessions: SessionManager,
  token: string,
): Promise<boolean> {
  const response = await sessions.handle(getWith(token), isNew);
  assertEquals(response.headers.getSetCookie(), [], `no cookie for ${token}`);
  return !(await response.json());
}

testOnStores(
  "R13 100,000 forged tokens cost no store call",
  async ({ store }) => {
    const events = new Map<string, number>();
    const sessions = new SessionManager({
      store,
      secrets: [K1],
      onEvent: (event) => {
        const text = "reason" in event
          ? `${event.type} ${event.reason}`
          : event.type;
        events.set(text, (events.get(text) ?? 0) + 1);
      },
    });
    const good = tokenOf(await sessions.handle(get(), remember));
    store.take();
    events.clear();
    let anonymous = 0;
    const note = (session: Session) => {
      if (session.isNew) anonymous++;
      return NOTHING;
    };
    for (let index = 0; index < 25_000; index++) {
      const id = index.toString(32).toUpperCase().replace(/[ILOU]/g, "Z")
        .padStart(26, "0");
      const forged = [
        id + good.slice(26), // another id under the same signature
        good.slice(0, 27) + id + good.slice(53), // another secret
        good.slice(0, 71) + id + good.slice(97), // another signature
        good.slice(0, 70), // no signature
      ];
      const cookie = forged.map((token) => `__Host-session=${token}`).join(
        "; ",
      );
      await sessions.handle(get(cookie), note);
    }
    assertEquals(anonymous, 25_000);
    assertEquals(Object.fromEntries(events), {
      "refused bad-signature": 75_000,
      "refused malformed": 25_000,
    });
    assertEquals(store.take(), NO_CALLS);
    assert(await accepts(sessions, good));
  },
);

const NOTHING = new Response();

for (const secrets of [undefined, [K1]]) {
  const kind = secrets === undefined ? "plain" : "signed";

  testOnStores(
    `R14 a change of any byte makes a ${kind} token worthless`,
    async ({ store }) => {
      const sessions = new SessionManager({ store, secrets });
      const good = tokenOf(await sessions.handle(get(), remember));
      assert(await accepts(sessions, good));
      store.take();
      for (let index = 0; index < good.length; index++) {
        const old = good.charAt(index);
        const digit = BASE64URL.indexOf(old);
        const others = new Set([
          BASE64URL.charAt(digit ^ 1), // the lowest bit, which may be a spare one
          BASE64URL.charAt(digit ^ 32),
          index % 2 === 0 ? "0" : "Z",
          old.toUpperCase(),
          old.toLowerCase(),
          ".",
          "=",
          "+",
          "%",
          "\xa0",
        ]);
        others.delete(old);
        for (const other of others) {
          const changed = withCharacterAt(good, index, other);
          assert(!await accepts(sessions, changed), `${other} at ${index}`);
        }
      }
      if (secrets !== undefined) assertEquals(store.take(), NO_CALLS);
      assert(await accepts(sessions, good));
    },
  );

  testOnStores(
    `R14 a ${kind} token has one spelling, checked without a store call`,
    async ({ store }) => {
      const events = new Events();
      const sessions = new SessionManager({
        store,
        secrets,
        onEvent: events.push,
      });
      const good = tokenOf(await sessions.handle(get(), remember));
      const [id = "", secret = "", ...mac] = good.split(".");
      const spare = (text: string, bits: number) =>
        text.slice(0, -1) +
        BASE64URL.charAt(BASE64URL.indexOf(text.slice(-1)) | bits);
      const bytes = Uint8Array.fromBase64(secret, { alphabet: "base64url" });
      const join = (...parts: string[]) => [...parts, ...mac].join(".");
      const spellings = {
        "lower case id": join(id.toLowerCase(), secret),
        "Crockford's look-alikes": join(id.replaceAll("0", "O"), secret),
        "a spare bit": join(id, spare(secret, 1)),
        "the other spare bit": join(id, spare(secret, 2)),
        "padding": `${good}=`,
        "padding of the secret": join(id, `${secret}=`),
        "base64": join(id, bytes.toBase64({ omitPadding: true }) + "+"),
        "hex": join(id, bytes.toHex()),
        "percent-encoding": `${good.slice(0, 26)}%2E${good.slice(27)}`,
        "quotes": `"${good}"`,
        "truncated": good.slice(0, -1),
        "truncated in front": good.slice(1),
        "doubled": good + good,
        "doubled with a dot": `${good}.${good}`,
        "reversed": [...good].reverse().join(""),
        "lower case": good.toLowerCase(),
        "a dot more": `${good}.`,
        "a dot before": `.${good}`,
        "a part more": `${good}.${secret}`,
        "a part less": id,
        "no dot": good.replace(".", ""),
        "a dot elsewhere": `${good.slice(0, 27)}.${good.slice(27, -1)}`,
        "an equals sign before": `=${good}`,
        "a comma": `${good},`,
        "a space within": withCharacterAt(good, 40, " "),
        "a byte A0 before": `\xa0${good}`,
        "a byte A0 after": `${good}\xa0`,
        ...(secrets === undefined
          ? { "a signature more": join(good, secret) }
          : {
            "a spare bit of the signature": spare(good, 1),
            "no signature": `${id}.${secret}`,
            "an empty signature": `${id}.${secret}.`,
          }),
      };
      store.take();
      events.take();
      for (const [what, spelling] of Object.entries(spellings)) {
        assert(!await accepts(sessions, spelling), what);
        assertEquals(events.take(), ["refused malformed"], what);
        assertEquals(store.take(), NO_CALLS, what);
      }
      assert(await accepts(sessions, good));
    },
  );
}

Deno.test("R15 secrets and signatures are compared in constant time", () => {
  // what a clock would show is noise here, so the source answers
  const source = ["token.ts", "_signing_key.ts"].map((file) =>
    Deno.readTextFileSync(new URL(`../src/${file}`, import.meta.url))
  ).join("\n");
  const body = (name: string) => {
    const start = source.indexOf(name);
    assert(start > 0, name);
    return source.slice(start, source.indexOf("\n}\n", start));
  };
  for (
    const [name, turn] of [
      [
        "equalTexts",
        "difference |= a.charCodeAt(index) ^ b.charCodeAt(index);",
      ],
      ["equalBytes", "difference |= byteAt(hex, index) ^ (bytes[index] ?? 0);"],
    ] as const
  ) {
    // everything is looked at: nothing leaves the loop, or skips a turn of it
    const loop = body(`function ${name}(`).match(
      /\n {2}for \([^)]*\) \{\n {4}([^]*)\n {2}\}\n {2}return difference === 0;/,
    );
    assertEquals(loop?.[1], turn);
  }
  assert(body("function matchesHash(").includes("return equalTexts("));
  const codec = body("class TokenCodec");
  assert(codec.includes("key.verify(name, text, mac)"));
  // refused tokens are compared until they differ: a guess must take the place of one
  const [shape = "", memory = ""] = codec.split("this.#refused?.has(");
  assert(shape.includes(`.test(text)) return "malformed";`));
  assert(memory.includes("this.#refused ??= new RefusedTokens()).add("));
  assert(
    body("class SigningKey").includes(
      "equalBytes(this.sign(name, token), mac)",
    ),
  );
  for (const entry of Deno.readDirSync(new URL("../src/", import.meta.url))) {
    if (!entry.isFile) continue;
    const text = Deno.readTextFileSync(
      new URL(`../src/${entry.name}`, import.meta.url),
    );
    const compared = text.match(
      /\b(?:secret|secretHash|hash|mac) (?:===|!==)(?! undefined| "string")|(?:===|!==) (?:\w+\.)*(?:secret|secretHash|hash|mac)\b/g,
    );
    assertEquals(compared, null, entry.name);
  }
});

Deno.test("R15 matchesHash() and TokenCodec.parse() refuse what has another length", () => {
  assertEquals(matchesHash("a".repeat(43), "short"), false);
  assertEquals(matchesHash("a".repeat(43), ""), false);
  const codec = new TokenCodec([K1]);
  const token = codec.format("name", "0".repeat(26), "A".repeat(43));
  assertEquals(codec.parse("name", token), {
    id: "0".repeat(26),
    secret: "A".repeat(43),
    stale: false,
  });
  assertEquals(codec.parse("name", token.slice(0, -2)), "malformed");
});
