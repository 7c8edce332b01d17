import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  type Session,
  SessionClosedError,
  SessionStoreError,
  SessionTooLargeError,
} from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { fails, SpyStore } from "./_spy_store.ts";
import { Visitor } from "./_visitor.ts";

/** Keys that are something special in some object or other. */
const SPECIAL_KEYS = [
  "__proto__",
  "constructor",
  "prototype",
  "hasOwnProperty",
  "toString",
  "then",
  "toJSON",
  "length",
  "size",
  "id",
  "subject",
  "flash",
  "expiresAt",
  "",
  "\0",
  "\ud800",
  "ключ",
];

Deno.test("Session.get() and .has() tell a value that is undefined from none", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => {
    assertEquals(session.get("a"), undefined);
    assertEquals(session.has("a"), false);
    session.set("a", undefined);
    assertEquals(session.get("a"), undefined);
    assertEquals(session.has("a"), true);
    assertEquals(session.size, 1);
  });
  await visitor.visit((session) => {
    assertEquals(session.get("a"), undefined);
    assertEquals(session.has("a"), true);
    assertEquals(session.has("b"), false);
    assertEquals(session.size, 1);
  });
});

Deno.test("Session.get() returns the same object each time", async () => {
  const visitor = new Visitor();
  const cart = ["apples"];
  await visitor.visit((session) => {
    session.set("cart", cart);
    assertStrictEquals(session.get("cart"), cart);
  });
  await visitor.visit((session) => {
    const first = session.get("cart");
    assertEquals(first, cart);
    assert(first !== cart);
    assertStrictEquals(session.get("cart"), first);
    assertStrictEquals([...session.entries()][0]?.[1], first);
  });
});

Deno.test("Session.delete() says whether there was a value", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => {
    session.set("a", 1);
    session.set("b", 2);
    assertEquals(session.delete("a"), true);
    assertEquals(session.delete("a"), false);
    assertEquals(session.has("a"), false);
    assertEquals(session.size, 1);
  });
  assertEquals(await visitor.read(), [["b", 2]]);
  await visitor.visit((session) => {
    assertEquals(session.delete("a"), false);
    assertEquals(session.delete("b"), true);
    assertEquals(session.get("b"), undefined);
  });
  assertEquals(await visitor.read(), []);
});

Deno.test("Session.clear() removes all values, and neither subject nor flash values", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => {
    session.login("alice");
    session.set("a", 1);
    session.set("b", { c: 2 });
    session.flash("notice", "hi");
  });
  await visitor.visit((session) => {
    session.get("b");
    session.clear();
    assertEquals(session.size, 0);
    assertEquals(session.get("b"), undefined);
    assertEquals([...session.entries()], []);
    session.set("d", 3);
    assertEquals([...session.entries()], [["d", 3]]);
  });
  await visitor.visit((session) => {
    assertEquals([...session.entries()], [["d", 3]]);
    assertEquals(session.subject, "alice");
    assertEquals(session.flash("notice"), "hi");
  });
  await visitor.visit((session) => session.clear());
  assertEquals(await visitor.read(), []);
});

Deno.test("Session.entries() goes in the order in which keys were first set, as a Map's do", async () => {
  const visitor = new Visitor();
  const model = new Map<string, unknown>();
  const steps: ((map: Pick<Session, "set" | "delete">) => void)[] = [
    (map) => map.set("z", 1),
    (map) => map.set("10", 2),
    (map) => map.set("9", 3),
    (map) => map.set("a", 4),
    (map) => map.set("z", 5),
    (map) => map.delete("10"),
    (map) => map.set("10", 6),
    (map) => map.set("b", 7),
    (map) => map.delete("a"),
    (map) => map.set("a", 8),
  ];
  await visitor.visit((session) => {
    for (const step of steps) step(session);
    for (const step of steps) step(model as Pick<Session, "set" | "delete">);
    assertEquals([...session.entries()], [...model]);
  });
  assertEquals(await visitor.read(), [...model]);
  for (const step of steps) {
    await visitor.visit((session) => step(session));
    step(model as Pick<Session, "set" | "delete">);
    assertEquals(await visitor.read(), [...model]);
  }
});

