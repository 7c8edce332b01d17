// deno-lint-ignore-file no-console -- what is printed is what is tested

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  consoleEvents,
  type ConsoleLevel,
  type SessionEvent,
  SessionManager,
} from "@tessera/session";
import { get } from "./_helpers.ts";
import { fails, SpyStore } from "./_spy_store.ts";
import { Visitor } from "./_visitor.ts";

const LEVELS = ["debug", "info", "warn", "error"] as const;

/** Collects what is printed, as `[level, line]`. */
async function printed(
  run: () => void | Promise<void>,
): Promise<[string, string][]> {
  const lines: [string, string][] = [];
  const originals = LEVELS.map((level) => [level, console[level]] as const);
  for (const level of LEVELS) {
    console[level] = (...args: unknown[]) => {
      assertEquals(args.length, 1);
      lines.push([level, String(args[0])]);
    };
  }
  try {
    await run();
  } finally {
    for (const [level, original] of originals) console[level] = original;
  }
  return lines;
}

const at = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const previousId = "01ARZ3NDEKTSV4RRFFQ69G5FAW";

/** Every kind of event, its level, and the rest of its line. */
const EVENTS: [SessionEvent, ConsoleLevel, string][] = [
  [{ type: "created", id, at }, "info", `created ${id}`],
  [{ type: "login", id, at }, "info", `login ${id}`],
  [
    { type: "regenerated", id, previousId, at },
    "info",
    `regenerated ${id} from ${previousId}`,
  ],
  [
    { type: "ended", id, reason: "evicted", at },
    "info",
    `ended ${id} evicted`,
  ],
  [{ type: "refused", reason: "malformed", at }, "debug", "refused malformed"],
  [
    { type: "refused", id, reason: "idle-timeout", at },
    "debug",
    `refused ${id} idle-timeout`,
  ],
  [
    { type: "refused", id, reason: "corrupt", at },
    "warn",
    `refused ${id} corrupt`,
  ],
  [{ type: "refused", reason: "duplicate", at }, "warn", "refused duplicate"],
  [
    { type: "dropped", id, reason: "revoked", at },
    "warn",
    `dropped ${id} revoked`,
  ],
  [
    { type: "conflict", id, attempt: 3, at },
    "debug",
    `conflict ${id} attempt 3`,
  ],
  [
    { type: "invalid", id, issues: [{ message: "secret data" }], at },
    "warn",
    `invalid ${id} 1 issue(s)`,
  ],
  [
    { type: "warning", message: "Browsers drop the cookie", at },
    "warn",
    "warning Browsers drop the cookie",
  ],
  [
    { type: "store-error", error: new Error("disk\n\u001b[2J\ton  fire"), at },
    "error",
    "store-error Error: disk [2J on fire",
  ],
];

Deno.test("consoleEvents() prints one readable line for every kind of event", async () => {
  const print = consoleEvents({ level: "debug" });
  for (const [event, level, rest] of EVENTS) {
    assertEquals(await printed(() => print(event)), [
      [level, `2026-01-02T03:04:05.678Z session ${rest}`],
    ]);
  }
  assertEquals(new Set(EVENTS.map(([{ type }]) => type)).size, 10);
});

Deno.test("consoleEvents() prints from its level on, from info on by default", async () => {
  for (const [index, level] of LEVELS.entries()) {
    const print = consoleEvents({ level });
    const lines = await printed(() =>
      EVENTS.forEach(([event]) => print(event))
    );
    assertEquals(
      lines.map(([level]) => level),
      EVENTS.map(([, level]) => level).filter((own) =>
        LEVELS.indexOf(own) >= index
      ),
    );
  }
  for (const print of [consoleEvents(), consoleEvents({ level: undefined })]) {
    const lines = await printed(() =>
      EVENTS.forEach(([event]) => print(event))
    );
    assert(lines.length > 0 && lines.every(([level]) => level !== "debug"));
    assert(lines.some(([level]) => level === "info"));
  }
});

