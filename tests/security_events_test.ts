/**
 * What is told of sessions: every step, with its reason, and never a credential.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  headerTransport,
  MemoryStore,
  type Session,
  type SessionEvent,
  SessionManager,
  type SessionOptions,
  type SessionStore,
  type StandardSchema,
  withSession,
} from "@tessera/session";
import { TestClient, TestClock } from "@tessera/session/testing";
import {
  COOKIE,
  type CountingStore,
  Events,
  get,
  getWith,
  inspect,
  key,
  testOnStores,
  tokenOf,
} from "./_helpers.ts";

function remember(session: Session): Response {
  session.set("seen", true);
  return new Response(session.id);
}

function logout(session: Session): Response {
  session.logout();
  return new Response();
}

function regenerate(session: Session): Response {
  session.regenerate();
  return new Response(session.id);
}

function login(subject: string): (session: Session) => Response {
  return (session) => {
    session.login(subject);
    return new Response(session.id);
  };
}

/** A manager on a clock of its own, with what it reports. */
function setUp(store: SessionStore, options: SessionOptions = {}) {
  const clock = new TestClock();
  const events = new Events();
  const sessions = new SessionManager({
    store,
    clock: clock.now,
    onEvent: events.push,
    ...options,
  });
  return { clock, events, sessions };
}

testOnStores(
  "R57 a life from creation to logout is told step by step",
  async ({ store }) => {
    const { clock, events, sessions } = setUp(store);
    const at = clock.now();
    const created = await sessions.handle(get(), remember);
    const id = await created.text();
    assertEquals(events.all.splice(0), [{ type: "created", id, at }]);

    const rotated = await sessions.handle(
      getWith(tokenOf(created)),
      regenerate,
    );
    const second = tokenOf(rotated).slice(0, 26);
    assertEquals(events.all.splice(0), [
      { type: "regenerated", id: second, previousId: id, at },
    ]);

    clock.advance({ minutes: 1 });
    const signedIn = await sessions.handle(
      getWith(tokenOf(rotated)),
      login("ada"),
    );
    const third = tokenOf(signedIn).slice(0, 26);
    assertEquals(events.all.splice(0), [
      { type: "ended", id: second, reason: "rotated", at: at + 60_000 },
      { type: "login", id: third, at: at + 60_000 },
    ]);

    await sessions.handle(getWith(tokenOf(signedIn)), logout);
    assertEquals(events.all.splice(0), [
      { type: "ended", id: third, reason: "logout", at: at + 60_000 },
    ]);
  },
);

testOnStores(
  "R57 each way a token can be refused has its reason",
  async ({ store }) => {
    const { clock, events, sessions } = setUp(store, {
      idleTimeout: { days: 1 },
      absoluteTimeout: { days: 2 },
      maxSessionsPerSubject: 1,
    });
    const make = async (subject?: string) => {
      const use = subject === undefined ? remember : login(subject);
      const token = tokenOf(await sessions.handle(get(), use));
      events.take();
      return token;
    };
    const assertRefused = async (token: string, told: string[]) => {
      const response = await sessions.handle(
        getWith(token),
        (session) => Response.json(session.isNew),
      );
      assertEquals(await response.json(), true);
      const last = events.all.at(-1);
      assertEquals(last?.at, clock.now());
      assertEquals(
        last?.id,
        token.length === 70 ? token.slice(0, 26) : undefined,
      );
      assertEquals(events.take(), told);
    };

    await assertRefused("junk", ["refused malformed"]);
    const unknown = `01ARZ3NDEKTSV4RRFFQ69G5FAV.${"a".repeat(42)}A`;
    await assertRefused(unknown, ["refused unknown"]);
    const good = await make();
    await assertRefused(good.slice(0, 27) + unknown.slice(27), [
      "refused bad-secret",
    ]);

    const out = await make();
    await sessions.handle(getWith(out), logout);
    assertEquals(events.take(), ["ended logout"]);
    await assertRefused(out, ["refused logout"]);

    const revoked = await make();
    await sessions.revoke(revoked.slice(0, 26));
    assertEquals(events.take(), ["ended revoked"]);
    await assertRefused(revoked, ["refused revoked"]);

    const before = await make();
    await sessions.handle(getWith(before), login("bob"));
    assertEquals(events.take(), ["ended rotated", "login"]);
    await assertRefused(before, ["refused rotated"]);

    const oldest = await make("ada");
    clock.advance({ minutes: 1 });
    await sessions.handle(get(), login("ada"));
    assertEquals(events.take(), ["created", "login", "ended evicted"]);
    await assertRefused(oldest, ["refused evicted"]);

    const idle = await make();
    clock.advance({ days: 1 });
    await assertRefused(idle, ["ended idle-timeout", "refused idle-timeout"]);
    await assertRefused(idle, ["refused idle-timeout"]);

    const aged = await make();
    for (let round = 0; round < 3; round++) {
      clock.advance({ hours: 15 });
      await sessions.handle(getWith(aged), remember);
    }
    assertEquals(events.take(), []);
    clock.advance({ hours: 3 });
    await assertRefused(aged, [
      "ended absolute-timeout",
      "refused absolute-timeout",
    ]);
  },
);

