import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import type { Session } from "@tessera/session";
import { Visitor } from "./_visitor.ts";
import { MUTATORS } from "./_mutators.ts";

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

Deno.test("Session.update() still merges if the value was looked at or set before it", async () => {
  const add = (item: number) => (list: number[] = []) => [...list, item];
  const before: ((session: Session) => void)[] = [
    (session) => void session.get("list"),
    (session) => void [...session.entries()],
    (session) => session.update<number[]>("list", add(2)),
  ];
  for (const look of before) {
    const visitor = new Visitor();
    await visitor.visit((session) => session.set("list", [1]));
    await visitor.visit(async (session) => {
      look(session);
      session.update<number[]>("list", add(3));
      session.get("list");
      await visitor.visit((other) => other.update<number[]>("list", add(9)));
    });
    const [[, list] = []] = await visitor.read();
    assertEquals((list as number[]).slice(0, 2), [1, 9]);
    assertEquals((list as number[]).at(-1), 3);
  }
});

Deno.test("Session takes the last of several changes of one key in one request", async () => {
  const stories: [(session: Session) => void, [string, unknown][]][] = [
    [(s) => {
      s.set("a", 1);
      s.clear();
      s.set("a", 2);
    }, [["a", 2]]],
    [(s) => {
      s.set("a", 1);
      s.delete("a");
      s.set("a", 2);
    }, [["x", 0], ["a", 2]]],
    [(s) => {
      s.set("a", 1);
      s.update<number>("a", (a = 0) => a + 1);
      s.set("a", 7);
    }, [["x", 0], ["a", 7]]],
    [(s) => {
      s.update<number>("x", (x = 0) => x + 1);
      s.set("x", 5);
      s.update<number>("x", (x = 0) => x + 1);
    }, [["x", 6]]],
    [(s) => {
      s.update<number>("x", (x = 0) => x + 1);
      s.clear();
      s.update<number>("x", (x = 100) => x + 1);
    }, [["x", 101]]],
    [(s) => {
      s.clear();
      s.clear();
      s.delete("x");
    }, []],
  ];
  for (const [change, expected] of stories) {
    const visitor = new Visitor();
    await visitor.visit((session) => session.set("x", 0));
    await visitor.visit((session) => {
      change(session);
      assertEquals([...session.entries()], expected, String(change));
    });
    assertEquals(await visitor.read(), expected, String(change));
  }
});

Deno.test("Session.update() refuses a callback that changes its copy and returns nothing", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.set("cart", ["apples"]));
  await visitor.visit((session) => {
    assertThrows(
      () =>
        session.update<unknown>("cart", (cart) => {
          (cart as string[]).push("pears");
        }),
      TypeError,
      'Cannot update session value "cart": want the callback to return the next value: received undefined',
    );
    session.update("gone", () => undefined); // nothing was changed in place
    session.set("n", 1);
    session.update("n", () => undefined);
  });
  assertEquals(await visitor.read(), [
    ["cart", ["apples"]],
    ["gone", undefined],
    ["n", undefined],
  ]);
});
