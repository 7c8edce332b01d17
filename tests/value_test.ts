import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { cloneValue, equalValues, isCompound } from "../src/_value.ts";

const clone = <T>(value: T): T => cloneValue(value, "test", "a value") as T;

/** Any value of those that sessions hold. */
const storable = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withTypedArray: true,
  withSparseArray: true,
  withBoxedValues: true,
  maxDepth: 4,
  key: fc.oneof(
    fc.string(),
    fc.constantFrom("__proto__", "constructor", "toString", "length", "0"),
  ),
});

Deno.test("cloneValue() copies as structuredClone does", () => {
  fc.assert(
    fc.property(storable, (value) => {
      const copy = clone(value);
      const expected = structuredClone(value);
      assertEquals(copy, expected);
      assertEquals(Deno.inspect(copy), Deno.inspect(expected));
      assert(equalValues(value, copy));
      assert(equalValues(copy, value));
    }),
    { seed: 1, numRuns: 1_000 },
  );
});

Deno.test("cloneValue() shares nothing with the original", () => {
  fc.assert(
    fc.property(storable, (value) => {
      const originals = objectsIn(value);
      for (const object of objectsIn(clone(value))) {
        assert(!originals.has(object));
      }
    }),
    { seed: 1, numRuns: 300 },
  );
});

/** Collects every object within a value, itself included. */
function objectsIn(value: unknown, found = new Set<object>()): Set<object> {
  if (!isCompound(value) || found.has(value)) return found;
  found.add(value);
  if (ArrayBuffer.isView(value)) return objectsIn(value.buffer, found);
  const items = value instanceof Map
    ? [...value].flat(1)
    : value instanceof Set
    ? [...value]
    : Object.keys(value).map((key) => Reflect.get(value, key));
  for (const item of items) objectsIn(item, found);
  return found;
}

Deno.test("equalValues() says that two values differ wherever they look different", () => {
  fc.assert(
    fc.property(storable, storable, (a, b) => {
      if (equalValues(a, b)) assertEquals(Deno.inspect(a), Deno.inspect(b));
      assertEquals(equalValues(a, b), equalValues(b, a));
    }),
    { seed: 1, numRuns: 1_000 },
  );
});

const [X, Y, Z] = [{ x: 1 }, { x: 1 }, { x: 1 }];

/** Values that are easily taken for one another. */
const DIFFERENT: [unknown, unknown][] = [
  [0, -0],
  [NaN, 0],
  [1, 1n],
  [1, "1"],
  [null, undefined],
  [undefined, false],
  [{}, []],
  [{}, null],
  [{}, new Map()],
  [new Map(), new Set()],
  [[], [undefined]],
  [[undefined], new Array(1)],
  [[], new Array(1)],
  [new Array(1), new Array(2)],
  [[1, 2], [2, 1]],
  [{ a: undefined }, {}],
  [{ a: 1, b: 2 }, { b: 2, a: 1 }],
  [{ a: { b: 1 } }, { a: { b: 2 } }],
  [new Map([[1, 2], [3, 4]]), new Map([[3, 4], [1, 2]])],
  [new Map([["a", 1]]), new Map([["a", 2]])],
  [new Map([["a", "b"]]), new Map([["b", "a"]])],
  [new Map([[1, [2]]]), new Map([[1, [3]]])],
  [new Set([1, 2]), new Set([2, 1])],
  [new Set([1]), new Set([1, 2])],
  [new Set([{ a: 1 }]), new Set([{ a: 2 }])],
  [new Date(0), new Date(1)],
  [new Date(0), new Date(NaN)],
  [new Date(0), 0],
  [new Uint8Array([1]), new Uint8Array([2])],
  [new Uint8Array([1]), new Int8Array([1])],
  [new Uint8Array(2), new Uint8Array(3)],
  [new Float64Array([0]), new Float64Array([-0])],
  [new Uint8Array(4).subarray(0, 2), new Uint8Array(4).subarray(1, 3)],
  [new Uint8Array(4).subarray(0, 2), new Uint8Array(2)],
  [new ArrayBuffer(1), new ArrayBuffer(2)],
  [/a/, /b/],
  [/a/g, /a/i],
  [new Error("a"), new Error("b")],
  [new Error("a"), new TypeError("a")],
  [Object(1), Object(2)],
  [Object(1), 1],
  [Object("a"), Object("b")],
  [Object(1n), Object(2n)],
  [Object(true), Object(false)],
];

