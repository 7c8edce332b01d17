import fc from "fast-check";
import { assertRoundTrip } from "./_round_trip.ts";

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