testOnStores(
  "R57 what happened in another process is unknown",
  async ({ store }) => {
    const here = setUp(store);
    const there = setUp(store);
    const token = tokenOf(await here.sessions.handle(get(), remember));
    await there.sessions.revoke(token.slice(0, 26));
    here.events.take();
    await here.sessions.handle(
      getWith(token),
      (session) => session.isNew ? NO : OK,
    );
    assertEquals(here.events.take(), ["refused unknown"]);
  },
);

const [OK, NO] = [new Response("ok"), new Response("no")];

testOnStores(
  "R57 changes that come too late, and conflicts, are told",
  async ({ store }) => {
    const { events, sessions } = setUp(store);
    const other = new SessionManager({ store });
    const token = tokenOf(await sessions.handle(get(), remember));
    const id = token.slice(0, 26);
    events.take();

    await sessions.handle(getWith(token), async (session) => {
      session.set("here", 1);
      await other.edit(id, (same) => same.set("there", 2));
      return new Response();
    });
    const conflict = events.all.splice(0);
    assertEquals(conflict.map(({ type }) => type), ["conflict"]);
    assertEquals(conflict[0], {
      type: "conflict",
      id,
      attempt: 1,
      at: conflict[0]?.at ?? 0,
    });

    await sessions.handle(getWith(token), async (session) => {
      session.set("late", 1);
      await sessions.revoke(id);
      return new Response();
    });
    assertEquals(events.take(), [
      "ended revoked",
      "conflict",
      "dropped revoked",
    ]);

    const next = tokenOf(await sessions.handle(get(), remember));
    events.take();
    await sessions.handle(getWith(next), async (session) => {
      session.set("late", 1);
      await other.revoke(session.id);
      return new Response();
    });
    assertEquals(events.take(), ["conflict", "dropped unknown"]);
  },
);

testOnStores(
  "R57 data that does not fit, and a store that fails, are told",
  async ({ store }) => {
    const schema: StandardSchema<{ count: number }> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value) => {
          const { count } = value as { count?: unknown };
          return typeof count === "number"
            ? { value: { count } }
            : { issues: [{ message: "no count", path: ["count"] }] };
        },
      },
    };
    const token = tokenOf(await setUp(store).sessions.handle(get(), remember));
    const events = new Events();
    const typed = new SessionManager({ store, schema, onEvent: events.push });
    await typed.handle(getWith(token), (session) => session.isNew ? NO : OK);
    const [invalid] = events.all.splice(0);
    assertEquals(invalid, {
      type: "invalid",
      id: token.slice(0, 26),
      issues: [{ message: "no count", path: ["count"] }],
      at: invalid?.at ?? 0,
    });

    const failure = new Error("the disk is on fire");
    const broken: SessionStore = {
      get: () => Promise.reject(failure),
      commit: () => Promise.reject(failure),
      list: (options) => store.list(options),
    };
    const failing = setUp(broken);
    await assertRejects(() =>
      failing.sessions.handle(getWith(token), remember)
    );
    const [told] = failing.events.all;
    assertEquals(told, {
      type: "store-error",
      error: failure,
      at: failing.clock.now(),
    });
  },
);