Deno.test("equalValues() tells apart what is easily taken for one another", () => {
  for (const [a, b] of DIFFERENT) {
    const names = `${Deno.inspect(a)} and ${Deno.inspect(b)}`;
    assert(!equalValues(a, b), names);
    assert(!equalValues(b, a), names);
    assert(!equalValues([a], [b]), `[${names}]`);
    assert(equalValues(a, a) && equalValues(b, b), names);
    assert(equalValues(clone(a), clone(a)), names);
    assert(equalValues(clone(b), b), names);
  }
});

Deno.test("equalValues() notices when what was one object is two", () => {
  assert(!equalValues([X, X], [Y, Z]));
  assert(equalValues([X, X], [Y, Y]));
  assert(equalValues([X, X], clone([X, X])));
});

Deno.test("equalValues() compares with what a value has meanwhile become", () => {
  const was = { a: 1 };
  assert(!equalValues(was, Object.assign(() => {}, { a: 1 })));
  assert(!equalValues(was, { a: 1, [Symbol("s")]: 1 }));
  assert(!equalValues([1], Object.assign([1], { extra: 1 })));
  assert(
    !equalValues(
      { a: 1 },
      new (class A {
        a = 1;
      })(),
    ),
  );
  assert(!equalValues(new Map(), new (class B extends Map {})()));
  const error = new Error("a");
  assert(!equalValues(clone(error), Object.assign(error, { code: 1 })));
  assert(equalValues({ a: 1 }, Object.assign(Object.create(null), { a: 1 })));
});

Deno.test("cloneValue() and equalValues() follow cycles", () => {
  const one: unknown[] = [1];
  one.push(one, new Map<unknown, unknown>([[one, new Set([one])]]));
  const copy = clone(one);
  assert(copy !== one);
  assert(copy[1] === copy);
  const [[key, set] = []] = copy[2] as Map<unknown, Set<unknown>>;
  assert(key === copy && set?.has(copy));
  assert(equalValues(one, copy));
  copy[0] = 2;
  assert(!equalValues(one, copy));
});

Deno.test("cloneValue() keeps references shared, views of one buffer included", () => {
  const buffer = new ArrayBuffer(8);
  const value = {
    a: X,
    b: X,
    c: new Uint8Array(buffer, 2, 3),
    d: new DataView(buffer),
  };
  const copy = clone(value);
  assert(copy.a === copy.b && copy.a !== X);
  assert(copy.c.buffer === copy.d.buffer && copy.c.buffer !== buffer);
  assertEquals([copy.c.byteOffset, copy.c.length], [2, 3]);
  copy.d.setUint8(2, 7);
  assertEquals(copy.c[0], 7);
});

Deno.test("cloneValue() keeps __proto__ a plain key", () => {
  const copy = clone(JSON.parse('{"__proto__":{"admin":true},"a":1}'));
  assertEquals(Object.getPrototypeOf(copy), Object.prototype);
  assertEquals(Object.keys(copy), ["__proto__", "a"]);
  assertEquals(copy.admin, undefined);
  assert(
    !equalValues(
      JSON.parse('{"__proto__":{"admin":true}}'),
      JSON.parse('{"__proto__":{"admin":false}}'),
    ),
  );
});

Deno.test("cloneValue() reads getters, as structured clone does, and takes no property that is not enumerable", () => {
  const value = Object.defineProperty(
    {
      get a() {
        return 1;
      },
    },
    "hidden",
    { value: 1, enumerable: false },
  );
  const copy = clone(value);
  assertEquals(Object.getOwnPropertyDescriptor(copy, "a")?.value, 1);
  assertEquals(Object.getOwnPropertyNames(copy), ["a"]);
});

