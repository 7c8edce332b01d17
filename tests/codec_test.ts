import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { decodeRecord, encodeRecord } from "../src/_codec.ts";
import { assertRoundTrip } from "./_round_trip.ts";

/** A value that is encoded, what as, and (unless it is JSON) nothing else is. */
const FORMAT: readonly [unknown, string][] = [
  [{ a: [1, "two", null, true, -1.5e300, { b: "" }] }, ""],
  [undefined, '{"$undefined":true}'],
  [{ a: undefined }, '{"a":{"$undefined":true}}'],
  [NaN, '{"$number":"NaN"}'],
  [Infinity, '{"$number":"Infinity"}'],
  [-Infinity, '{"$number":"-Infinity"}'],
  [-0, '{"$number":"-0"}'],
  [10n ** 20n, '{"$bigint":"100000000000000000000"}'],
  [new Date(0), '{"$date":"1970-01-01T00:00:00.000Z"}'],
  [new Date(8.64e15), '{"$date":"+275760-09-13T00:00:00.000Z"}'],
  [new Date(NaN), '{"$date":null}'],
  [new Map([["a", 1], ["b", 2]]), '{"$map":[["a",1],["b",2]]}'],
  [new Set([1, "a"]), '{"$set":[1,"a"]}'],
  [new Set(), '{"$set":[]}'],
  [/a\/"b/giu, '{"$regexp":["a\\\\/\\"b","giu"]}'],
  [Object("s"), '{"$boxed":"s"}'],
  [Object(-0), '{"$boxed":{"$number":"-0"}}'],
  [Object(1n), '{"$boxed":{"$bigint":"1"}}'],
  [Object(false), '{"$boxed":false}'],
  [new Uint8Array([1, 2, 3]), '{"$Uint8Array":"AQID"}'],
  [new Uint16Array([1]), '{"$Uint16Array":"AQA="}'],
  [new Uint8Array([1, 2, 3]).buffer, '{"$ArrayBuffer":"AQID"}'],
  [
    new ArrayBuffer(1, { maxByteLength: 2 }),
    '{"$ArrayBuffer":["AA==",2]}',
  ],
  [
    new Uint8Array([1, 2, 3]).subarray(1, 2),
    '{"$Uint8Array":[{"$ArrayBuffer":"AQID"},1,1]}',
  ],
  [
    new DataView(new ArrayBuffer(3), 1),
    '{"$DataView":[{"$ArrayBuffer":"AAAA"},1,2]}',
  ],
  [Array(2), '{"$array":[2,{}]}'],
  [Object.assign([1], { x: 2 }), '{"$array":[1,{"0":1,"x":2}]}'],
  [{ $date: "no" }, '{"$object":{"$date":"no"}}'],
  [{ $: 1 }, '{"$object":{"$":1}}'],
  [{ a: 1, "\0": 2 }, '{"$object":[["a",1],["\\u0000",2]]}'],
  [{ "a\\b": 1 }, '{"$object":[["a\\\\b",1]]}'],
  [{ '"': 1 }, '{"$object":[["\\"",1]]}'],
  [
    { "\ud800": { "\n": 1 } },
    '{"$object":[["\\ud800",{"$object":[["\\n",1]]}]]}',
  ],
  [Object.assign([1], { "\t": 2 }), '{"$array":[1,[["0",1],["\\t",2]]]}'],
  [{ $date: 1, $map: 2 }, '{"$date":1,"$map":2}'],
  [{ a: "$date" }, '{"a":"$date"}'],
  ["\0\u{1f36a}\ud800", `"\\u0000\u{1f36a}\\ud800"`],
];

Deno.test("encodeRecord() writes the documented format", () => {
  for (const [value, text] of FORMAT) {
    assertEquals(encodeRecord(value), text || JSON.stringify(value));
    assertRoundTrip(value);
  }
});

Deno.test("encodeRecord() leaves plain JSON as it is", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    // The order of JSON's own keys, and -0, are not JSON's to lose.
    const json = JSON.stringify(value);
    const copy = JSON.parse(json);
    if (json.includes('"$') || hasMinusZero(copy) || hasEscape(copy)) return;
    assertEquals(encodeRecord(copy), json);
    assertEquals(JSON.stringify(decodeRecord(json)), json);
  }));
});

/** Finds keys that JSON cannot write without an escape. */
function hasEscape(value: unknown): boolean {
  return typeof value === "object" && value !== null &&
    Object.entries(value).some(([key, item]) =>
      JSON.stringify(key) !== `"${key}"` || hasEscape(item)
    );
}