Deno.test("Session.entries() is an iterator over a moment, whatever changes meanwhile", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => {
    session.set("a", 1);
    session.set("b", 2);
    const entries = session.entries();
    assertStrictEquals(entries[Symbol.iterator](), entries);
    for (const [key] of entries) session.set(`${key}${key}`, 0);
    assertEquals(session.size, 4);
    assertEquals(Object.fromEntries(session.entries()), {
      a: 1,
      b: 2,
      aa: 0,
      bb: 0,
    });
  });
});

Deno.test("Session keys are plain, whatever they mean elsewhere", async () => {
  const visitor = new Visitor<
    Record<string, unknown>,
    Record<string, unknown>
  >();
  const before = await visitor.visit((session) => {
    for (const key of SPECIAL_KEYS) {
      assertEquals(session.get(key), undefined, key);
      assertEquals(session.has(key), false, key);
    }
    for (const key of SPECIAL_KEYS) session.set(key, `value of ${key}`);
    for (const key of SPECIAL_KEYS) session.flash(key, `flash of ${key}`);
    session.set("object", JSON.parse('{"__proto__":{"admin":true}}'));
    return session.id;
  });
  await visitor.visit((session) => {
    for (const key of SPECIAL_KEYS) {
      assertEquals(session.get(key), `value of ${key}`);
      assertEquals(session.flash(key), `flash of ${key}`);
      session.update(key, (current) => `${current}!`);
    }
    const object = session.get("object") as { admin?: boolean };
    assertEquals(object.admin, undefined);
    assertEquals(Object.keys(object), ["__proto__"]);
    assertEquals(({} as { admin?: boolean }).admin, undefined);
    assertEquals(session.size, SPECIAL_KEYS.length + 1);
    assertEquals(session.id, before);
    assertEquals(session.subject, undefined);
  });
  for (const key of SPECIAL_KEYS) {
    const value = await visitor.visit((session) => {
      const value = session.get(key);
      assertEquals(session.delete(key), true);
      return value;
    });
    assertEquals(value, `value of ${key}!`);
  }
  assertEquals((await visitor.read()).map(([key]) => key), ["object"]);
});

Deno.test("Session refuses keys that are no strings", async () => {
  await new Visitor().visit((session) => {
    for (const key of [1, null, undefined, {}, ["a"], Symbol("s")]) {
      const bad = key as unknown as string;
      for (
        const use of [
          () => session.set(bad, 1),
          () => session.update(bad, () => 1),
          () => session.flash(bad, 1),
          () => session.flash(bad),
        ]
      ) assertThrows(use, TypeError, " must be a string: received ");
    }
    assertEquals(session.size, 0);
  });
});

Deno.test("Session tells when it was made, used, and ends", async () => {
  const clock = new TestClock(1_000_000);
  const visitor = new Visitor({
    clock: clock.now,
    idleTimeout: 10_000,
    absoluteTimeout: 25_000,
  });
  const times = (session: Session) => [
    session.isNew,
    session.createdAt,
    session.lastSeenAt,
    session.expiresAt,
    session.authenticatedAt,
  ];
  const created = await visitor.visit((session) => {
    session.set("a", 1);
    return times(session);
  });
  assertEquals(created, [true, 1_000_000, 1_000_000, 1_010_000, undefined]);
  clock.advance(999);
  assertEquals(await visitor.visit(times), [
    false,
    1_000_000,
    1_000_000,
    1_010_000,
    undefined,
  ]);
  clock.advance(1_001);
  await visitor.visit(times);
  assertEquals(await visitor.visit(times), [
    false,
    1_000_000,
    1_002_000,
    1_012_000,
    undefined,
  ]);
  clock.advance(8_000);
  const login = await visitor.visit((session) => {
    session.login("alice");
    return times(session);
  });
  assertEquals(login.slice(3), [1_020_000, 1_010_000]);
  clock.advance(9_000);
  await visitor.visit(times);
  clock.advance(9_000);
  await visitor.visit(times);
  assertEquals(await visitor.visit(times), [
    false,
    1_000_000,
    1_028_000,
    1_035_000,
    1_010_000,
  ]);
});

