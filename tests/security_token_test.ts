/**
 * The credential: what it is made of, what is stored of it, and when it changes.
 */

import { Buffer } from "node:buffer";
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
} from "@std/assert";
import { MemoryStore, type Session, SessionManager } from "@tessera/session";
import {
  BASE64URL,
  COOKIE,
  Events,
  get,
  getWith,
  key,
  testOnStores,
  tokenOf,
} from "./_helpers.ts";

const TOKEN = /^[0-7][0-9A-HJKMNP-TV-Z]{25}\.[\w-]{42}[AEIMQUYcgkosw048]$/;

/** Sets a value, so that there is a session to keep. */
function remember(session: Session): Response {
  session.set("seen", true);
  return new Response(session.id);
}

/** Answers with what the handler sees of the session. */
function show(session: Session): Response {
  return Response.json({
    isNew: session.isNew,
    subject: session.subject,
    data: Object.fromEntries(session.entries()),
  });
}

Deno.test("R1 10,000 tokens are all different, and every bit of their secrets is balanced", async () => {
  const count = 10_000;
  const sessions = new SessionManager({ store: new MemoryStore() });
  const tokens = new Set<string>();
  const secrets = new Set<string>();
  const ones = new Array<number>(256).fill(0);
  for (let index = 0; index < count; index++) {
    const token = tokenOf(await sessions.handle(get(), remember));
    assertMatch(token, TOKEN);
    tokens.add(token);
    const secret = token.slice(27);
    secrets.add(secret);
    for (let bit = 0; bit < 256; bit++) {
      const digit = BASE64URL.indexOf(secret.charAt(Math.floor(bit / 6)));
      ones[bit] = (ones[bit] ?? 0) + (digit >> (5 - bit % 6) & 1);
    }
  }
  assertEquals([tokens.size, secrets.size], [count, count]);
  // 350 is seven standard deviations: a fair bit strays so far once in 10^12
  const biased = ones.flatMap((set, bit) =>
    Math.abs(set - count / 2) > 350 ? [{ bit, set }] : []
  );
  assertEquals(biased, []);
});

Deno.test("R1 the same client gets another secret with every new session", async () => {
  const clock = () => 1_700_000_000_000;
  const sessions = new SessionManager({ store: new MemoryStore(), clock });
  const [first, second] = [
    tokenOf(await sessions.handle(get(), remember)),
    tokenOf(await sessions.handle(get(), remember)),
  ];
  assertNotEquals(first.slice(27), second.slice(27));
  assertEquals(first.slice(0, 10), second.slice(0, 10), "the time is public");
  assertNotEquals(first.slice(10, 26), second.slice(10, 26));
});

for (const secrets of [undefined, [key("sign")]]) {
  const kind = secrets === undefined ? "plain" : "signed";

  testOnStores(
    `R2 the store never holds a token or a secret, ${kind}`,
    async ({ store, dump }) => {
      const sessions = new SessionManager({ store, secrets });
      const first = tokenOf(await sessions.handle(get(), remember));
      const rotated = tokenOf(
        await sessions.handle(getWith(first), (session) => {
          session.regenerate();
          return remember(session);
        }),
      );
      const signedIn = tokenOf(
        await sessions.handle(getWith(rotated), (session) => {
          session.login("ada");
          return remember(session);
        }),
      );
      const text = await dump();
      assert(text.includes("secretHash"), "the dump shows the records");
      for (const token of [first, rotated, signedIn]) {
        const [, secret = "", mac] = token.split(".");
        assertEquals(secret.length, 43);
        assert(!text.includes(token) && !text.includes(secret));
        assert(mac === undefined || !text.includes(mac));
        const bytes = Uint8Array.fromBase64(secret, { alphabet: "base64url" });
        assert(!text.includes(bytes.toHex()));
      }
      assert(text.includes(signedIn.slice(0, 26)), "the id is public");
    },
  );
}

testOnStores(
  "R2 what a replaced id leaves behind does not tell the new secret to who reads the store",
  async ({ store, dump }) => {
    const sessions = new SessionManager({ store });
    const first = tokenOf(await sessions.handle(get(), remember));
    const second = tokenOf(
      await sessions.handle(getWith(first), (session) => {
        session.regenerate();
        return new Response();
      }),
    );
    const { record } = await store.get(first.slice(0, 26)) ?? {};
    const { forward, secretHash, sealed } = record as Record<string, string>;
    assertEquals(forward, second.slice(0, 26));
    const text = await dump();
    assert(!text.includes(first.slice(27)) && !text.includes(second.slice(27)));
    const hash = Buffer.from(secretHash ?? "", "hex");
    const uncovered = Buffer.from(sealed ?? "", "base64url")
      .map((byte, index) => byte ^ (hash[index] ?? 0))
      .toBase64({ alphabet: "base64url", omitPadding: true });
    const events = new Events();
    const thief = new SessionManager({ store, onEvent: events.push });
    for (const id of [first, second].map((token) => token.slice(0, 26))) {
      for (const secret of [sealed, inBase64url(secretHash), uncovered]) {
        const response = await thief.handle(getWith(`${id}.${secret}`), show);
        assertEquals((await response.json()).isNew, true);
      }
    }
    assertEquals(events.take(), new Array(6).fill("refused bad-secret"));
  },
);

