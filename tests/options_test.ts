/**
 * Every option: what is wrong with it is said at construction.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  bearerTransport,
  type CookieOptions,
  cookieTransport,
  headerTransport,
  KvStore,
  MemoryStore,
  type Session,
  SessionManager,
  type SessionOptions,
  type SessionTransport,
  withLazySession,
  withSession,
} from "@tessera/session";
import { get, key, tokenOf } from "./_helpers.ts";

const SECRETS = [key("options")];
const OK = new Response();

/** An option with a value, the class of the error, and words of its message. */
type BadOption = [
  options: object,
  Class: typeof TypeError | typeof RangeError,
  message: string,
];

/** What each of these makes of any option that takes something else. */
const NO_FUNCTION = [null, true, 1, "x", {}, []];
const NO_BOOLEAN = [null, 0, 1, "true", {}, [], () => true];

function forEach<T>(
  name: string,
  values: readonly T[],
  Class: BadOption[1],
  message: string,
): BadOption[] {
  return values.map((value) => [{ [name]: value }, Class, message]);
}

const LIFETIMES = ["idleTimeout", "absoluteTimeout"] as const;
const DURATIONS = [...LIFETIMES, "pollInterval", "storeTimeout"] as const;

const WANT_DURATION =
  "must be milliseconds or { days, hours, minutes, seconds }";

/** What a duration may not be, whichever it is. */
function badDurations(name: string): BadOption[] {
  return [
    ...forEach(
      name,
      [null, "1000", "PT1H", true, 1_000n, () => 1, {}, [], { day: 1 }],
      TypeError,
      WANT_DURATION,
    ),
    ...forEach(
      name,
      [{ days: "1" }, { days: null }, { days: 1, fortnights: 1 }, { ms: 1 }],
      TypeError,
      WANT_DURATION,
    ),
    ...forEach(
      name,
      [NaN, Infinity, -Infinity, { days: Infinity }, { hours: NaN }],
      RangeError,
      WANT_DURATION,
    ),
    ...forEach(
      name,
      [-1, 1.5, 2 ** 53, 1e300, { seconds: 0.0005 }, { days: 1e9 }],
      RangeError,
      "must be whole milliseconds, from",
    ),
  ];
}

const TRANSPORT: SessionTransport = {
  name: "x",
  vary: "X",
  read: () => [],
  write: () => {},
  clear: () => {},
};
const WANT_TRANSPORT = "must have name, vary, read, write and clear";
const WANT_STORE = "must be a SessionStore, a Deno.Kv, or a promise of one";
const WANT_SCHEMA = "must implement Standard Schema, version 1";