Deno.test("Session.id is known at once, and stays what it will be", async () => {
  const visitor = new Visitor();
  const ids = await visitor.visit((session) => {
    const ids = [session.id, session.id];
    session.set("a", 1);
    return [...ids, session.id];
  });
  assertEquals(new Set(ids).size, 1);
  assertEquals(await visitor.visit(({ id }) => id), ids[0]);
  assertEquals(visitor.token.split(".")[0], ids[0]);
  assert(/^[0-9A-HJKMNP-TV-Z]{26}$/.test(ids[0] ?? ""));

  for (
    const change of [
      (session: Session) => session.regenerate(),
      (session: Session) => session.login("alice"),
    ]
  ) {
    const before = await visitor.visit(({ id }) => id);
    const after = await visitor.visit((session) => {
      change(session);
      return session.id;
    });
    assert(after !== before);
    assertEquals(await visitor.visit(({ id }) => id), after);
  }
});

Deno.test("Session.login() binds the subject, and is seen at once", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => {
    session.set("cart", ["apples"]);
    assertEquals(session.subject, undefined);
    session.login("bob");
    session.login("alice", { label: "Firefox" });
    assertEquals(session.subject, "alice");
  });
  const [info] = await Array.fromAsync(visitor.sessions.list());
  assertEquals([info?.subject, info?.label], ["alice", "Firefox"]);
  await visitor.visit((session) => {
    assertEquals(session.subject, "alice");
    assertEquals(session.get("cart"), ["apples"]);
    // a later regenerate does not undo a login
    session.login("carol");
    session.regenerate();
  });
  assertEquals(await visitor.visit(({ subject }) => subject), "carol");
  assertEquals((await Array.fromAsync(visitor.sessions.list())).length, 1);
});

Deno.test("Session.login() refuses what is no subject and no option", async () => {
  await new Visitor().visit((session) => {
    for (const subject of [1, null, undefined, {}]) {
      assertThrows(
        () => session.login(subject as unknown as string),
        TypeError,
        '"subject" must be a string',
      );
    }
    assertThrows(
      () => session.login("a", { label: 1 as unknown as string }),
      TypeError,
      '"label" must be a string: received number',
    );
    assertThrows(
      () => session.login("a", { device: "x" } as { label?: string }),
      TypeError,
      'want an option of label: received "device"',
    );
    assertThrows(
      () => session.persist("yes" as unknown as boolean),
      TypeError,
      '"persistent" must be a boolean: received string',
    );
    assertEquals(session.subject, undefined);
  });
});

/** Everything that changes a session. */
const MUTATORS: Record<string, (session: Session) => unknown> = {
  set: (session) => session.set("a", 2),
  delete: (session) => session.delete("a"),
  "delete of nothing": (session) => session.delete("none"),
  clear: (session) => session.clear(),
  update: (session) => session.update("a", () => 2),
  flash: (session) => session.flash("notice", "late"),
  "flash, taken": (session) => session.flash("notice"),
  keepFlash: (session) => session.keepFlash(),
  persist: (session) => session.persist(false),
  login: (session) => session.login("alice"),
  logout: (session) => session.logout(),
  regenerate: (session) => session.regenerate(),
  destroy: (session) => session.destroy(),
};