Deno.test("cloneValue() copies errors with their messages, stacks and causes", () => {
  const error = new RangeError("a", { cause: new Error("b") });
  const copy = clone(error);
  assert(copy instanceof RangeError && copy !== error);
  assertEquals(copy.message, "a");
  assertEquals(copy.stack, error.stack);
  assert(copy.cause instanceof Error);
  assertEquals(copy.cause.message, "b");
  assert(equalValues(error, copy));
});

Deno.test("cloneValue() takes a thousand levels of nesting, and refuses more", () => {
  const nest = (levels: number): unknown => {
    let value: unknown = 0;
    for (let level = 0; level < levels; level++) value = [value];
    return value;
  };
  assert(equalValues(nest(1_000), clone(nest(1_000))));
  assertThrows(
    () => clone(nest(1_001)),
    TypeError,
    'Cannot test "a value": want a value that structured clone carries as it is: ' +
      "received more than 1000 levels of nesting",
  );
});

Deno.test("cloneValue() refuses what would become something else, and shows nothing of it", () => {
  class Secret {
    password = "hunter2";
  }
  const detached = new ArrayBuffer(1);
  structuredClone(detached, { transfer: [detached] });
  const bad: [unknown, string][] = [
    [() => "hunter2", "a function"],
    [Symbol("hunter2"), "a symbol"],
    [Object(Symbol("hunter2")), "an instance of Symbol"],
    [new Secret(), "an instance of Secret"],
    [[new Secret()], "an instance of Secret"],
    [Promise.resolve("hunter2"), "an instance of Promise"],
    [new WeakSet(), "an instance of WeakSet"],
    [new WeakRef({}), "an instance of WeakRef"],
    [
      new Proxy({}, {
        ownKeys: () => {
          throw new Error("hunter2");
        },
      }),
      "a value that throws",
    ],
    [new Blob(["hunter2"]), "an instance of Blob"],
    [new AggregateError([], "hunter2"), "an instance of AggregateError"],
    [Object.create({ password: "hunter2" }), "an instance of Object"],
    [Object.create(Object.create(null)), "a class instance"],
    [Object.assign(new Error("x"), { password: 1 }), "an instance of Error"],
    [Object.assign(/x/, { password: 1 }), "an instance of RegExp"],
    [Object.assign(Object("s"), { password: 1 }), "an instance of String"],
    [new SharedArrayBuffer(1), "an instance of SharedArrayBuffer"],
    [new DataView(new SharedArrayBuffer(1)), "shared memory"],
    [detached, "a value that throws"],
    [{ [Symbol("hunter2")]: 1 }, "an object with a symbol as a key"],
    [{ f() {} }, "a function"],
    [new Map([[Symbol("x"), 1]]), "a symbol"],
    [new Error("x", { cause: new Secret() }), "an instance of Secret"],
    [Object.assign(new Map(), { password: 1 }), "an instance of Map"],
    [Object.assign(new Set(), { password: 1 }), "an instance of Set"],
    [Object.assign(new Date(), { password: 1 }), "an instance of Date"],
  ];
  for (const [value, received] of bad) {
    const error = assertThrows(
      () => clone(value),
      TypeError,
      'Cannot test "a value": want a value that structured clone carries',
    );
    assert(error.message.includes(`received ${received}`), error.message);
    assert(!error.message.includes("hunter2"), error.message);
  }
});

Deno.test("cloneValue() keeps the cause where reading a value throws", () => {
  const cause = new RangeError("from a getter");
  const error = assertThrows(
    () =>
      clone({
        get a() {
          throw cause;
        },
      }),
    TypeError,
    "a value that throws when it is read",
  );
  assert(error.cause === cause);
});

Deno.test("isCompound() is true of what can be changed in place", () => {
  for (const value of [{}, [], new Date(), new Map(), /x/]) {
    assert(isCompound(value));
  }
  for (const value of [null, undefined, 0, "", 1n, true, NaN]) {
    assert(!isCompound(value));
  }
});
