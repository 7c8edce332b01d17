import { assert } from "@std/assert";
import type { StoredRecord } from "../session_store.ts";
import {
  assertSame,
  collect,
  newId,
  put,
  read,
  type StoreCase,
  toPut,
  tryCommit,
} from "./_store_case.ts";

/** Keys that mean something to some engine or other. */
const ODD_KEYS = [
  "__proto__",
  "constructor",
  "prototype",
  "hasOwnProperty",
  "toString",
  "then",
  "toJSON",
  "length",
  "",
  "0",
  "$ref",
  "a.b",
  "\0",
  "\ud800",
  "\u{1f36a}",
];

/** Every kind of typed array that the platform has. */
const TYPED_ARRAYS = [
  "Int8Array",
  "Uint8Array",
  "Uint8ClampedArray",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "Float16Array",
  "Float32Array",
  "Float64Array",
  "BigInt64Array",
  "BigUint64Array",
];

/** What structured clone carries, and JSON for one does not. */
const VALUES: Record<string, () => StoredRecord> = {
  "a record that is a primitive": () => "text",
  "a record that is undefined": () => undefined,
  "a record that is null": () => null,
  "a record that is an array": () => [1, "two", [3]],
  "a record that is a Map": () => new Map([["key", { value: 1 }]]),
  "an empty object": () => ({}),
  "undefined": () => ({ value: undefined, list: [undefined, null] }),
  "NaN, -0 and infinities": () => [NaN, 0, -0, Infinity, -Infinity],
  "great and small numbers": () => [
    Number.MAX_SAFE_INTEGER,
    Number.MIN_SAFE_INTEGER,
    Number.MAX_VALUE,
    Number.MIN_VALUE,
    0.1 + 0.2,
    2 ** 31,
    -(2 ** 31) - 1,
  ],
  "bigints": () => [0n, -1n, 2n ** 64n, -(2n ** 70n), 10n ** 400n],
  "Dates": () => [new Date(0), new Date(-1), new Date(8.64e15)],
  "an invalid Date": () => ({ date: new Date(NaN) }),
  "Maps": () => ({
    map: new Map<unknown, unknown>([["b", 1], ["a", 2], [1, "1"], ["1", 1]]),
    empty: new Map(),
    keys: new Map<unknown, unknown>([[NaN, 1], [{ key: 1 }, 2], [null, 3]]),
  }),
  "Sets": () => ({ set: new Set<unknown>([2, 1, "1", NaN]), empty: new Set() }),
  "nested collections": () =>
    new Map([["deep", [new Set([new Map([["in", { date: new Date(1) }]])])]]]),
  "deep objects": () => {
    let deep: unknown = "bottom";
    for (let level = 0; level < 200; level++) deep = { level, deep };
    return deep;
  },
  "wide objects": () =>
    Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`k${n}`, n])),
  "typed arrays of every kind": () =>
    TYPED_ARRAYS.flatMap((name) => {
      const constructor: unknown = Reflect.get(globalThis, name);
      if (typeof constructor !== "function") return [];
      const buffer = new Uint8Array([...Array(16).keys()]).buffer;
      return [Reflect.construct(constructor, [buffer])];
    }),
  "typed arrays on part of a buffer": () =>
    new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7]).subarray(2, 5),
  "empty typed arrays": () => [new Uint8Array(), new Float64Array()],
  "an ArrayBuffer": () => ({ buffer: new Uint8Array([1, 0, 255]).buffer }),
  "a DataView": () => ({ view: new DataView(new ArrayBuffer(4), 1, 2) }),
  "RegExps": () => [/a/, /^\/["'\n]\u{1f36a}$/giu],
  "sparse arrays": () => {
    const sparse: unknown[] = [, 1, , undefined, ,]; // deno-lint-ignore no-sparse-arrays
    return { sparse, long: Object.assign([], { 99: "last" }) };
  },
  "cycles": () => {
    const self: Record<string, unknown> = { name: "self" };
    const map = new Map<string, unknown>([["self", self]]);
    return Object.assign(self, {
      self,
      list: [self],
      map: map.set("map", map),
    });
  },
  "shared references": () => {
    const shared = { n: 1 };
    return {
      a: shared,
      b: [shared],
      c: new Map([[shared, shared]]),
      d: { n: 1 },
    };
  },
  "NUL in strings": () => ["\0", "a\0b", "a\0"],
  "lone surrogates in strings":
    () => ["\ud800", "\udfff", "a\ud83db", "\ufffd"],
  "unicode in strings":
    () => ["\u00e9", "e\u0301", "\u{1f36a}", "\ufeff", "\u2028"],
  "odd keys in objects": () =>
    // only JSON.parse and the like make an own property of __proto__
    JSON.parse(
      `{${ODD_KEYS.map((key) => `${JSON.stringify(key)}:{"admin":1}`)}}`,
    ),
  "odd keys in Maps": () => new Map(ODD_KEYS.map((key) => [key, { key }])),
};

/** Cases about the values that records are made of. */
export const VALUE_CASES: readonly StoreCase[] = [
  ...Object.entries(VALUES).map(([name, make]): StoreCase => ({
    name: `carries ${name}`,
    rule: "values",
    async run(store) {
      const id = newId();
      await put(store, id, make(), "alice");
      assertSame(
        (await read(store, id, "of the put")).record,
        make(),
        "by get",
      );
      const [listed] = await collect(store);
      assertSame(listed?.record, make(), "by list");
      const [bySubject] = await collect(store, { subject: "alice" });
      assertSame(bySubject?.record, make(), "by list of a subject");
    },
  })),
  {
    name: "copies what is put before commit returns its promise",
    rule: "copies",
    async run(store) {
      const id = newId();
      const record = toMutable();
      const committed = tryCommit(store, { put: [toPut(id, record)] });
      mutate(record);
      await committed;
      const { record: stored } = await read(store, id, "of the put");
      assertSame(
        stored,
        toMutable(),
        "though the caller changed it right after",
      );
    },
  },
  {
    name: "copies what is put, so that later changes do not show",
    rule: "copies",
    async run(store) {
      const id = newId();
      const record = toMutable();
      await put(store, id, record);
      mutate(record);
      const { record: stored } = await read(store, id, "of the put");
      assertSame(
        stored,
        toMutable(),
        "though the caller changed it afterwards",
      );
    },
  },
  {
    name: "copies what get and list return",
    rule: "copies",
    async run(store) {
      const id = newId();
      await put(store, id, toMutable(), "alice");
      const subject = "alice";
      const sources = {
        get: () => read(store, id, "of the put").then((it) => it.record),
        list: () => collect(store).then(([it]) => it?.record),
        "list by subject": () =>
          collect(store, { subject }).then(([it]) => it?.record),
      };
      for (const [source, get] of Object.entries(sources)) {
        const first = await get();
        const second = await get();
        assert(first !== second, `${source} must give a new copy each time`);
        mutate(first as Mutable);
        assertSame(second, toMutable(), "though another copy was changed");
        assertSame(await get(), toMutable(), "though a copy was changed");
      }
      const { record } = await read(store, id, "of the put");
      assertSame(record, toMutable(), "though copies were changed");
    },
  },
  {
    name: "parallel gets give independent copies",
    rule: "copies",
    async run(store) {
      const id = newId();
      await put(store, id, toMutable());
      const [first, second] = await Promise.all([
        read(store, id, "of the put"),
        read(store, id, "of the put"),
      ]);
      mutate(first.record as Mutable);
      assertSame(second.record, toMutable(), "though another copy was changed");
    },
  },
  {
    name: "changes nothing of what it is given",
    rule: "copies",
    async run(store) {
      const [gone, id] = [newId(), newId()];
      const version = await put(store, gone, "gone", "alice");
      const result = await store.commit(deepFreeze({
        check: [{ id: gone, version }, { id, version: null }],
        put: [toPut(id, { list: [1] }, "alice")],
        delete: [{ id: gone, subject: "alice" }],
      }));
      assert(result.ok, "a commit that is frozen must be taken");
      await collect(store, Object.freeze({ subject: "alice", limit: 1 }));
    },
  },
];

interface Mutable {
  list: unknown[];
  map: Map<string, { n: number }>;
  set: Set<number>;
  date: Date;
  bytes: Uint8Array;
  nested: { deep: { n: number } };
}

function toMutable(): Mutable {
  return {
    list: [1, { n: 1 }],
    map: new Map([["a", { n: 1 }]]),
    set: new Set([1]),
    date: new Date(1),
    bytes: new Uint8Array([1, 2, 3]),
    nested: { deep: { n: 1 } },
  };
}

function mutate(record: Mutable): void {
  record.list.push("changed");
  record.map.set("b", { n: 2 });
  Object.assign(record.map.get("a") ?? {}, { n: 2 });
  record.set.clear();
  record.date.setTime(2);
  record.bytes.fill(9);
  record.nested.deep.n = 2;
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === "object" && inner !== null) deepFreeze(inner);
  }
  return Object.freeze(value);
}
