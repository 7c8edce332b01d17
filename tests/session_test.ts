import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import type { Session } from "@tessera/session";
import { SpyStore } from "./_spy_store.ts";
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
  const store = new SpyStore();
  const visitor = new Visitor({ store });
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
  await visitor.visit((session) => session.flash("notice", "hi"));
  assertEquals(store.calls.commit, 5);
  await visitor.visit((session) => session.clear()); // there is nothing to clear
  assertEquals(store.calls.commit, 5);
});

Deno.test("Session.set() after a delete() or a clear() counts, however much was done before", async () => {
  for (
    const remove of [
      (session: Session) => session.delete("3"),
      (session: Session) => session.clear(),
    ]
  ) {
    const visitor = new Visitor();
    await visitor.visit((session) => {
      for (let n = 0; n < 12; n++) session.set(`${n}`, n);
      remove(session);
      session.set("3", "new");
    });
    assertEquals(new Map(await visitor.read()).get("3"), "new");
  }
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
