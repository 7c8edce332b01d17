/**
 * The Set-Cookie line: its attributes, its size, and how often it is sent.
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  cookieTransport,
  headerTransport,
  MemoryStore,
  type Session,
  SessionManager,
  type SessionOptions,
  SessionTooLargeError,
  withSession,
} from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import {
  COOKIE,
  Events,
  get,
  getWith,
  key,
  testOnStores,
  tokenOf,
} from "./_helpers.ts";

const DAY_S = 86_400;

function remember(session: Session): Response {
  session.set("seen", true);
  return new Response();
}

/** The attributes of the one Set-Cookie line, sorted. */
function attributes(response: Response): string[] {
  const lines = response.headers.getSetCookie();
  assertEquals(lines.length, 1);
  return lines[0]?.split("; ").slice(1).sort() ?? [];
}

function maxAge(response: Response): number | undefined {
  const attribute = attributes(response).find((text) =>
    text.startsWith("Max-Age=")
  );
  return attribute === undefined
    ? undefined
    : Number(attribute.slice("Max-Age=".length));
}

testOnStores(
  "R42 the default cookie is __Host-session; Secure; HttpOnly; SameSite=Lax; Path=/; persistent",
  async ({ store }) => {
    const response = await new SessionManager({ store }).handle(
      get(),
      remember,
    );
    const [line = ""] = response.headers.getSetCookie();
    assertMatch(line, /^__Host-session=[^;]+;/);
    assertEquals(attributes(response), [
      "HttpOnly",
      `Max-Age=${7 * DAY_S}`,
      "Path=/",
      "SameSite=Lax",
      "Secure",
    ]);
  },
);

testOnStores(
  "R42 withSession() needs no options to be secure",
  async ({ store }) => {
    const handler = withSession(
      (_request, session) => remember(session),
      { store },
    );
    const response = await handler(get());
    assertEquals(
      attributes(response).filter((text) => !text.startsWith("Max-Age")),
      ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"],
    );
  },
);

testOnStores(
  "R44 Max-Age is whole seconds, and never past the end of the session",
  async ({ store }) => {
    const cases: [options: SessionOptions, seconds: number][] = [
      [{}, 7 * DAY_S],
      [{ idleTimeout: 1_000 }, 1],
      [{ idleTimeout: 1_999 }, 1],
      [{ idleTimeout: 59_999 }, 59],
      [{ absoluteTimeout: { days: 2 } }, 2 * DAY_S],
      [{ idleTimeout: { days: 1 }, absoluteTimeout: { days: 2 } }, DAY_S],
      [
        { idleTimeout: { days: 400 }, absoluteTimeout: { days: 500 } },
        34_560_000,
      ],
      [
        { idleTimeout: { days: 999 }, absoluteTimeout: { days: 999 } },
        34_560_000,
      ],
    ];
    for (const [options, seconds] of cases) {
      const sessions = new SessionManager({ ...options, store });
      const response = await sessions.handle(get(), remember);
      assertEquals(maxAge(response), seconds, Deno.inspect(options));
    }
  },
);

testOnStores(
  "R44 Max-Age shrinks as the absolute timeout comes nearer",
  async ({ store }) => {
    const clock = new TestClock();
    const sessions = new SessionManager({
      store,
      clock: clock.now,
      absoluteTimeout: { days: 10 },
    });
    const start = clock.now();
    const first = await sessions.handle(get(), remember);
    const token = tokenOf(first);
    assertEquals(maxAge(first), 7 * DAY_S);
    clock.advance({ days: 6, milliseconds: 1 });
    const touched = await sessions.handle(getWith(token), remember);
    assertEquals(maxAge(touched), 4 * DAY_S - 1);
    clock.set(start + 10 * DAY_S * 1_000 - 1_500);
    const rotated = await sessions.handle(getWith(token), (session) => {
      session.regenerate();
      return new Response();
    });
    assertEquals(maxAge(rotated), 1);
    const signedIn = await sessions.handle(
      getWith(tokenOf(rotated)),
      (session) => {
        session.login("ada");
        return new Response();
      },
    );
    assertEquals(maxAge(signedIn), 7 * DAY_S, "a login starts anew");
  },
);

testOnStores(
  "R44 a cookie that ends with the browser has neither Max-Age nor Expires",
  async ({ store }) => {
    const plain = ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"];
    const brief = new SessionManager({ store, cookie: { persistent: false } });
    assertEquals(attributes(await brief.handle(get(), remember)), plain);
    const lasting = new SessionManager({ store });
    const forgotten = await lasting.handle(get(), (session) => {
      session.persist(false);
      return remember(session);
    });
    assertEquals(attributes(forgotten), plain);
  },
);

