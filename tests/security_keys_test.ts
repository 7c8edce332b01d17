/**
 * The key ring: rotation, bad keys, and what a signature is bound to.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  headerTransport,
  type Session,
  SessionManager,
  type SessionOptions,
} from "@tessera/session";
import { TokenCodec } from "../src/token.ts";
import {
  Events,
  get,
  getWith,
  key,
  NO_CALLS,
  testOnStores,
  tokenOf,
} from "./_helpers.ts";

const [K1, K2] = [key("one"), key("two")];

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
  "R16 keys rotate: old tokens work while their key is there, and are issued anew",
  async ({ store }) => {
    const events = new Events();
    const withKeys = (...secrets: string[]) =>
      new SessionManager({ store, secrets, onEvent: events.push });
    const [before, during, after] = [
      withKeys(K1),
      withKeys(K2, K1),
      withKeys(K2),
    ];
    const old = tokenOf(await before.handle(get(), remember));
    assert(!await accepts(after, old), "a new key alone knows it not");
    events.take();
    store.take();

    // even a request that only loads gets the new spelling, without a write
    const response = await during.handle(
      getWith(old),
      () => new Response("untouched"),
    );
    assertEquals(await response.text(), "untouched");
    // the second read: an older token must not replace one that is newer by now
    assertEquals(store.take(), { gets: 2, commits: 0, lists: 0 });
    const renewed = tokenOf(response);
    assertEquals(renewed.slice(0, 70), old.slice(0, 70), "id and secret stay");
    assert(renewed.slice(70) !== old.slice(70), "the signature is new");
    assertEquals(response.headers.get("cache-control"), "no-store");
    assertEquals(response.headers.get("vary"), "Cookie");
    assertEquals(events.take(), []);

    assert(await accepts(during, renewed), "not issued again and again");
    assert(await accepts(after, renewed));
    assert(!await accepts(after, old));
    assert(!await accepts(before, renewed));
    assertEquals(events.take(), [
      "refused bad-signature",
      "refused bad-signature",
    ]);
  },
);

testOnStores(
  "R16 a write with a token of the old key issues it anew, too",
  async ({ store }) => {
    const old = tokenOf(
      await new SessionManager({ store, secrets: [K1] }).handle(
        get(),
        remember,
      ),
    );
    const sessions = new SessionManager({ store, secrets: [K2, K1] });
    const renewed = tokenOf(
      await sessions.handle(getWith(old), (session) => {
        session.set("seen", false);
        return new Response();
      }),
    );
    assertEquals(renewed.slice(0, 70), old.slice(0, 70));
    assert(await accepts(sessions, renewed));
  },
);

const BAD_SECRETS: [
  what: string,
  secrets: unknown,
  Class: typeof TypeError | typeof RangeError,
  message: string,
][] = [
  ["an empty list", [], TypeError, "a list of one or more keys"],
  ["no list", K1, TypeError, "a list of one or more keys"],
  ["null", null, TypeError, "a list of one or more keys"],
  ["a number", [42], TypeError, "strings or Uint8Arrays"],
  ["a hole", [K1, undefined], TypeError, "strings or Uint8Arrays"],
  ["a buffer", [new ArrayBuffer(32)], TypeError, "strings or Uint8Arrays"],
  ["an empty key", [""], RangeError, "at least 32 bytes: received 0 bytes"],
  ["a short key", ["x".repeat(31)], RangeError, "at least 32 bytes"],
  ["a short second key", [K1, "short"], RangeError, "at least 32 bytes"],
  ["short bytes", [new Uint8Array(31)], RangeError, "received 31 bytes"],
  ["a key twice", [K1, K2, K1], TypeError, "twice"],
  ["a key as text and as bytes", [K1, utf8(K1)], TypeError, "twice"],
];

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

for (const [what, secrets, Class, message] of BAD_SECRETS) {
  Deno.test(`R16 SessionManager() refuses ${what} as secrets`, () => {
    const options = { secrets } as SessionOptions;
    const error = assertThrows(
      () => new SessionManager(options),
      Class,
      message,
    );
    assert(error.message.includes(`"secrets"`));
    assert(!error.message.includes(K1) && !error.message.includes("short"));
  });
}

testOnStores(
  "R16 a key is its bytes: text and Uint8Array are the same, and length counts bytes",
  async ({ store }) => {
    const text = "ключ".repeat(4); // 16 characters, 32 bytes
    const token = tokenOf(
      await new SessionManager({ store, secrets: [text] })
        .handle(get(), remember),
    );
    const bytes = utf8(text);
    const sessions = new SessionManager({ store, secrets: [bytes] });
    bytes.fill(0); // the caller may wipe it
    assert(await accepts(sessions, token));
  },
);

Deno.test("R16 long keys count to their last byte", () => {
  const long = "k".repeat(99);
  const token = new TokenCodec([`${long}1`]).format(
    "n",
    "0".repeat(26),
    SECRET,
  );
  assertEquals(
    new TokenCodec([`${long}2`]).parse("n", token),
    "bad-signature",
  );
});

const SECRET = "A".repeat(43);

testOnStores(
  "R17 a token signed for one cookie name is worth nothing under another",
  async ({ store }) => {
    const events = new Events();
    const secrets = [K1];
    const named = (name: string) =>
      new SessionManager({
        store,
        secrets,
        cookie: { name },
        onEvent: events.push,
      });
    const shop = tokenOf(await named("shop").handle(get(), remember), "shop");
    events.take();
    store.take();
    const request = (name: string) => get(`${name}=${shop}`);
    for (const name of ["admin", "Shop", "shop2"]) {
      const response = await named(name).handle(request(name), isNew);
      assertEquals(await response.json(), true, name);
    }
    assertEquals(events.take(), new Array(3).fill("refused bad-signature"));
    assertEquals(store.take(), NO_CALLS);
    const own = await named("shop").handle(request("shop"), isNew);
    assertEquals(await own.json(), false);
  },
);

testOnStores(
  "R17 a token signed for a cookie is worth nothing in a header",
  async ({ store }) => {
    const events = new Events();
    const byCookie = new SessionManager({ store, secrets: [K1] });
    const byHeader = new SessionManager({
      store,
      secrets: [K1],
      transport: headerTransport(),
      onEvent: events.push,
    });
    const token = tokenOf(await byCookie.handle(get(), remember));
    const request = new Request("https://example.com/", {
      headers: { "x-session": token },
    });
    const response = await byHeader.handle(request, isNew);
    assertEquals(await response.json(), true);
    assertEquals(events.take(), ["refused bad-signature"]);
  },
);

testOnStores(
  "R17 tokens of stateless sessions are bound to their cookie name, too",
  async () => {
    const events = new Events();
    const named = (name: string) =>
      new SessionManager({
        stateless: true,
        secrets: [K1],
        cookie: { name },
        onEvent: events.push,
      });
    const shop = tokenOf(await named("shop").handle(get(), remember), "shop");
    events.take();
    const other = await named("admin").handle(get(`admin=${shop}`), isNew);
    assertEquals(await other.json(), true);
    assertEquals(events.take(), ["refused bad-signature"]);
    const own = await named("shop").handle(get(`shop=${shop}`), isNew);
    assertEquals(await own.json(), false);
  },
);
