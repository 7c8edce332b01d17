/**
 * Sessions that are kept in their tokens, by the same handlers as all others.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  bearerTransport,
  headerTransport,
  MemoryStore,
  SessionManager,
  type SessionOptions,
  SessionTooLargeError,
  withSession,
} from "@tessera/session";
import { TestClient, TestClock } from "@tessera/session/testing";
import { Events, get, key, tokenOf } from "./_helpers.ts";
import { Visitor } from "./_visitor.ts";

const STATELESS = { stateless: true, secrets: [key("a")] };

/** Visits an app whose sessions are in their cookies. */
function newVisitor(options: SessionOptions = {}): Visitor {
  return new Visitor(new SessionManager({ ...STATELESS, ...options }));
}

const KINDS: Record<string, SessionOptions> = {
  "a store": { store: new MemoryStore() },
  "no store": STATELESS,
};

for (const [kind, options] of Object.entries(KINDS)) {
  Deno.test(`the same handler signs in, shops and signs out with ${kind}`, async () => {
    const handler = withSession(async (request, session) => {
      const { pathname, searchParams } = new URL(request.url);
      const item = searchParams.get("item");
      if (pathname === "/login") session.login("ada", { label: "phone" });
      else if (pathname === "/logout") session.logout();
      else if (item !== null) {
        session.get<string[]>("cart")?.push(item) ??
          session.set("cart", [item]);
        session.update<number>("items", (items = 0) => items + 1);
        session.flash("notice", `${item} added`);
        await session.commit();
      } else {
        return Response.json({
          subject: session.subject,
          cart: session.get("cart"),
          items: session.get("items"),
          notice: session.flash("notice"),
        });
      }
      return new Response("done");
    }, options);
    const client = new TestClient(handler);
    const page = async () => await (await client.get("/")).json();
    assertEquals(await page(), {});
    await client.get("/add?item=apples");
    await client.get("/login");
    await client.get("/add?item=pears");
    const shown = { subject: "ada", cart: ["apples", "pears"], items: 2 };
    assertEquals(await page(), { ...shown, notice: "apples added" });
    assertEquals(await page(), { ...shown, notice: "pears added" });
    assertEquals(await page(), shown);
    await client.get("/logout");
    assertEquals(await page(), {});
    assertEquals(client.cookies, []);
  });
}

Deno.test("a stateless session carries everything that structured clone carries", async () => {
  const cyclic: Record<string, unknown> = { name: "loop" };
  cyclic.self = cyclic;
  const buffer = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8).buffer;
  const values: Record<string, unknown> = {
    undefined: undefined,
    null: null,
    nan: NaN,
    negativeZero: -0,
    infinity: -Infinity,
    bigint: -(2n ** 70n),
    text: "a\0\ud800é\u{1f600}",
    date: new Date(1_700_000_000_000),
    invalidDate: new Date(NaN),
    map: new Map<unknown, unknown>([[{ a: 1 }, new Set([1, "1"])]]),
    set: new Set([new Date(1), undefined]),
    bytes: Uint8Array.of(0, 255),
    floats: Float64Array.of(-0, NaN, 1.5),
    big: BigInt64Array.of(-1n, 2n ** 62n),
    view: new DataView(buffer, 2, 4),
    part: new Uint16Array(buffer, 2, 2),
    buffer,
    regexp: /a(b)?/giu,
    error: new RangeError("out of range"),
    boxed: [Object(1), Object("x"), Object(true), Object(1n)],
    nested: { list: [1, [2, [3]], { deep: new Map([["k", [null]]]) }] },
    holes: [1, , 3], // deno-lint-ignore-line no-sparse-arrays
    cyclic,
  };
  const visitor = newVisitor();
  for (const [name, value] of Object.entries(values)) {
    await visitor.visit((session) => {
      session.clear();
      session.set(name, value);
    });
    const [[key, stored] = []] = await visitor.read();
    assertEquals(key, name);
    if (name === "holes") assert(!(1 in (stored as unknown[])));
    assertEquals(Deno.inspect(stored), Deno.inspect(value), name);
    assertEquals(stored, value, name);
  }
  const keys = ["__proto__", "constructor", "toString", "", "then"];
  await visitor.visit((session) => {
    session.clear();
    for (const key of keys) session.set(key, { key });
  });
  assertEquals(await visitor.read(), keys.map((key) => [key, { key }]));
});

