import { assert, assertEquals, assertRejects } from "@std/assert";
import { MemoryStore, type Session } from "@tessera/session";
import { SpyStore } from "./_spy_store.ts";
import { Visitor } from "./_visitor.ts";

/** Values that can be changed in place, and how; each change makes another value. */
const CHANGES: Record<
  string,
  [make: () => unknown, change: (value: never) => void][]
> = {
  array: [
    [() => [1, 2], (value: number[]) => value.push(3)],
    [() => [1, 2], (value: number[]) => value.reverse()],
    [() => [1, 2], (value: number[]) => value.length = 1],
    [() => [1, 2], (value: number[]) => delete value[0]],
    [() => [[[1]]], (value: number[][][]) => value[0]?.[0]?.push(2)],
    [() => [0], (value: number[]) => value[0] = -0],
    [
      () => [{ a: 1 }],
      (value: { a: number }[]) => value.forEach((one) => one.a++),
    ],
  ],
  object: [
    [() => ({ a: 1 }), (value: { a: number }) => value.a = 2],
    [() => ({ a: 1 }), (value: { b?: number }) => value.b = 2],
    [() => ({ a: 1 }), (value: { a?: number }) => delete value.a],
    [
      () => ({ a: 1 }),
      (value: { a?: number | undefined }) => value.a = undefined,
    ],
    [
      () => ({ a: { b: { c: 1 } } }),
      (value: { a: { b: { c: number } } }) => value.a.b.c = 2,
    ],
    [() => ({ a: 1, b: 2 }), (value: { a?: number }) => {
      delete value.a;
      value.a = 1;
    }],
    [() => ({ a: null }), (value: { a: unknown }) => value.a = undefined],
    [() => ({ a: 1 }), (value: { a: unknown }) => value.a = "1"],
    [() => ({ n: 1n }), (value: { n: bigint }) => value.n++],
  ],
  Map: [
    [
      () => new Map([["a", 1]]),
      (value: Map<string, number>) => value.set("b", 2),
    ],
    [
      () => new Map([["a", 1]]),
      (value: Map<string, number>) => value.set("a", 2),
    ],
    [
      () => new Map([["a", 1]]),
      (value: Map<string, number>) => value.delete("a"),
    ],
    [() => new Map([["a", 1], ["b", 2]]), (value: Map<string, number>) => {
      value.delete("a");
      value.set("a", 1);
    }],
    [
      () => new Map([["a", [1]]]),
      (value: Map<string, number[]>) => value.get("a")?.push(2),
    ],
    [
      () => new Map([[[1], 1]]),
      (value: Map<number[], number>) => [...value.keys()][0]?.push(2),
    ],
  ],
  Set: [
    [() => new Set([1]), (value: Set<number>) => value.add(2)],
    [() => new Set([1]), (value: Set<number>) => value.delete(1)],
    [() => new Set([1, 2]), (value: Set<number>) => {
      value.delete(1);
      value.add(1);
    }],
    [
      () => new Set([{ a: 1 }]),
      (value: Set<{ a: number }>) => value.forEach((one) => one.a++),
    ],
  ],
  Date: [
    [() => new Date(0), (value: Date) => value.setTime(1)],
    [() => new Date(0), (value: Date) => value.setTime(NaN)],
    [() => [new Date(0)], (value: Date[]) => value[0]?.setFullYear(2000)],
  ],
  bytes: [
    [() => new Uint8Array([1, 2]), (value: Uint8Array) => value[1] = 3],
    [() => new Float64Array([0]), (value: Float64Array) => value[0] = -0],
    [() => new BigInt64Array(2), (value: BigInt64Array) => value[1] = 1n],
    [
      () => new DataView(new ArrayBuffer(4)),
      (value: DataView) => value.setInt16(2, 7),
    ],
    [
      () => new ArrayBuffer(3),
      (value: ArrayBuffer) => new Uint8Array(value).fill(1),
    ],
    [
      () => new Uint8Array([1, 2, 3, 4]).subarray(1, 3),
      (value: Uint8Array) => new Uint8Array(value.buffer)[3] = 9,
    ],
  ],
};

/** How a handler gets hold of a value. */
const WAYS: Record<string, (session: Session, make: () => unknown) => unknown> =
  {
    "after get": (session) => session.get("value"),
    "after set": (session, make) => {
      const value = make();
      session.set("value", value);
      return value;
    },
    "after set and get": (session, make) => {
      session.set("value", make());
      return session.get("value");
    },
    "after update": (session, make) => {
      session.update("value", make);
      return session.get("value");
    },
    "in entries": (session) => new Map(session.entries()).get("value"),
  };

for (const [kind, changes] of Object.entries(CHANGES)) {
  for (const [way, take] of Object.entries(WAYS)) {
    Deno.test(`Session notices what is changed in place in ${kind} ${way}`, async () => {
      for (const [make, change] of changes) {
        const visitor = new Visitor();
        await visitor.visit((session) => session.set("value", make()));
        await visitor.visit((session) => {
          change(take(session, make) as never);
        });
        const expected = make();
        change(expected as never);
        const found = await visitor.visit((session) => session.get("value"));
        // to the letter: -0 and the order of keys and entries count
        assertEquals(
          Deno.inspect(found),
          Deno.inspect(expected),
          String(change),
        );
        assertEquals(found, expected, String(change));
      }
    });
  }
}