Deno.test("consoleEvents() tells a story, and no token, subject or data", async () => {
  const store = new SpyStore();
  const sessions = new SessionManager({
    store,
    onEvent: consoleEvents({ level: "debug" }),
  });
  const visitor = new Visitor(sessions);
  const tokens: string[] = [];
  const lines = await printed(async () => {
    await visitor.visit((session) => session.set("pin", "4711"));
    tokens.push(visitor.token);
    await visitor.visit((session) => session.login("ada", { label: "phone" }));
    tokens.push(visitor.token);
    await sessions.handle(get(`__Host-session=${tokens[0]}`), (session) => {
      return new Response(session.subject);
    });
    store.onGet = fails;
    await visitor.read().catch(() => {});
    store.onGet = undefined;
    await visitor.visit((session) => session.logout());
  });
  const told = lines.map(([level, line]) => [
    level,
    line.replace(/^\S+ session /, "").replace(/ [0-7][0-9A-Z]{25}/, ""),
  ]);
  assertEquals(told, [
    ["info", "created"],
    ["info", "ended rotated"],
    ["info", "login"],
    ["debug", "refused rotated"],
    ["error", "store-error Error: disk on fire"],
    ["info", "ended logout"],
  ]);
  const all = lines.flat().join("\n");
  for (const token of tokens) {
    assert(!all.includes(token.split(".")[1] ?? token));
  }
  for (const text of ["4711", "ada", "phone"]) {
    assert(!all.includes(text), text);
  }
});

/** What a store may throw, and how it is printed. */
const THROWN: [error: unknown, printed: string][] = [
  [
    Object.assign(
      new AggregateError([
        new Error("connect ECONNREFUSED ::1:5432"),
        Object.assign(new TypeError("no\nroute"), { code: "EHOSTUNREACH" }),
        "text",
      ], ""),
      { code: "ECONNREFUSED" },
    ),
    "AggregateError (ECONNREFUSED) [Error: connect ECONNREFUSED ::1:5432; TypeError: no route (EHOSTUNREACH); text]",
  ],
  [new AggregateError([], "all failed"), "AggregateError: all failed []"],
  [
    new AggregateError(Array.from({ length: 9 }, (_, n) => new Error(`${n}`))),
    "AggregateError [Error: 0; Error: 1; Error: 2; Error: 3; …]",
  ],
  [
    new AggregateError([new AggregateError([new Error("deep")])]),
    "AggregateError [AggregateError]",
  ],
  [
    new AggregateError([Object.create(null), new Error("x")]),
    "AggregateError [object that cannot be printed; Error: x]",
  ],
  [
    Object.assign(new AggregateError([]), { errors: null }),
    "AggregateError",
  ],
  [
    Object.assign(new Error("no such table"), { code: "42P01" }),
    "Error: no such table (42P01)",
  ],
  [Object.assign(new Error("x"), { code: 7 }), "Error: x"],
  ["text", "text"],
  [undefined, "undefined"],
  [null, "null"],
  [Symbol("s"), "Symbol(s)"],
  [Object.create(null), "object that cannot be printed"],
  [
    {
      toString() {
        throw new Error("no");
      },
    },
    "object that cannot be printed",
  ],
  [
    {
      toString: () => "thing",
      get code() {
        throw new Error("no");
      },
    },
    "object that cannot be printed",
  ],
];

Deno.test("consoleEvents() prints what a store threw, whatever that is, in one line", async () => {
  const print = consoleEvents();
  for (const [error, text] of THROWN) {
    assertEquals(
      await printed(() => print({ type: "store-error", error, at })),
      [
        ["error", `2026-01-02T03:04:05.678Z session store-error ${text}`],
      ],
    );
  }
});

Deno.test("consoleEvents() refuses an unknown level or option", () => {
  const make = (options: unknown) => () =>
    Reflect.apply(consoleEvents, undefined, [options]);
  assertThrows(make({ level: "trace" }), TypeError, `received "trace"`);
  assertThrows(make({ level: 1 }), TypeError, "debug, info, warn, error");
  assertThrows(make({ levels: "info" }), TypeError, `received "levels"`);
});
