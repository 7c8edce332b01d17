import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { deserialize } from "node:v8";
import { Buffer } from "node:buffer";
import {
  MemoryStore,
  type RefusalReason,
  type Session,
  SessionManager,
  type SessionOptions,
  SessionTooLargeError,
} from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { createCipher } from "../src/_stateless_cipher.ts";
import { Visitor } from "./_visitor.ts";

const NAME = "__Host-session";
const KEYS = ["a", "b"].map((letter) => letter.repeat(32)) as [string, string];

/** A browser of an app without a store. */
function visitor(options: SessionOptions = {}): Visitor {
  const events: Visitor["events"] = [];
  const sessions = new SessionManager({
    stateless: true,
    secrets: [KEYS[0]],
    onEvent: (event) => events.push(event),
    ...options,
  });
  return Object.assign(new Visitor(sessions, options.clock), { events });
}

function cookie(token: string, name = NAME): Request {
  const headers = { cookie: `${name}=${token}` };
  return new Request("https://example.com/", { headers });
}

/** Says whether a token leads to a session. */
async function isKnown(
  { sessions }: Visitor,
  token: string,
): Promise<boolean> {
  const session = await sessions.load(cookie(token));
  return !session.isNew;
}

Deno.test("a stateless session keeps data, flash values and subject in the cookie", async () => {
  const one = visitor();
  const values = {
    date: new Date(5),
    map: new Map([["a", new Set([1n])]]),
    bytes: new Uint8Array([1, 2]),
    nothing: undefined,
    minus: -0,
    text: "\0\ud800ключ",
  };
  const id = await one.visit((session) => {
    for (const [key, value] of Object.entries(values)) session.set(key, value);
    session.set("__proto__", 1);
    session.flash("notice", "hi");
    return session.id;
  });
  assertEquals(await one.visit((session) => session.id), id);
  assertEquals(await one.read(), [...Object.entries(values), ["__proto__", 1]]);
  await one.visit((session) => {
    session.get<Map<string, Set<bigint>>>("map")?.get("a")?.add(2n);
    session.update<number>("n", (n = 0) => n + 1);
    session.delete("bytes");
    assertEquals(session.flash("notice"), "hi");
  });
  const data = new Map(await one.read());
  assertEquals(data.get("map"), new Map([["a", new Set([1n, 2n])]]));
  assertEquals([data.get("n"), data.has("bytes")], [1, false]);
  assertEquals(
    await one.visit((session) => session.flash("notice")),
    undefined,
  );
});

Deno.test("a stateless session sends a cookie when something changed, and only then", async () => {
  const one = visitor();
  const cookies = () => one.response.headers.getSetCookie();
  for (
    const use of [
      () => {},
      (session: Session) => session.get("n"),
      (session: Session) => session.destroy(),
      (session: Session) => session.persist(true),
      (session: Session) => {
        session.set("n", 1);
        session.delete("n");
      },
    ]
  ) {
    await one.visit(use);
    assertEquals(cookies(), []);
  }
  await one.visit((session) => session.set("n", 1));
  const [line = ""] = cookies();
  assert(
    /^__Host-session=[\w-]+; Secure; HttpOnly; Max-Age=604800; SameSite=Lax; Path=\/$/
      .test(line),
    line,
  );
  assertEquals(one.response.headers.get("cache-control"), "no-store");
  assertEquals(one.response.headers.get("vary"), "Cookie");
  await one.visit((session) => session.get("n"));
  assertEquals(cookies(), []);
  assertEquals(one.response.headers.get("vary"), "Cookie");
  await one.visit((session) => session.persist(false));
  assert(!cookies()[0]?.includes("Max-Age"));
});

Deno.test("a stateless session saves nothing if the handler throws", async () => {
  const one = visitor();
  await one.visit((session) => session.set("list", [1]));
  const { token } = one;
  await assertRejects(
    () =>
      one.visit((session) => {
        session.get<number[]>("list")?.push(2);
        session.login("alice");
        throw new Error("x");
      }),
    Error,
    "x",
  );
  assertEquals(one.token, token);
  assertEquals(await one.read(), [["list", [1]]]);
});

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