function hasMinusZero(value: unknown): boolean {
  return Object.is(value, -0) ||
    typeof value === "object" && value !== null &&
      Object.values(value).some(hasMinusZero);
}

Deno.test("encodeRecord() names objects that occur again", () => {
  const shared = { n: 1 };
  assertEquals(
    encodeRecord({ a: shared, b: [shared], c: { n: 1 } }),
    '{"a":{"$shared":[1,{"n":1}]},"b":[{"$ref":1}],"c":{"n":1}}',
  );
  const cycle: unknown[] = [];
  cycle.push(cycle);
  assertEquals(encodeRecord(cycle), '{"$shared":[1,[{"$ref":1}]]}');
});

Deno.test("decodeRecord() restores cycles and shared references of every kind", () => {
  const hub: Record<string, unknown> = {};
  const error = new RangeError("far", { cause: hub });
  const bytes = new Uint8Array([1, 2, 3]);
  const sparse: unknown[] = Array(5);
  sparse[3] = hub;
  const parts = {
    hub,
    array: [hub],
    map: new Map<unknown, unknown>([[hub, hub]]),
    set: new Set([hub]),
    error,
    bytes,
    view: bytes.subarray(1),
    buffer: bytes.buffer,
    date: new Date(1),
    regexp: /x/,
    boxed: Object("boxed"),
    sparse,
    tagLike: { $tag: hub },
  };
  for (const part of Object.values(parts)) assertRoundTrip([part, part]);
  Object.assign(hub, parts);
  assertRoundTrip(hub);
  assertRoundTrip([parts.map, parts.set, parts.tagLike, parts.sparse, hub]);
});

Deno.test("decodeRecord() restores errors", () => {
  const errors = [
    EvalError,
    RangeError,
    ReferenceError,
    SyntaxError,
    TypeError,
    URIError,
    Error,
  ].map((constructor) =>
    new constructor("why", { cause: { at: new Date(1) } })
  );
  for (const error of errors) {
    const decoded = decodeRecord(encodeRecord(error)) as Error;
    assert(decoded instanceof error.constructor);
    assert(Error.isError(decoded));
    assertEquals(decoded.message, "why");
    assertEquals(decoded.stack, error.stack);
    assertEquals(decoded.cause, { at: new Date(1) });
    assertEquals(Object.keys(decoded), []);
    assertRoundTrip(error);
  }
  const blank = decodeRecord(encodeRecord(new Error())) as Error;
  assertEquals(Object.hasOwn(blank, "message"), false);
  assertEquals(Object.hasOwn(blank, "cause"), false);
  assertRoundTrip(Object.assign(new Error("m"), { name: "Custom" }));
  class Custom extends TypeError {}
  const custom = decodeRecord(encodeRecord([new Custom("c")])) as [Error];
  assertEquals(custom[0].message, "c");
  const bare = new Error("bare");
  delete bare.stack;
  assertEquals(
    Object.hasOwn(decodeRecord(encodeRecord(bare)) as Error, "stack"),
    false,
  );
});

Deno.test("encodeRecord() treats what is of no known class as structured clone does", () => {
  class Point {
    x = 1;
    #y = 2;
    get y() {
      return this.#y;
    }
  }
  class Bag extends Map<unknown, unknown> {}
  assertRoundTrip({ point: new Point(), bag: new Bag([[1, new Point()]]) });
  assertEquals(encodeRecord(new Point()), '{"x":1}');
  assertRoundTrip({ [Symbol("s")]: 1, a: 1 });
  assertEquals(
    encodeRecord(Object.assign(Object.create(null), { a: 1 })),
    '{"a":1}',
  );
  assertRoundTrip(Object.assign(new Date(1), { extra: 1 }));
});

Deno.test("encodeRecord() throws TypeError for what structured clone does not carry", () => {
  const detached = new ArrayBuffer(1);
  detached.transfer();
  for (
    const value of [
      () => {},
      Symbol("s"),
      { promise: Promise.resolve() },
      [new WeakMap()],
      new Map([[Symbol("s"), 1]]),
      new Uint8Array(new SharedArrayBuffer(1)),
      { buffer: new SharedArrayBuffer(1) },
      detached,
      {
        get secret() {
          throw new Error("hunter2");
        },
      },
    ]
  ) {
    const error = assertThrows(
      () => encodeRecord(value),
      TypeError,
      "Cannot encode a record",
    );
    assertEquals(error.cause, undefined);
  }
});