const BAD: BadOption[] = [
  // store
  ...forEach("store", [null, 1, "memory", true, {}, []], TypeError, WANT_STORE),
  ...forEach("store", [new Map(), MemoryStore, KvStore], TypeError, WANT_STORE),
  [{ store: { get: () => {}, commit: () => {} } }, TypeError, WANT_STORE],
  // cookie: its own table is below
  ...forEach("cookie", [null, "x", 1, true, []], TypeError, "a plain object"),
  [{ cookie: {}, transport: headerTransport() }, TypeError, `"transport"`],
  // transport
  ...forEach(
    "transport",
    [null, 1, "cookie", {}, () => {}, [null], [{}], [TRANSPORT, undefined]],
    TypeError,
    WANT_TRANSPORT,
  ),
  ...["a b", "a\r\nb", "X, a b", "日本"].flatMap((vary): BadOption[] => [
    [
      { transport: { ...TRANSPORT, vary } },
      TypeError,
      `names of headers, or "*", as "vary"`,
    ],
    [
      { transport: { ...TRANSPORT, vary: ["X", vary] } },
      TypeError,
      `names of headers, or "*", as "vary"`,
    ],
  ]),
  ...[null, 0, 1, "false", ""].map((persistent): BadOption => [
    { transport: { ...TRANSPORT, persistent } },
    TypeError,
    `a boolean as "persistent"`,
  ]),
  ...(["name", "vary", "read", "write", "clear"] as const).map((
    part,
  ): BadOption => [
    { transport: { ...TRANSPORT, [part]: undefined } },
    TypeError,
    WANT_TRANSPORT,
  ]),
  [{ transport: { ...TRANSPORT, name: "" } }, TypeError, WANT_TRANSPORT],
  [{ transport: [] }, TypeError, "must name one or more"],
  [
    { transport: [headerTransport(), headerTransport({ name: "X-Session" })] },
    TypeError,
    "must have no two of one name",
  ],
  // lifetimes
  ...DURATIONS.flatMap(badDurations),
  ...badDurations("rotationGrace"),
  ...LIFETIMES.flatMap((name) =>
    forEach(name, [0, 999, { seconds: 0.5 }], RangeError, "from 1000 to")
  ),
  ...forEach("pollInterval", [0, { seconds: 0 }], RangeError, "from 1 to"),
  ...forEach("storeTimeout", [0, { days: 0 }], RangeError, "from 1 to"),
  [
    { idleTimeout: 2_000, absoluteTimeout: 1_999 },
    RangeError,
    `"idleTimeout" must be at most the absoluteTimeout of 1999 ms`,
  ],
  [{ idleTimeout: { days: 31 } }, RangeError, "at most the absoluteTimeout"],
  // secrets: more in a file of their own
  ...forEach(
    "secrets",
    [null, "x", {}, []],
    TypeError,
    "a list of one or more",
  ),
  ...forEach("secrets", [["short"]], RangeError, "at least 32 bytes"),
  // stateless
  ...forEach("stateless", NO_BOOLEAN, TypeError, "must be a boolean"),
  [{ stateless: true }, TypeError, `must go with "secrets"`],
  [
    { stateless: true, secrets: SECRETS, store: new MemoryStore() },
    TypeError,
    `must not go together with "store"`,
  ],
  [
    { stateless: true, secrets: SECRETS, maxSessionsPerSubject: 1 },
    TypeError,
    `must not go together with "maxSessionsPerSubject"`,
  ],
  // schema
  ...forEach(
    "schema",
    [null, 1, {}, () => {}, { "~standard": {} }, { "~standard": null }],
    TypeError,
    WANT_SCHEMA,
  ),
  [
    { schema: { "~standard": { version: 2, validate: () => {} } } },
    TypeError,
    WANT_SCHEMA,
  ],
  [{ schema: { "~standard": { version: 1 } } }, TypeError, WANT_SCHEMA],
  ...forEach(
    "onInvalid",
    [null, "", "throw", 1, () => {}],
    TypeError,
    `must be "reset" or "fail"`,
  ),
  // limits
  ...forEach(
    "maxSessionsPerSubject",
    [null, "1", {}, 1n],
    TypeError,
    "must be a number",
  ),
  ...forEach(
    "maxSessionsPerSubject",
    [0, -1, 1.5, NaN, -Infinity, 2 ** 53],
    RangeError,
    "an integer of 1 or more",
  ),
  // hooks
  ...["skip", "onEvent", "trace", "onError", "clock"].flatMap((name) =>
    forEach(name, NO_FUNCTION, TypeError, "must be a function")
  ),
  ...forEach("batch", NO_BOOLEAN, TypeError, "must be a boolean"),
  // no option at all
  ...[
    "maxAge",
    "ttl",
    "Store",
    "secret",
    "name",
    "secure",
    "rolling",
    "__proto_",
  ]
    .map((name): BadOption => [
      { [name]: undefined },
      TypeError,
      `received "${name}"`,
    ]),
];

for (const [options, Class, message] of BAD) {
  const shown = Deno.inspect(options, { breakLength: Infinity, depth: 3 });
  Deno.test(`SessionManager() refuses ${shown}`, () => {
    const bad = options as SessionOptions;
    const error = assertThrows(() => new SessionManager(bad), Class, message);
    assert(
      /^Cannot create (?:SessionManager|cookieTransport): .+: received .+/s
        .test(error.message),
      error.message,
    );
    assertEquals(error.constructor, Class);
    const [name = ""] = Object.keys(options);
    assert(error.message.includes(`"${name}"`) || name === "cookie");
    assertThrows(() => withSession(() => OK, bad), Class, message);
    assertThrows(() => withLazySession(() => OK, bad), Class, message);
  });
}

const NO_OPTIONS: [what: string, options: unknown, received: string][] = [
  ["null", null, "null"],
  ["a string", "session", "string"],
  ["a function", () => {}, "function"],
  ["an array", [], "an array"],
  ["a store", new MemoryStore(), "an instance of a class"],
  ["a Map", new Map(), "an instance of a class"],
];

for (const [what, options, received] of NO_OPTIONS) {
  Deno.test(`SessionManager() refuses ${what} in place of options`, () => {
    assertThrows(
      () => new SessionManager(options as SessionOptions),
      TypeError,
      `want a plain object of options: received ${received}`,
    );
  });
}