function assertClosed(session: Session): void {
  for (const [name, mutate] of Object.entries(MUTATORS)) {
    const error = assertThrows(
      () => mutate(session),
      SessionClosedError,
      "the session must still be open: received a change after the commit; " +
        "use manager.edit",
      name,
    );
    assertEquals(error.name, "SessionClosedError");
  }
}

Deno.test("Session is closed after the response, whatever was done with it", async () => {
  const uses: ((session: Session) => unknown)[] = [
    (session) => session.set("a", 1),
    (session) => session.get("a"),
    () => {},
    (session) => session.commit(),
    (session) => session.update<number>("a", (a = 0) => a + 1),
  ];
  for (const use of uses) {
    for (const known of [false, true]) {
      const visitor = new Visitor();
      if (known) await visitor.visit((session) => session.set("a", 0));
      const session = await visitor.visit(async (session) => {
        await use(session);
        return [session] as const;
      });
      const before = await visitor.read();
      assertClosed(session[0]);
      assertEquals([...session[0].entries()], before);
      assertEquals(await visitor.read(), before);
    }
  }
});

Deno.test("Session is closed after a handler that threw, and nothing of it can be committed", async () => {
  for (const known of [false, true]) {
    const visitor = new Visitor();
    if (known) await visitor.visit((session) => session.set("a", 0));
    const before = await visitor.read();
    const kept: Session[] = [];
    await assertRejects(
      () =>
        visitor.visit((session) => {
          kept.push(session);
          session.set("a", 1);
          throw new Error("the handler's own");
        }),
      Error,
      "the handler's own",
    );
    const [session] = kept;
    assert(session !== undefined);
    assertClosed(session);
    await assertRejects(
      () => session.commit(),
      SessionClosedError,
      "the request must still be under way",
    );
    assertEquals(await visitor.read(), before);
    assertEquals(
      (await Array.fromAsync(visitor.sessions.list())).length,
      known ? 1 : 0,
    );
  }
});

Deno.test("Session.commit() stores at once, closes the handle, and the response has the cookie", async () => {
  const store = new SpyStore();
  const visitor = new Visitor({ store });
  await visitor.visit(async (session) => {
    session.set("a", { b: 1 });
    await session.commit();
    assertEquals((await store.dump()).length, 1);
    assertClosed(session);
    assertEquals(session.get("a"), { b: 1 });
    await session.commit();
    assertEquals(store.calls.commit, 1);
  });
  assertEquals(store.calls.commit, 1);
  assertEquals(visitor.response.headers.getSetCookie().length, 1);
  assertEquals(await visitor.read(), [["a", { b: 1 }]]);
});

Deno.test("Session.commit() stays done though the handler throws", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.set("a", 1));
  await assertRejects(
    () =>
      visitor.visit(async (session) => {
        session.set("a", 2);
        await session.commit();
        throw new Error("too late");
      }),
    Error,
    "too late",
  );
  assertEquals(await visitor.read(), [["a", 2]]);
});

Deno.test("Session shows what was committed, also what other requests had a part in", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => {
    session.set("n", 1);
    session.set("gone", true);
  });
  const shown = await visitor.visit(async (session) => {
    session.update<number>("n", (n = 0) => n + 1);
    session.set("mine", [1]);
    assertEquals(session.get("n"), 2);
    await visitor.visit((other) => {
      other.update<number>("n", (n = 0) => n + 10);
      other.set("theirs", true);
      other.delete("gone");
    });
    await session.commit();
    assertEquals(session.get("n"), 12);
    assertEquals(session.has("gone"), false);
    assertEquals(session.size, 3);
    return [...session.entries()];
  });
  assertEquals(shown, [["n", 12], ["theirs", true], ["mine", [1]]]);
  assertEquals(await visitor.read(), shown);
});

