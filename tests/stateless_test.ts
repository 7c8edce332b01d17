import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  MemoryStore,
  type Session,
  SessionManager,
  type SessionOptions,
  SessionTooLargeError,
} from "@tessera/session";
import { KEYS, NAME, visitor } from "./_stateless_app.ts";

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
      (session: Session) => {
        session.set("n", 1);
        session.destroy();
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