Deno.test("decodeRecord() makes own properties of odd keys", () => {
  const odd = ["__proto__", "constructor", "toJSON", "", "0", "length", "\0"];
  const json = `{${odd.map((key) => `${JSON.stringify(key)}:{"admin":1}`)}}`;
  for (
    const value of [JSON.parse(json), { at: new Date(1), in: JSON.parse(json) }]
  ) {
    assertRoundTrip(value);
    assertEquals(Reflect.get({}, "admin"), undefined);
  }
  const tagLike = decodeRecord('{"$object":{"__proto__":{"$date":null}}}');
  assert(Object.hasOwn(tagLike as object, "__proto__"));
  assertEquals(Object.getPrototypeOf(tagLike), Object.prototype);
  const array = decodeRecord('{"$array":[0,{"__proto__":{"admin":1}}]}');
  assert(Object.hasOwn(array as object, "__proto__"));
  assertEquals(Object.getPrototypeOf(array), Array.prototype);
});

Deno.test("decodeRecord() makes no backslash of another key", () => {
  // V8 15 does, where it knows an object with the same keys but for the last.
  const shapes = [
    { "\\": 0 },
    { a: 0, "a\\": 0 },
    { a: 0, "\\": 0 },
    Object.assign([], { "\\": 0 }),
  ];
  for (
    const key of [
      "a\n",
      '"',
      "\\",
      "\n",
      "\0",
      "\x1f",
      "\x7f",
      "\ud800",
      "\udfff",
    ]
  ) {
    for (const shape of shapes) {
      const [first = ""] = Object.keys(shape);
      assertRoundTrip(
        Object.assign(Array.isArray(shape) ? [] : {}, { [first]: 1, [key]: 2 }),
      );
      assertRoundTrip(
        Object.assign(Array.isArray(shape) ? [] : {}, { [key]: 2 }),
      );
    }
  }
});

Deno.test("decodeRecord() throws SyntaxError for what it cannot decode", () => {
  for (
    const text of [
      "",
      "{",
      "undefined",
      '{"$nothing":1}',
      '{"$toString":1}',
      '{"$map":1}',
      '{"$map":[1]}',
      '{"$set":null}',
      '{"$bigint":"x"}',
      '{"$ref":1}',
      '[{"$ref":1},{"$shared":[1,{}]}]',
      '{"$object":[1]}',
      '{"$array":[1,2]}',
      '{"$array":[-1,{}]}',
      '{"$regexp":["(",""]}',
      '{"$Uint8Array":[{},0,1]}',
      '{"$Uint8Array":[{"$ArrayBuffer":"AQID"},0,9]}',
      '{"$error":null}',
      '{"$object":1}',
    ]
  ) {
    assertThrows(() => decodeRecord(text), SyntaxError, undefined, text);
  }
});

Deno.test("decodeRecord() gives a new copy each time", () => {
  const text = encodeRecord({ list: [1], map: new Map([["a", [1]]]) });
  const first = decodeRecord(text) as { list: number[] };
  first.list.push(2);
  assertEquals(decodeRecord(text), { list: [1], map: new Map([["a", [1]]]) });
});

/** What nests. */
const KINDS: Record<string, (inner: unknown) => unknown> = {
  objects: (inner) => ({ inner }),
  "objects like tags": (inner) => ({ $inner: inner }),
  arrays: (inner) => [inner],
  Maps: (inner) => new Map([["inner", inner]]),
  Sets: (inner) => new Set([inner]),
  "sparse arrays": (inner) => [, inner], // deno-lint-ignore no-sparse-arrays
  "objects in pairs": (inner) => ({ "\n": inner }),
  errors: (cause) => Object.assign(new Error("", { cause }), { stack: "" }),
};

for (const [kind, wrap] of Object.entries(KINDS)) {
  Deno.test(`encodeRecord() carries 20,000 levels of ${kind}`, () => {
    let value: unknown = new Date(1);
    for (let level = 0; level < 20_000; level++) value = wrap(value);
    const text = encodeRecord(value);
    assert(encodeRecord(decodeRecord(text)) === text);
  });
}

Deno.test("encodeRecord() and decodeRecord() take time in proportion to size", () => {
  const measure = (count: number) => {
    const shared = new Date(1);
    const value = new Map(
      Array.from({ length: count }, (_, n) => [`key ${n}`, [shared, { n }]]),
    );
    const start = performance.now();
    const decoded = decodeRecord(encodeRecord(value)) as typeof value;
    assertEquals(decoded.size, count);
    return performance.now() - start;
  };
  measure(1_000);
  const small = Math.min(...Array.from({ length: 5 }, () => measure(2_000)));
  const large = Math.min(...Array.from({ length: 3 }, () => measure(64_000)));
  // 32 times the size; 1,024 times the time if it were quadratic.
  assert(large < 300 * Math.max(small, 0.5), `${small} ms and ${large} ms`);
});