Deno.test("Session.commit() can be tried again after what was too large was removed", async () => {
  using kv = await Deno.openKv(":memory:");
  const visitor = new Visitor({ store: kv });
  for (const known of [false, true]) {
    if (known) await visitor.visit((session) => session.set("old", 1));
    await visitor.visit(async (session) => {
      session.set("small", 1);
      session.set("large", "x".repeat(900_000));
      const error = await assertRejects(
        () => session.commit(),
        SessionTooLargeError,
      );
      assert(error.size > error.limit);
      assertEquals(session.delete("large"), true);
      await session.commit();
      assertThrows(() => session.set("small", 2), SessionClosedError);
    });
    const expected = known ? ["small", "old"] : ["small"];
    assertEquals((await visitor.read()).map(([key]) => key), expected);
  }
});

Deno.test("Session that is too large leaves what was stored as it is", async () => {
  using kv = await Deno.openKv(":memory:");
  const visitor = new Visitor({ store: kv });
  await visitor.visit((session) => session.set("old", 1));
  await assertRejects(
    () => visitor.visit((session) => session.set("large", "x".repeat(900_000))),
    SessionTooLargeError,
  );
  assertEquals(await visitor.read(), [["old", 1]]);
});

Deno.test("Session.commit() that the store failed can be repeated, and is by the response", async () => {
  const store = new SpyStore();
  const visitor = new Visitor({ store });
  for (const again of [true, false]) {
    await visitor.visit(async (session) => {
      session.update<number>("n", (n = 0) => n + 1);
      store.onCommit = fails;
      await assertRejects(() => session.commit(), SessionStoreError);
      store.onCommit = undefined;
      assertThrows(() => session.set("n", 7), SessionClosedError);
      if (again) await session.commit();
    });
  }
  assertEquals(await visitor.read(), [["n", 2]]);
});

Deno.test("Session.update() runs on a copy, and again on the newest value alone if that changed", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.set("list", [1]));
  const seen: unknown[] = [];
  await visitor.visit(async (session) => {
    session.update<number[]>("list", (list = []) => {
      seen.push([...list]);
      list.push(2);
      return list;
    });
    session.update<number>("other", (n = 0) => n + 1);
    await visitor.visit((other) => other.set("else", true));
  });
  assertEquals(seen, [[1]]);
  await visitor.visit(async (session) => {
    session.update<number[]>("list", (list = []) => {
      seen.push([...list]);
      return [...list, 3];
    });
    await visitor.visit((other) => other.set("list", [7]));
  });
  assertEquals(seen, [[1], [1, 2], [7]]);
  assertEquals(new Map(await visitor.read()).get("list"), [7, 3]);
});

Deno.test("Session.update() refuses what it cannot run or store, and changes nothing then", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.set("n", 1));
  await visitor.visit((session) => {
    const failure = new RangeError("the callback's own");
    assertStrictEquals(
      assertThrows(() =>
        session.update("n", () => {
          throw failure;
        })
      ),
      failure,
    );
    const update = session.update.bind(session) as (
      key: string,
      next: unknown,
    ) => void;
    const bad: [unknown, string][] = [
      [1, '"next" must be a function: received number'],
      [undefined, '"next" must be a function: received undefined'],
      [async () => await Promise.resolve(1), "want a synchronous callback"],
      [() => Promise.reject(new Error("x")), "want a synchronous callback"],
      [() => ({ then: () => {} }), "want a synchronous callback"],
      [() => () => 1, "received a function"],
      [() => Symbol("s"), "received a symbol"],
    ];
    for (const [next, message] of bad) {
      const error = assertThrows(() => update("n", next), TypeError, message);
      assert(error.message.includes('update session value "n"'));
    }
    assertEquals(session.get("n"), 1);
    session.set("after", true);
  });
  assertEquals(await visitor.read(), [["n", 1], ["after", true]]);
});