testOnStores("R2 the stored hash is no credential", async ({ store }) => {
  const events = new Events();
  const sessions = new SessionManager({ store, onEvent: events.push });
  const id = tokenOf(await sessions.handle(get(), remember)).slice(0, 26);
  const { record } = await store.get(id) ?? {};
  const { secretHash } = record as { secretHash: string };
  const stolen = `${id}.${inBase64url(secretHash)}`;
  assertMatch(stolen, TOKEN, "it looks like a token");
  events.take();

  const response = await sessions.handle(getWith(stolen), show);

  assertEquals(await response.json(), { isNew: true, data: {} });
  assertEquals(events.take(), ["refused bad-secret"]);
});

testOnStores(
  "R3 an id that the server did not issue is never adopted",
  async ({ store }) => {
    const planted = `01ARZ3NDEKTSV4RRFFQ69G5FAV.${"a".repeat(42)}A`;
    assertMatch(planted, TOKEN);
    const events = new Events();
    const sessions = new SessionManager({ store, onEvent: events.push });

    const visit = await sessions.handle(getWith(planted), remember);
    const login = await sessions.handle(getWith(planted), (session) => {
      session.login("ada");
      return new Response(session.id);
    });

    for (const response of [visit, login]) {
      const token = tokenOf(response);
      assertEquals(token.slice(0, 26), await response.text());
      assertNotEquals(token.slice(0, 26), planted.slice(0, 26));
      assertNotEquals(token.slice(27), planted.slice(27));
    }
    assertEquals(await store.get(planted.slice(0, 26)), undefined);
    const again = await sessions.handle(getWith(planted), show);
    assertEquals(await again.json(), { isNew: true, data: {} });
    assertEquals(events.take(), [
      "refused unknown",
      "created",
      "refused unknown",
      "created",
      "login",
      "refused unknown",
    ]);
  },
);

testOnStores(
  "R3 the id of a session with a secret of one's own is not adopted either",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    const good = tokenOf(await sessions.handle(get(), remember));
    const forged = `${good.slice(0, 26)}.${"b".repeat(42)}A`;

    const response = await sessions.handle(getWith(forged), remember);

    assertNotEquals(tokenOf(response).slice(0, 26), good.slice(0, 26));
    const owner = await sessions.handle(getWith(good), show);
    assertEquals((await owner.json()).isNew, false);
  },
);

testOnStores(
  "R4 login, another login and logout each end the id before, and the data stays until logout",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    const anonymous = tokenOf(
      await sessions.handle(get(), (session) => {
        session.set("cart", ["apples"]);
        return new Response();
      }),
    );
    const signIn = async (token: string, subject: string) => {
      const response = await sessions.handle(getWith(token), (session) => {
        session.login(subject);
        return new Response(session.id);
      });
      const next = tokenOf(response);
      assertEquals(next.slice(0, 26), await response.text());
      assertNotEquals(next.slice(0, 26), token.slice(0, 26), "another id");
      assertNotEquals(next.slice(27), token.slice(27), "another secret");
      return next;
    };
    const assertDead = async (token: string) => {
      assertEquals(await store.get(token.slice(0, 26)), undefined);
      const response = await sessions.handle(getWith(token), show);
      assertEquals(await response.json(), { isNew: true, data: {} });
      assertEquals(response.headers.getSetCookie(), []);
    };

    const ada = await signIn(anonymous, "ada");
    await assertDead(anonymous);
    const root = await signIn(ada, "root");
    await assertDead(ada);
    const shown = await sessions.handle(getWith(root), show);
    assertEquals(await shown.json(), {
      isNew: false,
      subject: "root",
      data: { cart: ["apples"] },
    });
    const gone = await sessions.handle(getWith(root), (session) => {
      session.logout();
      return new Response();
    });
    assertEquals(tokenOf(gone), "");
    await assertDead(root);

    const next = tokenOf(await sessions.handle(getWith(root), remember));
    assertNotEquals(next.slice(0, 26), root.slice(0, 26));
  },
);

testOnStores(
  "R4 the id of an anonymous visitor who signs in at once is made by the login",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    let before = "";
    const response = await sessions.handle(get(), (session) => {
      before = session.id;
      session.set("seen", true);
      session.login("ada");
      return new Response(session.id);
    });
    assertNotEquals(await response.text(), before);
    assertEquals(await store.get(before), undefined);
    assertEquals((await Array.fromAsync(store.list())).length, 1);
  },
);

testOnStores(
  "R41 parallel first requests each get a sound session of their own",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    const responses = await Promise.all(
      Array.from(
        { length: 20 },
        (_, index) =>
          sessions.handle(get(), (session) => {
            session.set("index", index);
            return new Response(session.id);
          }),
      ),
    );
    const tokens = responses.map((response) => tokenOf(response, COOKIE));
    assertEquals(new Set(tokens.map((token) => token.slice(0, 26))).size, 20);
    for (const [index, token] of tokens.entries()) {
      const response = await sessions.handle(getWith(token), show);
      assertEquals(await response.json(), { isNew: false, data: { index } });
    }
  },
);

/** Writes a stored hash as the secrets of tokens are written. */
function inBase64url(hash: string | undefined): string {
  return Buffer.from(hash ?? "", "hex").toString("base64url");
}
