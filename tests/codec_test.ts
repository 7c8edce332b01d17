import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { decodeRecord, encodeRecord } from "../src/_codec.ts";
import { equalValues } from "../src/_value.ts";
import { findDifference } from "../src/testing/_difference.ts";

/** Asserts that a value comes back as structured clone would copy it. */
function assertRoundTrip(value: unknown): void {
  const text = encodeRecord(value);
  const decoded = decodeRecord(text);
  const expected = structuredClone(value);
  const difference = findDifference(decoded, expected);
  assert(difference === undefined, `${difference}, of ${text}`);
  // Order of keys, offsets of views, and the insides of errors.
  assert(equalValues(decoded, expected), text);
  // Whatever it holds, it is plain JSON that can be put anywhere as it is.
  JSON.parse(text);
  assert(text.isWellFormed() && !text.includes("\0"));
}

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
    const key of ['"', "\\", "\n", "\0", "\x1f", "\x7f", "\ud800", "\udfff"]
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
      '{"$shared":[1,{"$shared":[2,{}]}]}',
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

/** Text as it may come: lone surrogates, NUL, and tags. */
const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({
    unit: fc.constantFrom("\ud800", "\udc00", "\0", "a", "$", "\\"),
  }),
  fc.constantFrom("__proto__", "$date", "$ref", "$object", "$map", "$shared"),
);

const views = fc.constantFrom(
  Int8Array,
  Uint8ClampedArray,
  Uint16Array,
  Float32Array,
  BigInt64Array,
  DataView,
);

const leaf = fc.oneof(
  text,
  fc.double(),
  fc.bigInt(),
  fc.constantFrom<unknown>(undefined, null, true, -0, 0, NaN, Infinity),
  fc.date({ noInvalidDate: false }),
  fc.tuple(views, fc.uint8Array({ maxLength: 4 }), fc.boolean()).map(
    ([View, bytes, part]): unknown => {
      const buffer = new ArrayBuffer(16);
      new Uint8Array(buffer).set(bytes);
      return Reflect.construct(View, part ? [buffer, 8, 1] : [buffer]);
    },
  ),
  fc.constantFrom(/a/, /[/"\n]/giu),
  text.map((message) => new TypeError(message)),
  fc.oneof(text, fc.double(), fc.boolean(), fc.bigInt()).map(Object),
);

const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie("tree"), { maxLength: 4 }),
    fc.array(fc.tuple(text, tie("tree")), { maxLength: 4 }).map(toObject),
    fc.array(fc.tuple(tie("tree"), tie("tree")), { maxLength: 3 }).map((it) =>
      new Map(it)
    ),
    fc.array(tie("tree"), { maxLength: 3 }).map((it) => new Set(it)),
    fc.sparseArray(tie("tree"), { maxLength: 6 }),
  ),
}));

function toObject(entries: [string, unknown][]): object {
  const object = {};
  for (const [key, value] of entries) {
    Object.defineProperty(object, key, {
      value,
      configurable: true,
      enumerable: true,
      writable: true,
    });
  }
  return object;
}

/** Lists every container inside a value, each once. */
function containers(value: unknown, found = new Set<object>()): Set<object> {
  if (typeof value !== "object" || value === null || found.has(value)) {
    return found;
  }
  found.add(value);
  if (value instanceof Map) {
    for (const [key, item] of value) {
      containers(key, found);
      containers(item, found);
    }
  } else if (value instanceof Set) {
    for (const item of value) containers(item, found);
  } else if (!ArrayBuffer.isView(value)) {
    for (const item of Object.values(value)) containers(item, found);
  }
  return found;
}

Deno.test("decodeRecord() gives back what encodeRecord() was given", () => {
  fc.assert(fc.property(tree, assertRoundTrip), { numRuns: 1_000 });
});

Deno.test("decodeRecord() gives back graphs as they were", () => {
  const link = fc.tuple(fc.nat(), fc.nat());
  fc.assert(
    fc.property(tree, fc.array(link, { maxLength: 5 }), (value, links) => {
      const nodes = [...containers(value)];
      for (const [from, to] of links) {
        const source = nodes[from % nodes.length];
        const target = nodes[to % nodes.length];
        if (Array.isArray(source)) source.push(target);
        else if (source instanceof Map) source.set(target, source);
        else if (source instanceof Set) source.add(target);
        else if (Object.getPrototypeOf(source ?? 0) === Object.prototype) {
          Reflect.set(source as object, "link", target);
        }
      }
      assertRoundTrip([value, value]);
    }),
    { numRuns: 1_000 },
  );
});
