/**
 * Session data: what goes in comes out, or is refused.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { deepStrictEqual } from "node:assert/strict";
import { type Session, SessionManager } from "@tessera/session";
import { stdArguments } from "../tools/std.ts";
import { get, getWith, key, testOnStores, tokenOf } from "./_helpers.ts";
import { checkOddKeys } from "./_odd_keys.ts";

function remember(session: Session): Response {
  session.set("kept", "old");
  return new Response();
}

/** Reads a value in a request of its own. */
async function read(
  sessions: SessionManager,
  token: string,
  name: string,
): Promise<unknown> {
  let value: unknown;
  await sessions.handle(getWith(token), (session) => {
    value = session.get(name);
    return new Response();
  });
  return value;
}

testOnStores("R51 odd keys are plain keys", async ({ store }) => {
  await checkOddKeys(store);
});

Deno.test("R51 odd keys are plain keys with --unstable-unsafe-proto, too", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--unstable-unsafe-proto",
      "--unstable-kv",
      ...await stdArguments(),
      new URL("./_odd_keys.ts", import.meta.url).pathname,
    ],
    stdout: "null",
  }).output();
  assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
});

/** Values that must come back to the letter. */
const FAITHFUL: Record<string, () => unknown> = {
  "undefined": () => undefined,
  "null": () => null,
  "booleans": () => [true, false],
  "NaN": () => NaN,
  "-0": () => -0,
  "0": () => 0,
  "Infinity": () => [Infinity, -Infinity],
  "extremes": () => [Number.MAX_VALUE, Number.MIN_VALUE, 2 ** 53, -(2 ** 53)],
  "a bigint": () => [0n, -1n, 2n ** 200n],
  "an empty string": () => "",
  "NUL and all else": () => "a\0b\r\n\u2028\ufeff\ud83d\ude00",
  "lone surrogates": () => ["\ud800", "\udc00", "a\udfff"],
  "a Date": () => new Date(-8.64e15),
  "an invalid Date": () => new Date(NaN),
  "a Map": () => new Map<unknown, unknown>([[{ a: 1 }, new Set([NaN])]]),
  "a Set": () => new Set([-1, "1", null, undefined, 1n]),
  "a RegExp": () => /a\/b[^\]]/giu,
  "an Error": () => new RangeError("no", { cause: { a: 1 } }),
  "bytes": () => new Uint8Array([0, 255, 7]),
  "no bytes": () => new Uint8Array(),
  "an ArrayBuffer": () => new Uint8Array([1, 2]).buffer,
  "a DataView": () => new DataView(new ArrayBuffer(4), 1, 2),
  "typed arrays": () => [
    new Int8Array([-1]),
    new Uint8ClampedArray([9]),
    new Int16Array([-2]),
    new Uint16Array([3]),
    new Int32Array([-4]),
    new Uint32Array([5]),
    new Float16Array([0.5]),
    new Float32Array([NaN]),
    new Float64Array([-0]),
    new BigInt64Array([-6n]),
    new BigUint64Array([7n]),
  ],
  "boxed primitives": () => [Object("s"), Object(1), Object(true), Object(1n)],
  "empty ones": () => [{}, [], new Map(), new Set()],
  "undefined inside": () => ({ a: undefined, b: [undefined, null] }),
  "-0 and NaN inside": () => ({ a: [-0, NaN], b: new Map([[NaN, -0]]) }),
  "a sparse array": () => Object.assign(new Array(5), { 1: "x" }),
  "an array with a name": () => Object.assign([1], { name: "x" }),
  "an object with all of Map's names": () => ({ get: 1, set: 2, size: 3 }),
  "a pretender of the store": () => ({ "tessera:parts": { count: 1 }, v: 1 }),
  "a cycle": () => {
    const value: Record<string, unknown> = { name: "loop" };
    value["self"] = value;
    value["map"] = new Map([[value, value]]);
    return value;
  },
  "a thing in two places": () => {
    const shared = { n: 1 };
    return [shared, shared, { shared }];
  },
  "500 levels": () => nest(500),
  "JSON with __proto__": () => JSON.parse(`{"__proto__":{"admin":true}}`),
};

function nest(levels: number): unknown {
  let value: unknown = "bottom";
  for (let level = 0; level < levels; level++) value = { value };
  return value;
}

testOnStores(
  "R52 what structured clone carries comes back to the letter",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    const stateless = new SessionManager({
      stateless: true,
      secrets: [key("data")],
    });
    for (const [what, make] of Object.entries(FAITHFUL)) {
      for (const manager of [sessions, stateless]) {
        if (manager === stateless && what === "500 levels") continue; // too large
        const response = await manager.handle(get(), (session) => {
          session.set("value", make());
          session.update("updated", make);
          session.flash("flashed", make());
          deepStrictEqual(session.get("value"), make(), what);
          return new Response();
        });
        let checked = false;
        await manager.handle(getWith(tokenOf(response)), (session) => {
          assertEquals(session.size, 2, what);
          assert(session.has("value"), what);
          deepStrictEqual(session.get("value"), make(), what);
          deepStrictEqual(session.get("updated"), make(), what);
          deepStrictEqual(session.flash("flashed"), make(), what);
          checked = true;
          return new Response();
        });
        assert(checked);
      }
    }
  },
);