Deno.test("a stateless session has its idle and absolute timeouts inside", async () => {
  const clock = new TestClock();
  const events = new Events();
  const options = {
    clock: clock.now,
    idleTimeout: { days: 2 },
    absoluteTimeout: { days: 5 },
    onEvent: events.push,
  };
  const visitor = newVisitor(options);
  const isKnown = async (token: string) => {
    const response = await visitor.sessions.handle(
      get(`__Host-session=${token}`),
      (session) => Response.json(!session.isNew),
    );
    return await response.json();
  };
  await visitor.visit((session) => session.set("n", 1));
  const first = visitor.token;
  clock.advance({ days: 1 });
  assertEquals(await visitor.visit((session) => session.get("n")), 1);
  const touched = visitor.token;
  assert(touched !== first);
  clock.advance({ days: 1 });
  events.take();
  // however long the client keeps it
  assertEquals(await isKnown(first), false);
  assertEquals(events.take(), ["refused idle-timeout"]);
  assertEquals(await isKnown(touched), true);
  for (let day = 2; day < 5; day++) {
    assertEquals(await visitor.visit((session) => session.get("n")), 1);
    clock.advance({ days: 1 });
  }
  events.take();
  assertEquals(await isKnown(visitor.token), false);
  assertEquals(events.take(), ["refused absolute-timeout"]);
});

Deno.test("tokens made under the previous key still work after rotation, and are re-issued", async () => {
  for (const base of [STATELESS, { store: new MemoryStore() }]) {
    const manager = (...keys: string[]) =>
      new SessionManager({ ...base, secrets: keys.map(key) });
    const old = new Visitor(manager("a"));
    await old.visit((session) => session.login("ada"));
    const token = old.token;
    const read = async (manager: SessionManager, token: string) => {
      const response = await manager.handle(
        get(`__Host-session=${token}`),
        (session) => new Response(session.subject ?? "nobody"),
      );
      return { response, subject: await response.text() };
    };
    const both = await read(manager("b", "a"), token);
    assertEquals(both.subject, "ada");
    const reissued = tokenOf(both.response);
    assert(reissued !== token);
    // once is enough
    const again = await read(manager("b", "a"), reissued);
    assertEquals(again.response.headers.getSetCookie(), []);
    assertEquals((await read(manager("b"), reissued)).subject, "ada");
    assertEquals((await read(manager("b"), token)).subject, "nobody");
    assertEquals((await read(manager("a"), reissued)).subject, "nobody");
  }
});

Deno.test("R17 a stateless token is bound to its cookie's name, to its purpose, and to every bit", async () => {
  const visitor = newVisitor();
  await visitor.visit((session) => session.login("ada"));
  const { token } = visitor;
  const subjectAt = async (
    options: SessionOptions,
    headers: Record<string, string>,
  ) => {
    const response = await new SessionManager(options).handle(
      new Request("https://example.com/", { headers }),
      (session) => new Response(session.subject ?? "nobody"),
    );
    return await response.text();
  };
  const { secrets } = STATELESS;
  const cookie = `__Host-session=${token}`;
  assertEquals(await subjectAt(STATELESS, { cookie }), "ada");
  const elsewhere: [SessionOptions, Record<string, string>][] = [
    [{ ...STATELESS, cookie: { name: "other" } }, { cookie: `other=${token}` }],
    [{ ...STATELESS, transport: headerTransport() }, { "x-session": token }],
    [{ ...STATELESS, transport: bearerTransport() }, {
      authorization: `Bearer ${token}`,
    }],
    [{ store: new MemoryStore(), secrets }, { cookie }],
    [{ store: new MemoryStore() }, { cookie }],
    [{ ...STATELESS, secrets: [key("b")] }, { cookie }],
  ];
  for (const [options, headers] of elsewhere) {
    assertEquals(await subjectAt(options, headers), "nobody");
  }
  for (let index = 0; index < token.length; index++) {
    const other = token[index] === "A" ? "B" : "A";
    const forged = token.slice(0, index) + other + token.slice(index + 1);
    const sent = { cookie: `__Host-session=${forged}` };
    assertEquals(await subjectAt(STATELESS, sent), "nobody");
  }
  for (const forged of [`${token}=`, `${token}A`, token.slice(1), ""]) {
    const sent = { cookie: `__Host-session=${forged}` };
    assertEquals(await subjectAt(STATELESS, sent), "nobody");
  }
});