Deno.test("a stateless session gets a new id by login and regenerate, and ends with a deletion cookie", async () => {
  const one = visitor();
  const ids = [
    await one.visit((session) => {
      session.set("n", 1);
      return session.id;
    }),
  ];
  for (
    const change of [
      (session: Session) => session.regenerate(),
      (session: Session) => session.login("alice", { label: "x" }),
    ]
  ) {
    ids.push(
      await one.visit((session) => {
        change(session);
        return session.id;
      }),
    );
    assertEquals(await one.visit(({ id }) => id), ids.at(-1));
    assertEquals(await one.read(), [["n", 1]]);
  }
  assertEquals(new Set(ids).size, 3);
  await one.visit((session) => session.logout());
  assertEquals(one.response.headers.getSetCookie().length, 1);
  assert(one.response.headers.getSetCookie()[0]?.includes("Max-Age=0"));
  assertEquals(one.token, "");
  assertEquals(
    one.events.map((event) =>
      event.type === "ended" ? `ended ${event.reason}` : event.type
    ),
    ["created", "regenerated", "ended rotated", "login", "ended logout"],
  );
});

Deno.test("a stateless session that no cookie can carry is a SessionTooLargeError, and the old one stays", async () => {
  const one = visitor();
  await one.visit((session) => session.set("n", 1));
  const { token } = one;
  const error = await assertRejects(
    () => one.visit((session) => session.set("large", "x".repeat(4_000))),
    SessionTooLargeError,
    "name and value must be at most 4096 bytes together: received ",
  );
  assertEquals(error.limit, 4_096);
  assert(error.size > 4_096 && error.size < 6_500);
  assertEquals(one.token, token);
  await one.visit(async (session) => {
    session.set("large", "x".repeat(4_000));
    await assertRejects(() => session.commit(), SessionTooLargeError);
    session.delete("large");
    session.set("m", 2);
  });
  assertEquals(await one.read(), [["n", 1], ["m", 2]]);
});

Deno.test("a stateless session fits a cookie up to the last byte", async () => {
  const one = visitor();
  let largest = 0;
  for (let length = 2_000; length < 3_000; length++) {
    try {
      await one.visit((session) => session.set("x", "x".repeat(length)));
      largest = length;
    } catch (error) {
      assert(error instanceof SessionTooLargeError);
      assert(error.size > 4_096 && error.size <= 4_100, `${error.size}`);
      break;
    }
  }
  assert(largest > 2_000);
  const size = NAME.length + one.token.length;
  assert(size <= 4_096 && size > 4_090, `${size}`);
  assertEquals(await one.read(), [["x", "x".repeat(largest)]]);
});

Deno.test("a stateless manager refuses what needs a store", async () => {
  const { sessions } = visitor();
  const action = (name: string) =>
    `Cannot ${name}: want a manager with a store: received one with "stateless"`;
  await assertRejects(
    () => sessions.get("x"),
    TypeError,
    action("get session"),
  );
  await assertRejects(
    () => sessions.revoke("x"),
    TypeError,
    action("revoke session"),
  );
  await assertRejects(
    () => sessions.edit("x", () => 1),
    TypeError,
    action("edit session"),
  );
  await assertRejects(
    () => sessions.revokeAll("alice"),
    TypeError,
    "want a manager with a store",
  );
  assertThrows(() => sessions.list(), TypeError, action("list sessions"));
  await visitor().visit((session) => {
    assertThrows(() => session.signal, TypeError, action("get session signal"));
    assertThrows(
      () => session.attach(new EventTarget() as WebSocket),
      TypeError,
      action("attach socket"),
    );
  });
  const make = (options: SessionOptions) => () =>
    new SessionManager({ stateless: true, ...options });
  assertThrows(make({}), TypeError, `"stateless" must go with "secrets"`);
  const secrets = [KEYS[0]];
  assertThrows(
    make({ secrets, store: new MemoryStore() }),
    TypeError,
    `"stateless" must not go together with "store"`,
  );
  assertThrows(
    make({ secrets, maxSessionsPerSubject: 1 }),
    TypeError,
    `"stateless" must not go together with "maxSessionsPerSubject"`,
  );
  await sessions[Symbol.asyncDispose]();
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