Deno.test("R57 what a listener throws, or rejects with, breaks nothing", async () => {
  const listeners: ((event: SessionEvent) => unknown)[] = [
    () => {
      throw new Error("mine");
    },
    () => Promise.reject(new Error("mine")),
  ];
  for (const onEvent of listeners) {
    const sessions = new SessionManager({ store: new MemoryStore(), onEvent });
    const response = await sessions.handle(getWith("junk"), remember);
    assertEquals(response.status, 200);
    tokenOf(response);
  }
});

/** Collects what a program writes to its console. */
async function withConsole(run: () => Promise<void>): Promise<string> {
  const methods = ["debug", "info", "log", "warn", "error"] as const;
  const own = methods.map((method) => [method, console[method]] as const);
  const written: string[] = [];
  for (const method of methods) {
    console[method] = (...values: unknown[]) => {
      written.push(values.map(inspect).join(" "));
    };
  }
  try {
    await run();
  } finally {
    for (const [method, write] of own) console[method] = write;
  }
  return written.join("\n");
}

/** Shows a value in every way that it may get into a log. */
function show(value: unknown): string {
  const json = (() => {
    try {
      return JSON.stringify(value);
    } catch (error) {
      return String(error);
    }
  })();
  const error = value instanceof Error
    ? `${value.message}\n${value.stack}\n${show(value.cause)}`
    : "";
  return `${inspect(value)}\n${json}\n${String(value)}\n${error}`;
}

testOnStores(
  "R56 no token, secret or key is in any event, error, inspection or log",
  async ({ store }) => {
    const [k1, k2] = [key("first key "), key("other key ")];
    const credentials = new Set([k1, k2]);
    const shown: string[] = [];
    const logged = await withConsole(async () => {
      for (const secrets of [undefined, [k1], [k2, k1]]) {
        await tellStory(store, secrets, credentials, shown);
      }
      await tellStory(store, [k1], credentials, shown, { stateless: true });
    });
    const text = `${shown.join("\n")}\n${logged}`;
    assert(credentials.size > 30, `${credentials.size} credentials`);
    for (const type of ["created", "refused", "login", "ended", "dropped"]) {
      assert(text.includes(`type: "${type}"`), `the story has ${type}`);
    }
    assert(text.includes("SessionClosedError") && text.includes("TypeError"));
    for (const credential of credentials) {
      assert(!text.includes(credential), `${credential} is shown`);
    }
  },
);