Deno.test("Session writes nothing for values that were read and not changed", async () => {
  const store = new SpyStore();
  const visitor = new Visitor({ store });
  const values = Object.values(CHANGES).flat().map(([make]) => make());
  await visitor.visit((session) => {
    values.forEach((value, index) => session.set(`${index}`, value));
    session.set("cycle", cyclic());
    session.set("date", new Date(NaN));
    session.set("null", Object.assign(Object.create(null), { a: 1 }));
    session.set("regexp", /x/gi);
    session.set("error", new TypeError("x", { cause: [1] }));
    session.set("sparse", [1, , 3]);
  });
  store.reset();
  await visitor.visit((session) => {
    for (const [key] of session.entries()) session.get(key);
    const list = session.get<number[]>("0");
    list?.push(4);
    list?.pop(); // and back
    session.get<RegExp>("regexp")?.test("x"); // moves its lastIndex
  });
  assertEquals(store.calls, { get: 1, commit: 0, list: 0 });
});

function cyclic(): unknown {
  const list: unknown[] = [1];
  list.push({ list });
  return list;
}

Deno.test("Session keeps cycles and shared references within a value", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => {
    const shared = { n: 1 };
    session.set("value", { a: shared, b: shared, list: cyclic() });
  });
  await visitor.visit((session) => {
    const value = session.get<
      { a: { n: number }; b: unknown; list: unknown[] }
    >("value");
    assert(value !== undefined && value.a === value.b);
    assert((value.list[1] as { list: unknown }).list === value.list);
    value.a.n = 2;
  });
  const { a, b } = await visitor.visit((session) =>
    session.get<{ a: unknown; b: unknown }>("value") ?? { a: 0, b: 0 }
  );
  assertEquals([a, b], [{ n: 2 }, { n: 2 }]);
});

Deno.test("Session does not take what is changed in a value that was replaced or removed", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => {
    session.set("replaced", ["old"]);
    session.set("removed", ["old"]);
    session.set("updated", ["old"]);
  });
  await visitor.visit((session) => {
    const replaced = session.get<string[]>("replaced");
    const removed = session.get<string[]>("removed");
    const updated = session.get<string[]>("updated");
    session.set("replaced", ["new"]);
    session.delete("removed");
    session.update<string[]>("updated", (list = []) => [...list, "new"]);
    for (const value of [replaced, removed, updated]) value?.push("late");
  });
  assertEquals(await visitor.read(), [
    ["replaced", ["new"]],
    ["updated", ["old", "new"]],
  ]);
});

Deno.test("Session.update() sees what was changed in place before it", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.set("list", [1]));
  await visitor.visit((session) => {
    session.get<number[]>("list")?.push(2);
    session.update<number[]>("list", (list = []) => [...list, 3]);
    session.get<number[]>("list")?.push(4);
    session.update<number[]>("list", (list = []) => [...list, 5]);
    const own = [0];
    session.set("own", own);
    own.push(1);
    session.update<number[]>("own", (list = []) => [...list, 2]);
    own.push(99);
    assertEquals(session.get("list"), [1, 2, 3, 4, 5]);
  });
  assertEquals(await visitor.read(), [["list", [1, 2, 3, 4, 5]], [
    "own",
    [0, 1, 2],
  ]]);
});

Deno.test("Session merges what is changed in place like any set", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => {
    session.set("a", [1]);
    session.set("b", [1]);
  });
  await visitor.visit(async (session) => {
    session.get("b");
    session.get<number[]>("a")?.push(2);
    await visitor.visit((other) => {
      other.get<number[]>("a")?.push(3);
      other.get<number[]>("b")?.push(3);
    });
  });
  assertEquals(await visitor.read(), [["a", [1, 2]], ["b", [1, 3]]]);
});

Deno.test("Session copies values when it commits, so that later changes of them are not stored", async () => {
  const visitor = new Visitor();
  const value = { list: [1] };
  await visitor.visit(async (session) => {
    session.set("value", value);
    await session.commit();
    value.list.push(2);
  });
  value.list.push(3);
  assertEquals(await visitor.read(), [["value", { list: [1] }]]);
  const got = await visitor.visit((session) =>
    session.get<{ list: number[] }>("value")
  );
  got?.list.push(4);
  assertEquals(await visitor.read(), [["value", { list: [1] }]]);
});

Deno.test("Session warns of a value that is changed in place after the commit", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.set("list", [1]));
  await visitor.visit((session) => session.get<number[]>("list")?.push(2));
  assertEquals(visitor.events.map(({ type }) => type), ["created"]);
  await visitor.visit(async (session) => {
    session.set("n", 1);
    await session.commit();
    session.get<number[]>("list")?.push(3);
  });
  const warnings = visitor.events.filter(({ type }) => type === "warning");
  assertEquals(warnings.length, 1);
  const [warning] = warnings;
  assert(warning?.type === "warning");
  assert(warning.message.includes("changed in place after session.commit()"));
  assertEquals(await visitor.read(), [["list", [1, 2]], ["n", 1]]);
});

Deno.test("R35 a value that was changed and not saved never leaks into the next request", async () => {
  for (const batch of [true, false]) {
    using kv = await Deno.openKv(":memory:");
    for (const store of [new MemoryStore(), kv]) {
      const visitor = new Visitor({ store, batch });
      await visitor.visit((session) => {
        session.set("map", new Map([["a", { n: [1] }]]));
        session.set("plain", 1);
        session.flash("notice", ["hi"]);
      });
      const expected = await visitor.read();
      await assertRejects(
        () =>
          visitor.visit((session) => {
            const map = session.get<Map<string, { n: number[] }>>("map");
            map?.get("a")?.n.push(2);
            map?.set("b", { n: [] });
            session.set("plain", 2);
            session.set("more", true);
            session.flash<string[]>("notice")?.push("changed");
            throw new Error("not saved");
          }),
        Error,
        "not saved",
      );
      assertEquals(await visitor.read(), expected);
      assertEquals(
        await visitor.visit((session) => session.flash("notice")),
        ["hi"],
      );
    }
  }
});