Deno.test("R55 a stateless token shows nothing of what is in it", async () => {
  const visitor = newVisitor();
  await visitor.visit((session) => {
    session.login("ada@example.com");
    session.set("pin", "4711 4711 4711");
  });
  const { token } = visitor;
  const decoded = atob(token.replaceAll("-", "+").replaceAll("_", "/"));
  for (const text of ["ada@", "4711", "subject"]) {
    assert(!token.includes(text) && !decoded.includes(text), text);
  }
  // the same content is another token each time
  await visitor.visit((session) => session.set("pin", "4711 4711 4711"));
  assert(visitor.token !== token);
});

Deno.test("a session of 200 KB works with a store, and is refused loudly without one", async () => {
  using kv = await Deno.openKv(":memory:");
  const text = "x".repeat(200_000);
  for (const store of [kv, new MemoryStore()]) {
    const visitor = new Visitor(new SessionManager({ store }));
    await visitor.visit((session) => session.set("text", text));
    assertEquals(await visitor.visit((session) => session.get("text")), text);
  }
  const visitor = newVisitor();
  await visitor.visit((session) => session.set("n", 1));
  const { token } = visitor;
  const error = await assertRejects(
    () => visitor.visit((session) => session.set("text", text)),
    SessionTooLargeError,
    "at most 4096 bytes together",
  );
  assertEquals(error.limit, 4_096);
  assert(error.size > 200_000);
  assert(error.message.includes(`received ${error.size} bytes`));
  assert(error.message.includes("store"));
  // the old one is intact, and the client keeps it
  assertEquals(visitor.token, token);
  assertEquals(await visitor.read(), [["n", 1]]);
});

Deno.test("a handler may catch that its session is too large, and store less", async () => {
  const visitor = newVisitor();
  await visitor.visit(async (session) => {
    session.set("text", "x".repeat(5_000));
    await assertRejects(() => session.commit(), SessionTooLargeError);
    session.set("text", "short");
  });
  assertEquals(await visitor.read(), [["text", "short"]]);
});

Deno.test("what a stateless session cannot do is a TypeError, at construction or at the call", async () => {
  const make = (options: SessionOptions) => () => new SessionManager(options);
  assertThrows(make({ stateless: true }), TypeError, `go with "secrets"`);
  assertThrows(
    make({ ...STATELESS, store: new MemoryStore() }),
    TypeError,
    `"store"`,
  );
  assertThrows(
    make({ ...STATELESS, maxSessionsPerSubject: 3 }),
    TypeError,
    `"maxSessionsPerSubject"`,
  );
  const sessions = new SessionManager(STATELESS);
  const want = "want a manager with a store";
  for (
    const call of [
      () => sessions.get("x"),
      () => sessions.revoke("x"),
      () => sessions.revokeAll("ada"),
      () => sessions.edit("x", () => {}),
      async () => await Array.fromAsync(sessions.list()),
    ]
  ) await assertRejects(call, TypeError, want);
  assertThrows(() => sessions.list(), TypeError, want);
  await new Visitor(sessions).visit((session) => {
    assertThrows(() => session.signal, TypeError, want);
    const socket = new EventTarget() as WebSocket;
    assertThrows(() => session.attach(socket), TypeError, want);
  });
});
