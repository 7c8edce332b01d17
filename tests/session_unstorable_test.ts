import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Visitor } from "./_visitor.ts";

class Point {
  x = 1;
}

const UNSTORABLE: Record<string, [() => unknown, string]> = {
  "a function": [() => () => 1, "a function"],
  "a symbol": [() => Symbol("s"), "a symbol"],
  "a promise": [() => Promise.resolve(1), "an instance of Promise"],
  "a class instance": [() => new Point(), "an instance of Point"],
  "a class": [() => Point, "a function"],
  "a nested function": [
    () => ({ a: [new Map([["b", () => 1]])] }),
    "a function",
  ],
  "a function as a Map's key": [() => new Map([[() => 1, 1]]), "a function"],
  "a symbol in a Set": [() => new Set([Symbol("s")]), "a symbol"],
  "a symbol as a key": [
    () => ({ [Symbol("s")]: 1 }),
    "an object with a symbol as a key",
  ],
  "a URL": [() => new URL("https://example.com"), "an instance of URL"],
  "a Response": [() => new Response(), "an instance of Response"],
  "a WeakMap": [() => new WeakMap(), "an instance of WeakMap"],
  "a subclass of Map": [
    () => new (class Bag extends Map {})(),
    "an instance of Bag",
  ],
  "a subclass of Array": [
    () => new (class List extends Array {})(),
    "an instance of List",
  ],
  "an object with a method": [() => ({ greet() {} }), "a function"],
  "shared memory": [
    () => new Uint8Array(new SharedArrayBuffer(1)),
    "shared memory",
  ],
  "a getter that throws": [
    () => ({
      get secret() {
        throw new Error("boom");
      },
    }),
    "a value that throws when it is read",
  ],
  "too deep an object": [
    () => {
      let deep: unknown = 1;
      for (let level = 0; level < 100_000; level++) deep = [deep];
      return deep;
    },
    "more than 1000 levels of nesting",
  ],
};

for (const [name, [make, received]] of Object.entries(UNSTORABLE)) {
  Deno.test(`Session refuses ${name}, and names the key`, async () => {
    const visitor = new Visitor();
    await visitor.visit((session) => session.set("list", [1]));
    await visitor.visit((session) => {
      const uses: [string, () => unknown][] = [
        ["update session value", () => session.update('my "key"', make)],
        ["set session value", () => session.set('my "key"', make())],
        ["flash session value", () => session.flash('my "key"', make())],
      ];
      // an update that returns a promise is a mistake of its own
      for (const [action, use] of uses.slice(name === "a promise" ? 1 : 0)) {
        const error = assertThrows(use, TypeError, received);
        assert(
          error.message.startsWith(`Cannot ${action} "my \\"key\\"": want `),
          error.message,
        );
      }
      assertEquals(session.size, 1);
    });
    assertEquals(await visitor.read(), [["list", [1]]]);

    // put into a value in place, it is noticed at the commit
    const error = await assertRejects(
      () =>
        visitor.visit((session) =>
          session.get<unknown[]>("list")?.push(make())
        ),
      TypeError,
      'Cannot set session value "list": want a value',
    );
    assert(error.message.includes(received), error.message);
    assertEquals(await visitor.read(), [["list", [1]]]);
  });
}