Deno.test("Session.update() refuses a callback that changes the session", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.set("a", 1));
  await visitor.visit((session) => {
    for (const [name, mutate] of Object.entries(MUTATORS)) {
      assertThrows(
        () =>
          session.update("n", () => {
            mutate(session);
            return 1;
          }),
        TypeError,
        "want an update callback without effects",
        name,
      );
    }
    assertEquals([...session.entries()], [["a", 1]]);
    // reading is no effect
    session.update("b", () => session.get<number>("a"));
  });
  assertEquals(await visitor.read(), [["a", 1], ["b", 1]]);
});

Deno.test("Session changes of racing requests merge by key", async () => {
  const stories: [
    name: string,
    first: (session: Session) => void,
    second: (session: Session) => void,
    result: [string, unknown][],
  ][] = [
    ["set and set", (s) => s.set("a", 1), (s) => s.set("b", 2), [
      ["x", 0],
      ["y", 0],
      ["b", 2],
      ["a", 1],
    ]],
    ["the last set wins", (s) => s.set("x", 1), (s) => s.set("x", 2), [
      ["x", 1],
      ["y", 0],
    ]],
    ["delete and set", (s) => s.delete("x"), (s) => s.set("b", 2), [
      ["y", 0],
      ["b", 2],
    ]],
    ["delete after set", (s) => s.delete("x"), (s) => s.set("x", 2), [
      ["y", 0],
    ]],
    ["set after delete", (s) => s.set("x", 1), (s) => s.delete("x"), [
      ["y", 0],
      ["x", 1],
    ]],
    ["clear after set", (s) => s.clear(), (s) => s.set("b", 2), []],
    ["set after clear", (s) => s.set("a", 1), (s) => s.clear(), [["a", 1]]],
    [
      "clear and set after set",
      (s) => {
        s.clear();
        s.set("a", 1);
      },
      (s) => s.set("b", 2),
      [["a", 1]],
    ],
    [
      "update after clear",
      (s) => s.update<number>("x", (x = 5) => x + 1),
      (s) => s.clear(),
      [["x", 6]],
    ],
    [
      "set and update after set",
      (s) => {
        s.set("x", 10);
        s.update<number>("x", (x = 0) => x + 1);
      },
      (s) => s.set("x", 99),
      [["x", 11], ["y", 0]],
    ],
    [
      "update and delete after set",
      (s) => {
        s.update<number>("x", (x = 0) => x + 1);
        s.delete("x");
      },
      (s) => s.set("x", 99),
      [["y", 0]],
    ],
  ];
  for (const [name, first, second, result] of stories) {
    const visitor = new Visitor();
    await visitor.visit((session) => {
      session.set("x", 0);
      session.set("y", 0);
    });
    await visitor.visit(async (session) => {
      first(session);
      await visitor.visit(second);
    });
    assertEquals(await visitor.read(), result, name);
  }
});

Deno.test("Session.persist() chooses the kind of cookie, and is kept", async () => {
  const clock = new TestClock();
  for (const persistent of [true, false]) {
    const visitor = new Visitor({
      cookie: { persistent: !persistent },
      clock: clock.now,
      idleTimeout: { hours: 1 },
    });
    const maxAge = () =>
      visitor.response.headers.getSetCookie().map((line) =>
        /Max-Age=(\d+)/.exec(line)?.[1]
      );
    await visitor.visit((session) => session.set("a", 1));
    assertEquals(maxAge(), [persistent ? undefined : "3600"]);
    await visitor.visit((session) => session.persist(persistent));
    const chosen = persistent ? "3600" : undefined;
    assertEquals(maxAge(), [chosen]);
    await visitor.visit((session) => session.persist(persistent));
    assertEquals(maxAge(), []);
    await visitor.visit((session) => session.regenerate());
    assertEquals(maxAge(), [chosen]);
    await visitor.visit((session) => session.login("alice"));
    assertEquals(maxAge(), [chosen]);
    clock.advance({ minutes: 30 });
    await visitor.visit(() => {});
    assertEquals(maxAge(), persistent ? ["3600"] : []);
    visitor.client.restart();
    assertEquals(visitor.token === "", !persistent);
  }
});
