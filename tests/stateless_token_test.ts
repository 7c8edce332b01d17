import {
  assert,
  assertEquals,
  assertNotEquals,
  assertThrows,
} from "@std/assert";
import { createDecipheriv, hkdfSync } from "node:crypto";
import { deserialize } from "node:v8";
import { Buffer } from "node:buffer";
import {
  MemoryStore,
  type RefusalReason,
  SessionManager,
} from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { createCipher } from "../src/_stateless_cipher.ts";
import { cookie, isKnown, KEYS, NAME, visitor } from "./_stateless_app.ts";

Deno.test("a stateless token tells nothing, and is never the same", async () => {
  const tokens = new Set<string>();
  for (let count = 0; count < 20; count++) {
    const one = visitor({ clock: () => 1_700_000_000_000 });
    await one.visit((session) => {
      session.login("alice@example.com");
      session.set("secret", "hunter2");
    });
    const bytes = Buffer.from(one.token, "base64url");
    for (const text of ["alice", "secret", "hunter2", "persistent"]) {
      assert(!bytes.includes(text) && !one.token.includes(text));
      assert(!bytes.includes(Buffer.from(text, "utf16le")));
    }
    assertThrows(() => deserialize(bytes.subarray(12, -16)));
    tokens.add(one.token);
  }
  assertEquals(tokens.size, 20);
});

Deno.test("a stateless token is AES-256-GCM under a key of HKDF-SHA256, both bound to their purpose", async () => {
  const one = visitor();
  await one.visit((session) => session.set("n", 1));
  const bytes = Buffer.from(one.token, "base64url");
  const purpose = "tessera/session stateless v1";
  const derived = hkdfSync("sha256", KEYS[0], "", purpose, 32);
  const decipher = createDecipheriv(
    "aes-256-gcm",
    new Uint8Array(derived),
    bytes.subarray(0, 12),
  );
  decipher.setAAD(Buffer.from(`${purpose}\n${NAME}`));
  decipher.setAuthTag(bytes.subarray(-16));
  const text = Buffer.concat([
    decipher.update(bytes.subarray(12, -16)),
    decipher.final(),
  ]);
  const { id, record } = deserialize(text);
  assertEquals(id, await one.visit((session) => session.id));
  assertEquals(record.data, new Map([["n", 1]]));
});

Deno.test("a stateless token that is longer than a cookie can be is malformed", async () => {
  const one = visitor();
  for (
    const [length, reason] of [
      [4_096, "bad-signature"],
      [4_100, "malformed"],
    ] as const
  ) {
    assert(!await isKnown(one, "A".repeat(length)));
    const event = one.events.pop();
    assert(event?.type === "refused");
    assertEquals(event.reason, reason);
  }
});

Deno.test("a stateless token that was changed anywhere is anonymous", async () => {
  const one = visitor();
  await one.visit((session) => session.set("n", 1));
  const { token } = one;
  assert(await isKnown(one, token));
  for (let index = 0; index < token.length; index++) {
    const character = token[index] === "A" ? "B" : "A";
    const other = token.slice(0, index) + character + token.slice(index + 1);
    assert(!await isKnown(one, other), `${index}`);
  }
  const odd: Record<string, RefusalReason | undefined> = {
    "": "malformed",
    x: "malformed",
    [token.slice(1)]: undefined,
    [token.slice(0, -1)]: undefined,
    [`${token}=`]: "malformed",
    [`${token}A`]: undefined,
    [token.slice(0, 37)]: "malformed",
    [token.slice(0, 40)]: undefined,
    ["A".repeat(4_097)]: "malformed",
    ["A".repeat(200)]: "bad-signature",
  };
  for (const [other, reason] of Object.entries(odd)) {
    one.events.length = 0;
    assert(!await isKnown(one, other), other);
    const [event] = one.events;
    if (reason !== undefined) {
      assertEquals(event?.type === "refused" && event.reason, reason, other);
    } else assertEquals(event?.type, "refused", other);
  }
});

Deno.test("a stateless token is worth nothing under another name or key", async () => {
  const one = visitor();
  await one.visit((session) => session.set("n", 1));
  for (
    const other of [
      visitor({ secrets: [KEYS[1]] }),
      visitor({ cookie: { name: "__Host-other" } }),
    ]
  ) {
    const headers = {
      cookie: `${NAME}=${one.token}; __Host-other=${one.token}`,
    };
    const request = new Request("https://example.com/", { headers });
    assertEquals((await other.sessions.load(request)).isNew, true);
    assertEquals(
      other.events.map((event) => event.type === "refused" && event.reason),
      ["bad-signature"],
    );
  }
  // nor where tokens are signed and stored
  const stored = new SessionManager({
    store: new MemoryStore(),
    secrets: [KEYS[0]],
  });
  assertEquals((await stored.load(cookie(one.token))).isNew, true);
});