/** Does all that sessions can do, and collects all that can be seen of it. */
async function tellStory(
  store: CountingStore,
  secrets: string[] | undefined,
  credentials: Set<string>,
  shown: string[],
  options: { stateless?: boolean } = {},
): Promise<void> {
  const { stateless = false } = options;
  let outage = false;
  const flaky: SessionStore = {
    get: (id) => outage ? Promise.reject(new Error("down")) : store.get(id),
    commit: (commit) =>
      outage ? Promise.reject(new Error("down")) : store.commit(commit),
    list: (selection) => store.list(selection),
  };
  const see = (value: unknown) => void shown.push(show(value));
  const note = (token: string | undefined) => {
    if (token === undefined || token === "") return;
    credentials.add(token);
    const [, ...parts] = token.split(".");
    for (const part of parts) {
      credentials.add(part);
      credentials.add(
        Uint8Array.fromBase64(part, { alphabet: "base64url" }).toHex(),
      );
    }
  };
  const sessions = new SessionManager({
    onEvent: see,
    trace: (name, run) => (see(name), run()),
    ...(secrets === undefined ? {} : { secrets }),
    ...(stateless ? { stateless } : { store: flaky }),
  });
  const handle = async (
    request: Request,
    use: (session: Session) => unknown,
  ): Promise<Response | undefined> => {
    let kept: Session | undefined;
    const trial = async (run: () => unknown) => {
      try {
        see(await run());
      } catch (error) {
        see(error);
      }
    };
    try {
      const response = await sessions.handle(request, async (session) => {
        kept = session;
        see(session);
        await trial(() => use(session));
        see(session);
        return new Response();
      });
      note(response.headers.getSetCookie()[0]?.split(/[=;]/)[1]);
      return response;
    } catch (error) {
      see(error);
      return undefined;
    } finally {
      see(kept);
      await trial(() => kept?.set("late", 1)); // closed
    }
  };
  see(sessions);
  const client = new TestClient(async (request) => {
    const response = await handle(request, USES[step % USES.length] ?? see);
    return response ?? new Response("failed", { status: 500 });
  });
  let step = 0;
  for (; step < USES.length; step++) {
    await client.get("/");
    const token = client.cookie(COOKIE)?.value;
    note(token);
    if (token === undefined) continue;
    for (
      const bad of [
        token.slice(0, -1),
        `${token}x`,
        token.slice(0, -2) + "AA",
        token.slice(0, 27) + "a".repeat(42) + "A" + token.slice(70),
      ]
    ) await handle(getWith(bad), see);
    outage = true;
    await handle(getWith(token), (session) => session.set("x", 1));
    outage = false;
  }
  if (stateless) return;
  const token = client.cookie(COOKIE)?.value ?? "";
  await handle(getWith(token), async (session) => {
    session.set("late", true);
    await sessions.revoke(session.id);
  });
  for await (const info of sessions.list()) {
    see(info);
    see(await sessions.get(info.id));
    see(await sessions.edit(info.id, see));
    await sessions.revoke(info.id);
  }
}

/** What the story does, one request after the other. */
const USES: ((session: Session) => unknown)[] = [
  (session) => session.set("cart", ["apples"]),
  (session) => session.get("cart"),
  (session) => session.set("bad", () => {}),
  (session) => session.regenerate(),
  (session) => session.login("ada", { label: "a phone" }),
  (session) => session.update("n", () => Promise.resolve(1)),
  (session) => session.flash("notice", "hello"),
  (session) => session.commit(),
  (session) => session.set("big", new Uint8Array(900_000)),
  (session) => session.login(1 as unknown as string),
  (session) => {
    session.destroy();
    session.get("cart");
  },
  (session) => session.set("again", true),
];

Deno.test("R56 the errors of options do not show a key", () => {
  const secret = "a key that nobody should see.";
  const bad: object[] = [
    { secrets: [secret] },
    { secrets: [secret.repeat(2), secret.repeat(2)] },
    { secrets: secret.repeat(2) },
    { secrets: [secret.repeat(2)], stateless: true, store: new MemoryStore() },
    { secrets: [secret.repeat(2)], unknown: 1 },
    { secrets: { [secret]: secret } },
  ];
  for (const options of bad) {
    let thrown: unknown;
    try {
      new SessionManager(options as SessionOptions);
    } catch (error) {
      thrown = error;
    }
    assert(thrown instanceof Error);
    assert(!show(thrown).includes(secret), show(thrown));
  }
});

Deno.test("R56 a header transport shows no token either", async () => {
  const shown: string[] = [];
  const handler = withSession((_request, session) => {
    shown.push(show(session));
    session.set("seen", true);
    return new Response();
  }, {
    store: new MemoryStore(),
    transport: headerTransport(),
    onEvent: (event) => shown.push(show(event)),
  });
  const first = await handler(get());
  const token = first.headers.get("x-session") ?? "";
  assertEquals(token.length, 70);
  for (const value of [token, `${token}x`, token.toLowerCase()]) {
    await handler(
      new Request("https://example.com/", { headers: { "x-session": value } }),
    );
  }
  const text = shown.join("\n");
  assert(text.includes(`reason: "malformed"`));
  assert(!text.includes(token.slice(27)));
  assert(!text.includes(token.slice(27).toLowerCase()));
});