Deno.test("R45 a cookie of more than 4,096 bytes is a SessionTooLargeError, not a lost cookie", async () => {
  const sessions = new SessionManager({
    stateless: true,
    secrets: [key("big")],
  });
  const grow = (length: number) => (session: Session) => {
    session.set("text", "x".repeat(length));
    return new Response();
  };
  let largest = 0;
  for (let length = 2_000; length <= 3_100; length++) {
    try {
      const response = await sessions.handle(get(), grow(length));
      const size = COOKIE.length + tokenOf(response).length;
      assert(size <= 4_096, `${size} bytes`);
      largest = Math.max(largest, size);
    } catch (error) {
      assert(error instanceof SessionTooLargeError);
      assert(error.size > 4_096, `${error.size}`);
      assertEquals(error.limit, 4_096);
      assert(error.message.includes(`received ${error.size} bytes`));
      assert(error.message.includes("store"));
    }
  }
  assert(largest > 4_090, `only ${largest} bytes fit`);
  // nothing is half done: the old session goes on
  const token = tokenOf(await sessions.handle(get(), grow(1)));
  await assertRejects(
    () => sessions.handle(getWith(token), grow(5_000)),
    SessionTooLargeError,
    "4096 bytes",
  );
  const response = await sessions.handle(
    getWith(token),
    (session) => Response.json(session.get("text")),
  );
  assertEquals(await response.json(), "x");
});

Deno.test("R45 a stateless session of more than 4,096 bytes is too large for a header, too", async () => {
  const events = new Events();
  const sessions = new SessionManager({
    stateless: true,
    secrets: [key("big")],
    transport: headerTransport(),
    onEvent: events.push,
  });
  const error = await assertRejects(
    () =>
      sessions.handle(get(), (session) => {
        session.set("text", "x".repeat(4_000));
        return new Response();
      }),
    SessionTooLargeError,
    "Cannot commit stateless session: name and value must be at most 4096 bytes",
  );
  assert(error.size > 4_096 && error.limit === 4_096);
  assertEquals(events.take(), [], "nothing was created");
});

testOnStores(
  "R45 a name that leaves no room for a token is a typed error",
  async ({ store }) => {
    const name = "n".repeat(4_096 - 69);
    const error = await assertRejects(
      () =>
        new SessionManager({ store, cookie: { name } }).handle(get(), remember),
      SessionTooLargeError,
      "4096 bytes",
    );
    assertEquals([error.size, error.limit], [4_097, 4_096]);
    const fits = new SessionManager({ store, cookie: { name: name.slice(1) } });
    const response = await fits.handle(get(), remember);
    assertEquals(response.headers.getSetCookie().length, 1);
  },
);

Deno.test("R45 cookieTransport().write() refuses a token that is too long beside the name", () => {
  const headers = new Headers();
  const transport = cookieTransport({ name: "sid" });
  transport.write(headers, "t".repeat(4_093), undefined);
  const error = assertThrows(
    () => transport.write(headers, "t".repeat(4_094), undefined),
    SessionTooLargeError,
    "at most 4096 bytes together: received 4097 bytes",
  );
  assertEquals([error.size, error.limit], [4_097, 4_096]);
  assertEquals(headers.getSetCookie().length, 1);
});

testOnStores(
  "R48 there is at most one session cookie in a response, and none when nothing changed",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    const count = async (
      token: string | undefined,
      use: (session: Session) => unknown,
    ) => {
      const request = token === undefined ? get() : getWith(token);
      const response = await sessions.handle(request, async (session) => {
        await use(session);
        return new Response();
      });
      return response.headers.getSetCookie().length;
    };
    const token = tokenOf(await sessions.handle(get(), remember));
    const uses: [expected: number, use: (session: Session) => unknown][] = [
      [0, () => {}],
      [0, (session) => session.get("seen")],
      [0, (session) => [session.id, session.expiresAt, session.subject]],
      [0, (session) => [...session.entries()]],
      [0, (session) => session.delete("none")],
      [0, (session) => session.flash("none")],
      [0, (session) => session.commit()],
      [0, (session) => session.persist(true)],
    ];
    for (const [expected, use] of uses) {
      assertEquals(await count(token, use), expected, String(use));
      assertEquals(await count(undefined, use), expected, `new: ${use}`);
    }
    // within the throttle, a write does not send the cookie again
    assertEquals(await count(token, (session) => session.set("x", 1)), 0);
    assertEquals(await count(token, (session) => session.flash("x", 1)), 0);
    assertEquals(
      await count(undefined, async (session) => {
        session.set("x", 1);
        session.flash("x", 1);
        session.persist(false);
        session.regenerate();
        session.login("ada");
        session.login("bob");
        await session.commit();
        await session.commit();
      }),
      1,
    );
    assertEquals(
      await count(token, async (session) => {
        session.regenerate();
        session.persist(false);
        session.login("ada");
        await session.commit();
      }),
      1,
    );
    assertEquals(await count(token, (session) => session.logout()), 0, "gone");
  },
);

Deno.test("R48 two nested sessions have one cookie each", async () => {
  const store = new MemoryStore();
  const handler = withSession(
    withSession((_request, outer: Session, inner: Session) => {
      outer.set("who", "outer");
      inner.set("who", "inner");
      return new Response();
    }, { store, cookie: { name: "inner" } }),
    { store, cookie: { name: "outer" } },
  );
  const response = await handler(get());
  assertEquals(
    response.headers.getSetCookie().map((line) => line.split("=")[0]).sort(),
    ["inner", "outer"],
  );
  assertEquals(response.headers.get("vary"), "Cookie");
});