/** Sees what a manager with these options does with a session. */
async function firstCookie(options: SessionOptions): Promise<string> {
  const sessions = new SessionManager({ store: new MemoryStore(), ...options });
  const response = await sessions.handle(get(), (session) => {
    session.set("seen", true);
    return new Response();
  });
  return response.headers.getSetCookie()[0] ?? "";
}

/** Has the units as `Temporal.Duration` has them: getters of its prototype. */
class TemporalLike {
  get [Symbol.toStringTag](): string {
    return "Temporal.Duration";
  }
  get days(): number {
    return 1;
  }
  get hours(): number {
    return 1;
  }
}

const LENGTHS: [idleTimeout: unknown, seconds: number][] = [
  [undefined, 604_800],
  [1_000, 1],
  [{ seconds: 1 }, 1],
  [{ days: 1, hours: 2, minutes: 3, seconds: 4 }, 93_784],
  [{ days: 0.5 }, 43_200],
  [{ days: 1, hours: -1 }, 82_800],
  [{ days: 1, hours: undefined }, 86_400],
  [{ weeks: 1 }, 604_800],
  [{ milliseconds: 5_000 }, 5],
  [new TemporalLike(), 90_000],
];

for (const [idleTimeout, seconds] of LENGTHS) {
  const shown = Deno.inspect(idleTimeout, { breakLength: Infinity });
  Deno.test(`idleTimeout ${shown} is ${seconds} seconds`, async () => {
    const options = { idleTimeout } as SessionOptions;
    const cookie = await firstCookie(options);
    assert(cookie.includes(`; Max-Age=${seconds};`), cookie);
  });
}

Deno.test("idleTimeout takes a Temporal.Duration", async () => {
  const { Temporal } = globalThis as unknown as {
    Temporal: { Duration: { from(text: string): { readonly days: number } } };
  };
  const idleTimeout = Temporal.Duration.from("P1DT1H");
  const cookie = await firstCookie({ idleTimeout });
  assert(cookie.includes("; Max-Age=90000;"), cookie);
  const bad = Temporal.Duration.from("P1M");
  assertThrows(
    () => new SessionManager({ idleTimeout: bad }),
    RangeError,
    "with months",
  );
});

Deno.test("idleTimeout follows a shorter absoluteTimeout unless it is given", async () => {
  const absoluteTimeout = { hours: 1 };
  const cookie = await firstCookie({ absoluteTimeout });
  assert(cookie.includes("; Max-Age=3600;"), cookie);
  assertThrows(
    () => new SessionManager({ absoluteTimeout, idleTimeout: { hours: 2 } }),
    RangeError,
    "at most the absoluteTimeout of 3600000 ms",
  );
});

Deno.test("SessionManager() takes every option at its limit, and opens nothing", () => {
  const good: SessionOptions[] = [
    {},
    { absoluteTimeout: 1_000, idleTimeout: 1_000 },
    { absoluteTimeout: 4_320_000_000_000_000 },
    { rotationGrace: 0, pollInterval: 1, storeTimeout: 1 },
    { maxSessionsPerSubject: 1 },
    { maxSessionsPerSubject: Infinity },
    { stateless: false, store: new MemoryStore() },
    { stateless: true, secrets: SECRETS, transport: bearerTransport() },
    { stateless: undefined, store: undefined, cookie: undefined },
    { transport: [cookieTransport(), headerTransport(), bearerTransport()] },
    { transport: { ...TRANSPORT, vary: [] } },
    { onInvalid: "fail", batch: false },
    { store: Promise.resolve(new MemoryStore()) },
    Object.assign(Object.create(null), { batch: true }),
  ];
  for (const options of good) new SessionManager(options);
});

Deno.test("SessionManager() does not heed what becomes of its options afterwards", async () => {
  const store = new MemoryStore();
  const secrets = [key("one")];
  const cookie: CookieOptions = { name: "a" };
  const transport = [headerTransport()];
  const options: SessionOptions = { secrets, cookie, store };
  const sessions = new SessionManager(options);
  const byHeader = new SessionManager({ transport, store });
  secrets[0] = key("two");
  cookie.name = "b";
  options.idleTimeout = -1;
  transport.pop();
  const remember = (session: Session) => {
    session.set("seen", true);
    return new Response();
  };

  const token = tokenOf(await sessions.handle(get(), remember), "a");
  const same = new SessionManager({
    secrets: [key("one")],
    cookie: { name: "a" },
    store,
  });
  const response = await same.handle(
    get(`a=${token}`),
    (session) => Response.json(session.get("seen")),
  );
  assertEquals(await response.json(), true);
  const answer = await byHeader.handle(get(), remember);
  assert(answer.headers.has("x-session"));
});