class Point {
  x = 1;
}

/** Values that nothing could bring back, and what the message calls them. */
const UNSTORABLE: Record<string, [make: () => unknown, message: string]> = {
  "a function": [() => () => 1, "a function"],
  "a class": [() => Point, "a function"],
  "a symbol": [() => Symbol("s"), "a symbol"],
  "a Promise": [() => Promise.resolve(1), "an instance of Promise"],
  "a class instance": [() => new Point(), "an instance of Point"],
  "a subclass of Map": [() => new (class Bag extends Map {})(), "Bag"],
  "a subclass of Array": [() => new (class Row extends Array {})(), "Row"],
  "a subclass of Error": [() => new (class Oops extends Error {})(), "Oops"],
  "a WeakMap": [() => new WeakMap(), "an instance of WeakMap"],
  "a URL": [() => new URL("https://example.com"), "an instance of URL"],
  "a Request": [() => new Request("https://example.com"), "Request"],
  "a Blob": [() => new Blob(["x"]), "an instance of Blob"],
  "shared memory": [() => new SharedArrayBuffer(1), "SharedArrayBuffer"],
  "a view of it": [
    () => new Uint8Array(new SharedArrayBuffer(1)),
    "shared memory",
  ],
  "a symbol as a key": [() => ({ [Symbol("s")]: 1 }), "a symbol as a key"],
  "a throwing getter": [
    () => ({
      get secret() {
        throw new Error("hidden");
      },
    }),
    "throws when it is read",
  ],
  "100,000 levels": [() => nest(100_000), "1000 levels of nesting"],
  "a method": [() => ({ toJSON: () => 1 }), "a function"],
  "a thenable": [() => ({ then: () => {} }), "a function"],
};

testOnStores(
  "R52 what cannot be stored is refused at once, by name, and nothing is stored",
  async ({ store, dump }) => {
    const sessions = new SessionManager({ store });
    const token = tokenOf(await sessions.handle(get(), remember));
    const before = await dump();
    const wrappers: ((value: unknown) => unknown)[] = [
      (value) => value,
      (value) => [value],
      (value) => ({ deep: { value } }),
      (value) => new Map([["key", value]]),
      (value) => new Map([[value, "key"]]),
      (value) => new Set([value]),
    ];
    for (const [what, [make, message]] of Object.entries(UNSTORABLE)) {
      for (const wrap of wrappers) {
        await sessions.handle(getWith(token), (session) => {
          const name = `the "${what}"`;
          const quoted = JSON.stringify(name);
          const refuse = (action: string, run: () => unknown) => {
            const error = assertThrows(run, TypeError, message);
            const start = `Cannot ${action} session value ${quoted}: want `;
            assert(error.message.startsWith(start), error.message);
            assert(!error.message.includes("hidden"));
          };
          refuse("set", () => session.set(name, wrap(make())));
          refuse("flash", () => session.flash(name, wrap(make())));
          const asynchronous = ["a Promise", "a thenable"].includes(what);
          if (!asynchronous || wrap !== wrappers[0]) {
            refuse("update", () => session.update(name, () => wrap(make())));
          }
          assertEquals([session.has(name), session.size], [false, 1]);
          return new Response();
        });
      }
    }
    assertEquals(await dump(), before);
  },
);

testOnStores("R52 an update must not be asynchronous", async ({ store }) => {
  const sessions = new SessionManager({ store });
  await sessions.handle(get(), (session) => {
    const results = [
      () => Promise.reject(new Error("nobody waits for me")),
      () => ({ then: () => {} }),
    ];
    for (const next of results) {
      assertThrows(
        () => session.update("x", next),
        TypeError,
        `Cannot update session value "x": want a synchronous callback`,
      );
    }
    assertEquals(session.has("x"), false);
    return new Response();
  });
});

testOnStores(
  "R52 a value that turns unstorable in place fails the commit, and the old one stays",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    const first = await sessions.handle(get(), (session) => {
      session.set("list", [1]);
      return new Response();
    });
    const token = tokenOf(first);
    for (const [, [make, message]] of Object.entries(UNSTORABLE)) {
      const error = await assertRejects(
        () =>
          sessions.handle(getWith(token), (session) => {
            session.get<unknown[]>("list")?.push(make());
            session.set("other", 1);
            return new Response();
          }),
        TypeError,
        message,
      );
      assert(error.message.startsWith(`Cannot set session value "list": `));
    }
    assertEquals(await read(sessions, token, "list"), [1]);
    assertEquals(await read(sessions, token, "other"), undefined);
  },
);

testOnStores("R52 keys that are no strings are refused", async ({ store }) => {
  const sessions = new SessionManager({ store });
  await sessions.handle(get(), (session) => {
    for (const bad of [1, null, undefined, Symbol("s"), {}, ["a"]]) {
      const name = bad as string;
      const want = "must be a string";
      assertThrows(() => session.set(name, 1), TypeError, want);
      assertThrows(() => session.update(name, () => 1), TypeError, want);
      assertThrows(() => session.flash(name, 1), TypeError, want);
      assertThrows(() => session.flash(name), TypeError, want);
    }
    assertEquals(session.size, 0);
    return new Response();
  });
});