Deno.test("a stateless session moves to a new key when it is read", async () => {
  const [old, next] = [{ secrets: [KEYS[0]] }, { secrets: [KEYS[1]] }];
  const one = visitor(old);
  await one.visit((session) => session.set("n", 1));
  const both = visitor({ secrets: [KEYS[1], KEYS[0]] });
  const response = await both.sessions.handle(
    cookie(one.token),
    (session) => Response.json(session.get("n")),
  );
  assertEquals(await response.json(), 1);
  const [line = ""] = response.headers.getSetCookie();
  const token = /=([^;]+)/.exec(line)?.[1] ?? "";
  assert(await isKnown(visitor(next), token));
  assert(!await isKnown(visitor(old), token));
  assert(!await isKnown(visitor(next), one.token));
  const again = await both.sessions.handle(
    cookie(token),
    (session) => Response.json(session.get("n")),
  );
  assertEquals(again.headers.getSetCookie(), []);
});

Deno.test("a stateless session ends at its idle and absolute timeouts", async () => {
  const clock = new TestClock(1_700_000_000_000);
  const lifetimes = {
    clock: clock.now,
    idleTimeout: { hours: 10 },
    absoluteTimeout: { hours: 25 },
  };
  const one = visitor(lifetimes);
  const start = clock.now();
  const at = (hours: number, milliseconds = 0) =>
    clock.set(start + hours * 3_600_000 + milliseconds);
  await one.visit((session) => session.set("n", 1));
  const first = one.token;
  at(1, -1);
  await one.visit(() => {});
  assertEquals(one.token, first);
  at(10, -1);
  assert(await isKnown(one, first));
  await one.visit(() => {}); // a touch
  assertNotEquals(one.token, first);
  const second = one.token;
  at(10);
  assert(!await isKnown(one, first));
  at(20, -2);
  assert(await isKnown(one, second));
  await one.visit((session) => session.regenerate());
  const third = one.token;
  at(25, -1);
  assert(await isKnown(one, third));
  one.events.length = 0;
  at(25);
  assert(!await isKnown(one, third));
  assertEquals(
    one.events.map((event) => event.type === "refused" && event.reason),
    ["absolute-timeout"],
  );
  // a login restarts both
  one.client.clear();
  await one.visit((session) => session.set("n", 1));
  at(34);
  await one.visit((session) => session.login("alice"));
  at(43);
  assertEquals(await one.visit(({ subject }) => subject), "alice");
  at(52);
  assertEquals(await one.visit(({ subject }) => subject), "alice");
  assertEquals(
    await one.visit(({ authenticatedAt }) => authenticatedAt),
    start + 34 * 3_600_000,
  );
});

Deno.test("a stateless session that expires in the middle of a request is not revived", async () => {
  const clock = new TestClock();
  const one = visitor({ clock: clock.now, idleTimeout: 60_000 });
  await one.visit((session) => session.set("n", 1));
  await one.visit((session) => {
    clock.advance(60_000);
    session.set("n", 2);
  });
  assertEquals(one.response.headers.getSetCookie(), []);
  assertEquals(one.events.map(({ type }) => type), ["created", "dropped"]);
  // but a login is never lost
  one.client.clear();
  await one.visit((session) => session.set("n", 1));
  await one.visit((session) => {
    clock.advance(60_000);
    session.set("m", 2);
    session.login("alice");
  });
  assertEquals(await one.visit(({ subject }) => subject), "alice");
  assertEquals(await one.read(), [["m", 2]]);
});

Deno.test("a stateless token with a record of another version is anonymous, with an event", async () => {
  const one = visitor();
  const cipher = createCipher([KEYS[0]]);
  for (const record of [1, null, "x", {}, { v: 2 }, { v: 1, forward: "x" }]) {
    one.events.length = 0;
    const sealed = { id: "01ARZ3NDEKTSV4RRFFQ69G5FAV", record };
    const token = cipher.seal(NAME, sealed as never);
    assert(!await isKnown(one, token));
    assertEquals(
      one.events.map((event) => event.type === "refused" && event.reason),
      ["corrupt"],
    );
  }
});
