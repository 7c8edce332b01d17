import { isDeepStrictEqual } from "node:util";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { MemoryStore } from "@tessera/session";
import { cloneValue, equalValues } from "../src/_value.ts";
import {
  checkComparison,
  describe,
  equalBytes,
  hasProperties,
} from "../src/_value_kinds.ts";
import { Visitor } from "./_visitor.ts";

const clone = <T>(value: T): T => cloneValue(value, "test", "a value") as T;

const VIEWS: (new (buffer: ArrayBuffer) => ArrayBufferView)[] = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float16Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
];

/** Bytes of which every float is NaN, so many that some are looked at one by one. */
const SIZES = [0, 8, 64, 520, 60_000];

/** Makes each kind of view in each size. */
function* views(): Generator<ArrayBufferView> {
  for (const View of VIEWS) {
    for (const size of SIZES) {
      const { buffer } = new Uint8Array(size).fill(255);
      yield new View(buffer);
    }
  }
}

/** Values whose own properties would get lost, and the names of their kinds. */
function* builtIns(): Generator<[object, string]> {
  for (const view of views()) yield [view, view.constructor.name];
  yield [new Map([["a", 1]]), "Map"];
  yield [new Set([1]), "Set"];
  yield [new Date(0), "Date"];
  yield [/x/g, "RegExp"];
  yield [new ArrayBuffer(8), "ArrayBuffer"];
  yield [new RangeError("x"), "RangeError"];
  yield [Object("text"), "String"];
  yield [Object(1n), "BigInt"];
}

const KEYS: [string, string | symbol][] = [
  ["a name", "foo"],
  ["a symbol", Symbol("foo")],
];

for (const [what, key] of KEYS) {
  Deno.test(`cloneValue() refuses built-ins with ${what} as a key of their own`, () => {
    for (const [value, name] of builtIns()) {
      assert(equalValues(value, clone(value)), name);
      Reflect.set(value, key, "hunter2");
      const error = assertThrows(() => clone([value]), TypeError);
      assertEquals(
        error.message,
        'Cannot test "a value": want a value that structured clone carries as ' +
          `it is: received an instance of ${name} with properties of its own`,
      );
    }
  });

  Deno.test(`equalValues() notices ${what} as a new key of a built-in`, () => {
    for (const [value, name] of builtIns()) {
      const was = clone(value);
      assert(equalValues(was, value), name);
      Reflect.set(value, key, "hunter2");
      assert(!equalValues(was, value), name);
      Reflect.deleteProperty(value, key);
      assert(equalValues(was, value), name);
    }
  });
}

Deno.test("cloneValue() takes no property of a built-in that is not enumerable", () => {
  for (const [value, name] of builtIns()) {
    Object.defineProperty(value, "hidden", { value: 1 });
    Object.defineProperty(value, Symbol("hidden"), { value: 1 });
    assert(!Object.hasOwn(clone(value), "hidden"), name);
  }
});

Deno.test("cloneValue() refuses a Buffer, which would come back as a Uint8Array", () => {
  assertThrows(
    () => clone(Buffer.from("text")),
    TypeError,
    "received an instance of Buffer",
  );
});

Deno.test("cloneValue() shows nothing of a prototype that is no class's", () => {
  const value = Object.create({ constructor: { name: "hunter2" } });
  assertThrows(() => clone(value), TypeError, "received a class instance");
  assertEquals(describe({ constructor: { name: "x" } }), "a class instance");
});

Deno.test("equalBytes() compares many bytes as it compares few", () => {
  for (const size of [1, 64, 65, 60_000]) {
    const bytes = new Uint8Array(size).fill(7);
    const other = bytes.slice();
    assert(equalBytes(bytes, other));
    other[size - 1] = 8;
    assert(!equalBytes(bytes, other));
    assert(!equalBytes(bytes, bytes.subarray(1)));
  }
});

Deno.test("checkComparison() takes nothing that overlooks properties", () => {
  assert(checkComparison(isDeepStrictEqual));
  assertEquals(checkComparison(undefined), false);
  assertEquals(checkComparison(() => true), false);
  assert(!hasProperties(new Uint8Array(64)));
});

Deno.test("R52 a built-in that gets a property in place is refused at the commit", async () => {
  for (const [value, name] of builtIns()) {
    const visitor = new Visitor();
    await visitor.visit((session) => session.set("value", value));
    await assertRejects(
      () =>
        visitor.visit((session) => {
          Reflect.set(session.get<object>("value") ?? {}, "foo", "hunter2");
        }),
      TypeError,
      `Cannot set session value "value": want a value that structured clone carries as it is: received an instance of ${name} with properties of its own`,
    );
  }
});

Deno.test("R52 an array with holes and properties comes back as it was", async () => {
  const values = [
    Object.assign([, 1], { foo: "x" }),
    Object.assign([1, , 3, ,], { foo: "x", bar: "y" }),
    Object.assign(new Array(1), { "-0": 1 }),
    Object.assign([1, 2], { foo: "x" }),
    [, 1],
    [1, undefined],
    [],
  ];
  using kv = await Deno.openKv(":memory:");
  for (const store of [new MemoryStore(), kv]) {
    const visitor = new Visitor({ store });
    for (const padding of [0, 70_000]) {
      for (const value of values) {
        await visitor.visit((session) => {
          session.set("value", value);
          session.set("padding", "x".repeat(padding));
        });
        const found = await visitor.visit((session) => session.get("value"));
        assertEquals(Deno.inspect(found), Deno.inspect(value));
        assertEquals(Object.keys(found as object), Object.keys(value));
      }
    }
  }
});
