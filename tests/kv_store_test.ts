import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { serialize } from "node:v8";
import {
  type KvAtomic,
  type KvDatabase,
  type KvEntry,
  type KvKey,
  KvStore,
  openDefaultKv,
} from "../src/kv_store.ts";
import { handOver } from "../src/_handover.ts";
import { SessionTooLargeError } from "../src/errors.ts";
import { SessionManager } from "../src/session_manager.ts";
import type { StoreCommit } from "../src/session_store.ts";

const HOUR = 3_600_000;
const ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

/** What a {@linkcode Spy} saw. */
interface Call {
  readonly type: "get" | "getMany" | "list" | "commit";
  /** Keys read, or number of mutations. */
  readonly size: number;
}

interface SetCall {
  readonly key: KvKey;
  readonly value: unknown;
  readonly expireIn: number | undefined;
}

/** A database that notes what is asked of it, and fails or waits when told. */
class Spy implements KvDatabase {
  readonly calls: Call[] = [];
  readonly sets: SetCall[] = [];
  readonly deletes: KvKey[] = [];
  /** Runs before each call; may throw, or wait. */
  before: (call: Call, keys: readonly KvKey[]) => void | Promise<void> =
    () => {};
  /** Runs after each commit that was applied. */
  after: () => void = () => {};
  closed = 0;
  watch?: NonNullable<KvDatabase["watch"]>;

  constructor(readonly kv: KvDatabase) {
    this.watch = (keys) => {
      assert(kv.watch);
      return kv.watch(keys);
    };
  }

  async get(key: KvKey): Promise<KvEntry> {
    await this.#note({ type: "get", size: 1 }, [key]);
    return await this.kv.get(key);
  }

  async getMany(keys: readonly KvKey[]): Promise<readonly KvEntry[]> {
    await this.#note({ type: "getMany", size: keys.length }, keys);
    return await this.kv.getMany(keys);
  }

  async *list(
    ...[selector, options]: Parameters<KvDatabase["list"]>
  ): AsyncGenerator<KvEntry> {
    await this.#note({ type: "list", size: 1 }, [selector.prefix]);
    yield* this.kv.list(selector, options);
  }

  atomic(): KvAtomic {
    const inner = this.kv.atomic();
    const keys: KvKey[] = [];
    const atomic: KvAtomic = {
      check: (check) => (inner.check(check), atomic),
      set: (key, value, options) => {
        this.sets.push({ key, value, expireIn: options?.expireIn });
        keys.push(key);
        inner.set(key, value, options);
        return atomic;
      },
      delete: (key) => {
        this.deletes.push(key);
        keys.push(key);
        inner.delete(key);
        return atomic;
      },
      commit: async () => {
        await this.#note({ type: "commit", size: keys.length }, keys);
        const result = await inner.commit();
        if (result.ok) this.after();
        return result;
      },
    };
    return atomic;
  }

  close(): void {
    this.closed++;
    this.kv.close();
  }

  count(type: Call["type"]): number {
    return this.calls.filter((call) => call.type === type).length;
  }

  async #note(call: Call, keys: readonly KvKey[]): Promise<void> {
    this.calls.push(call);
    await this.before(call, keys);
  }
}

/** A store on a database in memory, and a look at both. */
async function open(options?: { batch?: boolean; prefix?: KvKey }) {
  const kv = await Deno.openKv(":memory:");
  const spy = new Spy(kv);
  return {
    kv,
    spy,
    store: new KvStore(spy, options),
    [Symbol.dispose]: () => kv.close(),
  };
}

/** A commit that puts one record. */
function put(
  id: string,
  record: unknown,
  rest: { version?: string | null; subject?: string } = {},
): StoreCommit {
  const { version, subject } = rest;
  return {
    check: version === undefined ? [] : [{ id, version }],
    put: [{
      id,
      record,
      expireIn: HOUR,
      ...(subject !== undefined && { subject }),
    }],
    delete: [],
  };
}

function remove(
  id: string,
  rest: { version?: string; subject?: string } = {},
): StoreCommit {
  const { version, subject } = rest;
  return {
    check: version === undefined ? [] : [{ id, version }],
    put: [],
    delete: [{ id, ...(subject !== undefined && { subject }) }],
  };
}

/** Commits, and returns the version. */
async function commit(store: KvStore, change: StoreCommit): Promise<string> {
  const result = await store.commit(change);
  assert(result.ok);
  return result.version;
}

async function allKeys(kv: Deno.Kv): Promise<Deno.KvKey[]> {
  return await Array.fromAsync(kv.list({ prefix: [] }), ({ key }) => key);
}

/** Lets one commit wait in the database until it is released. */
function holdFirstCommit(spy: Spy): () => void {
  const gate = Promise.withResolvers<void>();
  let held = false;
  spy.before = (call) => {
    if (call.type !== "commit" || held) return;
    held = true;
    return gate.promise;
  };
  return gate.resolve;
}

/** Makes the next calls of a kind fail. */
function failTimes(spy: Spy, type: Call["type"], times: number, error: Error) {
  spy.before = (call) => {
    if (call.type === type && times-- > 0) throw error;
  };
}

async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

// Types

Deno.test("KvStore takes a Deno.Kv, a promise of one, and a function that opens one", async () => {
  using kv: Deno.Kv = await Deno.openKv(":memory:");
  const database: KvDatabase = kv;
  for (
    const source of [
      kv,
      database,
      Promise.resolve(kv),
      () => kv,
      async () => await Promise.resolve(kv),
    ]
  ) {
    const store = new KvStore(source);
    assert((await store.commit(put(ID, 1))).ok);
    assertEquals((await store.get(ID))?.record, 1);
  }
});

// Construction, opening, closing

Deno.test("KvStore.constructor() refuses bad arguments", async () => {
  using kv = await Deno.openKv(":memory:");
  const cases: [options: unknown, message: string][] = [
    [1, "want a plain object of options: received number"],
    [true, "want a plain object of options: received boolean"],
    [[], "want a plain object of options: received an array"],
    [null, "want a plain object of options: received null"],
    [{ prefx: ["a"] }, `want an option of prefix, batch: received "prefx"`],
    [{ prefix: [] }, `"prefix" must be a non-empty array`],
    [{ prefix: "sessions" }, `received "sessions"`],
    [{ prefix: [null] }, "received [null]"],
    [{ prefix: [Symbol("a")] }, "received [Symbol(a)]"],
    [{ prefix: ["\ud800"] }, `"prefix" must be`],
    [{ prefix: [NaN] }, `"prefix" must be`],
    [{ prefix: ["x".repeat(1_025)] }, "at most 1024 bytes"],
    [{ batch: "yes" }, `"batch" must be a boolean: received string`],
  ];
  for (const [options, message] of cases) {
    assertThrows(
      () => new KvStore(kv, options as { batch: boolean }),
      TypeError,
      message,
    );
  }
  for (const source of [undefined, null, {}, "./file.db", 1]) {
    assertThrows(
      () => new KvStore(source as unknown as KvDatabase),
      TypeError,
      `Cannot create KvStore: "kv" must be`,
    );
  }
});

Deno.test("KvStore.constructor() keeps a prefix of any key parts to itself", async () => {
  const bytes = new Uint8Array([1, 0, 2]);
  const prefix = ["a", 1, 2n, true, bytes];
  using kv = await Deno.openKv(":memory:");
  const store = new KvStore(kv, { prefix });
  prefix.push("changed");
  bytes[0] = 9;
  await store.commit(put(ID, "record"));
  const key = ["a", 1, 2n, true, new Uint8Array([1, 0, 2]), "id", ID];
  assertEquals((await kv.get(key)).value, "record");
});

Deno.test("KvStore opens on first use, once, and again after a failure", async () => {
  let opened = 0;
  let failing = true;
  const store = new KvStore(async () => {
    opened++;
    if (failing) throw new Error("no disk");
    return await Deno.openKv(":memory:");
  });
  assertEquals(opened, 0);
  await assertRejects(() => store.get(ID), Error, "no disk");
  await assertRejects(() => store.commit(put(ID, 1)), Error, "no disk");
  await assertRejects(() => Array.fromAsync(store.list()), Error, "no disk");
  failing = false;
  opened = 0;
  await Promise.all([store.get(ID), store.commit(put(ID, 1)), store.get(ID)]);
  assertEquals(opened, 1);
  await store[Symbol.asyncDispose]();
});

Deno.test("KvStore fails each call, and nothing else, when the promise of a database fails", async () => {
  const store = new KvStore(Promise.reject(new Error("no disk")));
  await new Promise((resolve) => setTimeout(resolve));
  await assertRejects(() => store.get(ID), Error, "no disk");
  await assertRejects(() => store.get(ID), Error, "no disk");
  await assertRejects(
    () => new KvStore(Promise.resolve(5 as unknown as KvDatabase)).get(ID),
    TypeError,
    "received number",
  );
});

Deno.test("KvStore[Symbol.asyncDispose]() closes only what the store opened, after what is under way", async () => {
  using kv = await Deno.openKv(":memory:");
  for (const source of [kv, Promise.resolve(kv)]) {
    await new KvStore(source)[Symbol.asyncDispose]();
    assertEquals((await kv.get(["x"])).value, null);
  }
  for (const batch of [true, false]) {
    const spy = new Spy(await Deno.openKv(":memory:"));
    const store = new KvStore(() => spy, { batch });
    await store.get(ID);
    const release = holdFirstCommit(spy);
    const pending = [
      store.commit(put("a", 1, { version: null })),
      store.commit(put("b", 1, { version: null })),
      store.get("a"),
    ];
    const disposal = store[Symbol.asyncDispose]();
    await settle();
    assertEquals(spy.closed, 0);
    release();
    await Promise.all(pending);
    await disposal;
    await store[Symbol.asyncDispose]();
    assertEquals(spy.closed, 1);
    await assertRejects(
      () => store.get(ID),
      TypeError,
      `must not be disposed of: received a call after its disposal. "using" at the top of a module ends with the module`,
    );
  }
  // Never used, never opened.
  await new KvStore(() => {
    throw new Error("opened");
  })[Symbol.asyncDispose]();
});

Deno.test("openDefaultKv() opens Deno KV, or says what is missing", async () => {
  const original = Object.getOwnPropertyDescriptor(Deno, "openKv");
  assert(original !== undefined);
  const openKv = Deno.openKv;
  const replace = (value: unknown) =>
    Object.defineProperty(Deno, "openKv", { value, configurable: true });
  try {
    replace(() => openKv(":memory:"));
    const kv = await openDefaultKv();
    assertEquals((await kv.get(["a"])).versionstamp, null);
    kv.close();
    replace(undefined);
    const error = await assertRejects(
      () => new KvStore(openDefaultKv).get(ID),
      TypeError,
      "--unstable-kv",
    );
    assertStringIncludes(error.message, `"unstable": ["kv"]`);
    assertStringIncludes(error.message, `"store"`);
  } finally {
    Object.defineProperty(Deno, "openKv", original);
  }
});

// Records and keys

Deno.test("KvStore.commit() keeps a record where kv.get finds it", async () => {
  using t = await open({ prefix: ["app"] });
  const record = { v: 1, data: { cart: ["a"] } };
  await commit(t.store, put(ID, record, { subject: "ada" }));
  assertEquals((await t.kv.get(["app", "id", ID])).value, record);
  const keys = await allKeys(t.kv);
  assertEquals(keys.length, 2);
  assertEquals(keys[1]?.slice(0, 2), ["app", "subject"]);
  assertEquals(keys[1]?.at(-1), ID);
  assert(!JSON.stringify(keys).includes("ada"));
});

Deno.test("KvStore.get() finds nothing under ids that were never put", async () => {
  using t = await open();
  await t.store.commit(put("\ufffd", "replacement character"));
  for (
    const id of [
      "",
      "nope",
      "\0",
      "\ud800",
      "\udfff",
      "x".repeat(2_100),
      "é".repeat(50_000),
      "../id",
    ]
  ) {
    assertEquals(await t.store.get(id), undefined);
    assertEquals(await t.store.commit(remove(id)).then(({ ok }) => ok), true);
    assertEquals(
      await t.store.commit({
        check: [{ id, version: null }],
        put: [],
        delete: [],
      }).then(({ ok }) => ok),
      true,
    );
    assertEquals(
      await t.store.commit({
        check: [{ id, version: "00000000000000010000" }],
        put: [],
        delete: [],
      }),
      { ok: false },
    );
  }
});

Deno.test("KvStore.commit() takes odd ids, and refuses those that cannot be keys", async () => {
  using t = await open();
  const ids = ["", "a\0b", "é", "😀", "x".repeat(1_500), "\0".repeat(900)];
  for (const id of ids) {
    await commit(t.store, put(id, { id }, { subject: id }));
    await commit(t.store, put(id, "x".repeat(70_000), { subject: id }));
    await commit(t.store, put(id, { id }, { subject: id }));
  }
  for (const id of ids) {
    assertEquals((await t.store.get(id))?.record, { id });
    const listed = await Array.fromAsync(t.store.list({ subject: id }));
    assertEquals(listed.map((found) => found.id), [id]);
  }
  for (const id of ["\ud800", "x".repeat(2_000)]) {
    await assertRejects(
      () => t.store.commit(put(id, 1)),
      TypeError,
      "Cannot store session: the id must be",
    );
  }
});

Deno.test("KvStore.commit() carries what structured clone carries, whole and in parts", async () => {
  using t = await open();
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  const shared = { n: 1 };
  const buffer = new ArrayBuffer(8);
  const values: Record<string, unknown> = {
    map: new Map<unknown, unknown>([[1, new Set(["a", -0])], [{}, undefined]]),
    date: new Date(5),
    invalid: new Date(NaN),
    bigint: -(2n ** 70n),
    numbers: [-0, NaN, Infinity, 1.5, 2 ** 40],
    undefined: { a: undefined, b: null },
    sparse: [1, , 3],
    props: Object.assign([1], { extra: true }),
    bytes: new Uint8Array([1, 2]),
    empty: new Uint8Array(),
    words: new Uint16Array([1, 65_535]),
    floats: new Float64Array([0.1, -0]),
    bigs: new BigInt64Array([-1n]),
    clamped: new Uint8ClampedArray([255]),
    view: new DataView(buffer, 1, 2),
    sub: new Uint8Array(buffer, 2, 3),
    buffer: new ArrayBuffer(3),
    regexp: /a\/b/giu,
    error: new TypeError("m", { cause: new RangeError("c") }),
    boxed: [Object(1), Object("s"), Object(true), Object(1n)],
    text: "é漢😀\0 \ud800",
    twice: [shared, shared],
    proto: JSON.parse(`{"__proto__":{"a":1}}`),
    bare: Object.assign(Object.create(null), { a: 1 }),
    cycle,
  };
  for (const [name, value] of Object.entries(values)) {
    for (const pad of ["", "x".repeat(70_000)]) {
      await commit(t.store, put(ID, { value, pad }));
      const found = (await t.store.get(ID))?.record as { value: unknown };
      const copy = structuredClone(value);
      assertEquals(Deno.inspect(found.value), Deno.inspect(copy), name);
      assertEquals(
        serialize(found.value).toString("hex"),
        serialize(copy).toString("hex"),
        name,
      );
    }
  }
  for (const primitive of [undefined, null, 0, "", "text", 5n, true]) {
    await commit(t.store, put(ID, primitive));
    assertEquals(await t.store.get(ID).then((f) => [f?.record]), [primitive]);
  }
});

Deno.test("KvStore.commit() gives a typed array back on a buffer of its own", async () => {
  using t = await open();
  await commit(t.store, put(ID, { a: new Uint16Array(50_000), pad: [1, 2] }));
  const found = (await t.store.get(ID))?.record as { a: Uint16Array };
  assertEquals(found.a.buffer.byteLength, 100_000);
});

Deno.test("KvStore.commit() copies what is put, and KvStore.get() what it returns", async () => {
  for (const batch of [true, false]) {
    using t = await open({ batch });
    for (const pad of [1, new Map([[1, "x".repeat(70_000)]]), /exotic/]) {
      const record = {
        list: [1],
        date: new Date(1),
        bytes: new Uint8Array([1]),
        map: new Map([[1, { a: 1 }]]),
        set: new Set([1]),
        pad,
      };
      const expected = structuredClone(record);
      const done = t.store.commit(put(ID, record));
      record.list.push(2);
      record.date.setTime(2);
      record.bytes[0] = 2;
      record.map.set(2, { a: 2 });
      (record.map.get(1) as { a: number }).a = 2;
      record.set.add(2);
      await done;
      const reads = await Promise.all([
        t.store.get(ID),
        t.store.get(ID),
        t.store.get(ID),
      ]);
      (reads[0]?.record as typeof record).list.push(3);
      assertEquals(reads[1]?.record, expected);
      assertEquals(reads[2]?.record, expected);
      assertEquals((await t.store.get(ID))?.record, expected);
    }
  }
});

Deno.test("KvStore.commit() copies nothing that is handed over, as a manager does", async () => {
  using t = await open();
  const records: unknown[] = [];
  const sent = () => t.spy.sets.map(({ value }) => value);

  const commit = put(ID, Object.freeze({ list: [1, NaN], data: new Map() }));
  records.push(commit.put[0]?.record);
  await handOver(commit, () => t.store.commit(commit));
  assert(sent()[0] === records[0]);

  const commitOf = t.store.commit.bind(t.store);
  t.store.commit = (commit) => {
    records.push(...commit.put.map(({ record }) => record));
    return commitOf(commit);
  };
  const manager = new SessionManager({ store: t.store });
  const request = new Request("https://localhost/");
  await manager.handle(request, (session) => {
    session.set("cart", { apples: 3 });
    return new Response();
  });
  assertEquals(records.length, 2);
  assert(sent()[1] === records[1]);
});

Deno.test("KvStore.commit() takes what is handed over as it is, of every kind and size", async () => {
  for (const batch of [true, false]) {
    using t = await open({ batch });
    for (
      const record of [
        1,
        { list: [1, , 3], date: new Date(1), bytes: new Uint8Array([1]) },
        { pad: /exotic/ },
        { pad: "x".repeat(40_000) },
        new Map([[1, "x".repeat(70_000)]]),
        { "tessera:parts": { generation: "a", count: 1 } },
      ]
    ) {
      const commit = put(ID, record);
      const expected = structuredClone(record);
      await handOver(commit, () => t.store.commit(commit));
      assertEquals((await t.store.get(ID))?.record, expected);
      assertEquals(record, expected);
    }
    const unstorable = put(ID, { call: () => {} });
    await assertRejects(
      () => handOver(unstorable, () => t.store.commit(unstorable)),
      TypeError,
      "Cannot store session",
    );
    assertEquals(
      (await t.store.get(ID))?.record,
      { "tessera:parts": { generation: "a", count: 1 } },
    );
  }
});

Deno.test("KvStore.commit() refuses what cannot be stored, with no word of the data", async () => {
  using t = await open();
  const version = await commit(t.store, put(ID, "old"));
  const cases = [
    { secret: () => "hunter2" },
    { secret: Symbol("hunter2") },
    { secret: Promise.resolve("hunter2") },
    { secret: new WeakMap() },
    { secret: new SharedArrayBuffer(1) },
    {
      get secret() {
        throw new Error("hunter2");
      },
    },
  ];
  for (const record of cases) {
    const error = await assertRejects(
      () => t.store.commit(put(ID, record, { version })),
      TypeError,
      "Cannot store session: every value must be",
    );
    assert(!Deno.inspect(error).includes("hunter2"));
  }
  for (const expireIn of [0, -1, 1.5, NaN, Infinity]) {
    await assertRejects(
      () =>
        t.store.commit({
          check: [],
          put: [{ id: ID, record: 1, expireIn }],
          delete: [],
        }),
      RangeError,
      `"expireIn" must be an integer of 1 or more: received ${expireIn}`,
    );
  }
  assertEquals(await t.store.get(ID), { record: "old", version });
});

// Versions

Deno.test("KvStore.commit() holds writers to the versions they saw", async () => {
  for (const pad of ["", "x".repeat(100_000)]) {
    using t = await open();
    const first = await commit(t.store, put(ID, "1" + pad, { version: null }));
    assertEquals(await t.store.get(ID), { record: "1" + pad, version: first });
    assertEquals(await t.store.commit(put(ID, "x", { version: null })), {
      ok: false,
    });
    const second = await commit(
      t.store,
      put(ID, "2" + pad, { version: first }),
    );
    assertNotEquals(first, second);
    assertEquals(await t.store.commit(put(ID, "x", { version: first })), {
      ok: false,
    });
    assertEquals(await t.store.commit(remove(ID, { version: first })), {
      ok: false,
    });
    for (const version of ["", "nonsense", "00000000000000000000", "a.b.c"]) {
      assertEquals(await t.store.commit(put(ID, "x", { version })), {
        ok: false,
      });
    }
    const [listed] = await Array.fromAsync(t.store.list());
    assertEquals(listed, { id: ID, record: "2" + pad, version: second });
    await commit(t.store, remove(ID, { version: second }));
    assertEquals(await t.store.get(ID), undefined);
    assertEquals(await allKeys(t.kv), []);
    await commit(t.store, put(ID, "3" + pad, { version: null }));
  }
});

Deno.test("KvStore.commit() changes all or nothing", async () => {
  using t = await open();
  const version = await commit(t.store, put("a", 1, { subject: "s" }));
  const rotate = (checked: string): StoreCommit => ({
    check: [{ id: "a", version: checked }, { id: "b", version: null }],
    put: [{ id: "b", record: 1, expireIn: HOUR, subject: "s" }],
    delete: [{ id: "a", subject: "s" }],
  });
  const before = await allKeys(t.kv);
  assertEquals(await t.store.commit(rotate("00000000000000000001")), {
    ok: false,
  });
  assertEquals(await allKeys(t.kv), before);
  await commit(t.store, rotate(version));
  const listed = await Array.fromAsync(t.store.list({ subject: "s" }));
  assertEquals(listed.map(({ id }) => id), ["b"]);
  assertEquals((await allKeys(t.kv)).length, 2);
});

// Parts

Deno.test("KvStore.commit() stores every size around the limit of KV", async () => {
  using t = await open();
  let whole = 0;
  for (let length = 65_400; length <= 65_540; length++) {
    for (const record of ["x".repeat(length), { b: new Uint8Array(length) }]) {
      await commit(t.store, put(ID, record));
      assertEquals((await t.store.get(ID))?.record, record);
      if ((await allKeys(t.kv)).length === 1) whole++;
    }
  }
  // As measured: a string of 65,530 and an object of 65,517 bytes still fit.
  assertEquals(whole, 65_530 - 65_400 + 1 + 65_517 - 65_400 + 1);
});

Deno.test("KvStore.commit() keeps up to 780 KiB in parts, and removes the old ones", async () => {
  using t = await open();
  const big = (fill: string) => ({ text: fill.repeat(700_000) });
  const count = async () => (await allKeys(t.kv)).length;
  let version = await commit(t.store, put(ID, big("a"), { version: null }));
  assertEquals(await count(), 1 + 11);
  version = await commit(t.store, put(ID, big("b"), { version }));
  assertEquals(await count(), 1 + 11);
  assertEquals((await t.store.get(ID))?.record, big("b"));
  assertEquals(t.spy.count("get"), 1);
  version = await commit(t.store, put(ID, "small", { version }));
  assertEquals(await count(), 1);
  version = await commit(t.store, put(ID, big("c"), { version, subject: "s" }));
  assertEquals(await count(), 1 + 11 + 1);
  await commit(t.store, remove(ID, { version, subject: "s" }));
  assertEquals(await count(), 0);

  // Without a check, what is there has to be read.
  await commit(t.store, put(ID, big("a")));
  await commit(t.store, put(ID, big("b")));
  assertEquals(await count(), 1 + 11);
  await commit(t.store, put(ID, "small"));
  assertEquals(await count(), 1);
  await commit(t.store, put(ID, big("c")));
  await commit(t.store, remove(ID));
  assertEquals(await count(), 0);

  // And by the version that get or list gave.
  await commit(t.store, put(ID, big("a")));
  const listed = await Array.fromAsync(t.store.list());
  assertEquals(listed[0]?.version, (await t.store.get(ID))?.version);
  await commit(t.store, remove(ID, { version: listed[0]?.version ?? "" }));
  assertEquals(await count(), 0);
});

Deno.test("KvStore.commit() refuses what is too large, with the old data intact", async () => {
  using t = await open();
  const version = await commit(t.store, put(ID, "old"));
  const calls = t.spy.count("commit");
  const error = await assertRejects(
    () => t.store.commit(put(ID, "x".repeat(820_000), { version })),
    SessionTooLargeError,
    "Cannot store session: the record must be at most 798720 bytes: received 820006",
  );
  assertEquals([error.size, error.limit], [820_006, 798_720]);
  const both = await assertRejects(
    () =>
      t.store.commit({
        check: [],
        put: ["a", "b"].map((id) => ({
          id,
          record: "x".repeat(500_000),
          expireIn: HOUR,
        })),
        delete: [],
      }),
    SessionTooLargeError,
    "all that one commit writes",
  );
  assert(both.size > 1_000_000 && both.limit === 819_200);
  assertEquals(t.spy.count("commit"), calls);
  assertEquals(await t.store.get(ID), { record: "old", version });
  await commit(t.store, put(ID, "x".repeat(798_714), { version }));
});

Deno.test("KvStore.commit() keeps a record that looks like the head of one in parts", async () => {
  using t = await open();
  await commit(t.store, put(ID, "x".repeat(70_000)));
  const head = (await t.kv.get(["sessions", "id", ID])).value;
  for (
    const record of [head, { "tessera:parts": 1 }, { "tessera:parts": null }]
  ) {
    await commit(t.store, put(ID, record));
    assertEquals((await t.store.get(ID))?.record, record);
  }
});

Deno.test("KvStore.get() reads again when a record in parts changes under it", async () => {
  using t = await open();
  await commit(t.store, put(ID, "a".repeat(700_000)));
  const other = new KvStore(t.kv);
  let changes = 0;
  t.spy.before = async (call) => {
    if (call.type !== "getMany") return;
    if (++changes <= 3) await commit(other, put(ID, "b".repeat(700_000)));
  };
  assertEquals((await t.store.get(ID))?.record, "b".repeat(700_000));
  // In time a small one.
  changes = -100;
  t.spy.before = async (call) => {
    if (call.type === "getMany") await other.commit(put(ID, "small"));
  };
  assertEquals((await t.store.get(ID))?.record, "small");
  // In time none.
  await commit(other, put(ID, "a".repeat(700_000)));
  t.spy.before = async (call) => {
    if (call.type === "getMany") await other.commit(remove(ID));
  };
  assertEquals(await t.store.get(ID), undefined);
  // Without end.
  await commit(other, put(ID, "a".repeat(700_000)));
  t.spy.before = async (call) => {
    if (call.type === "getMany") {
      await other.commit(put(ID, "a".repeat(70_000)));
    }
  };
  await assertRejects(() => t.store.get(ID), Error, "Cannot read session");
});

Deno.test("KvStore.get() finds nothing when parts are gone or damaged for good", async () => {
  using t = await open();
  for (const damage of ["delete", "text", "bytes"] as const) {
    await commit(t.store, put(ID, "a".repeat(700_000)));
    const part = (await allKeys(t.kv)).find((key) => key[1] === "part");
    assert(part !== undefined);
    if (damage === "delete") await t.kv.delete(part);
    if (damage === "text") await t.kv.set(part, "text");
    if (damage === "bytes") await t.kv.set(part, new Uint8Array(7));
    assertEquals(await t.store.get(ID), undefined);
    assertEquals(await Array.fromAsync(t.store.list()), []);
  }
});

// Expiry

Deno.test("KvStore.commit() sets expireIn on the record, the index entry and every part", async () => {
  for (const batch of [true, false]) {
    using t = await open({ batch });
    await commit(t.store, {
      check: [],
      put: [
        { id: "a", record: "x".repeat(200_000), expireIn: 1_234, subject: "s" },
        { id: "b", record: 1, expireIn: 5_678, subject: "s" },
      ],
      delete: [],
    });
    assertEquals(
      t.spy.sets.map((
        { key, expireIn },
      ) => [key[1], key.includes("a"), expireIn]),
      [
        ["id", true, 1_234],
        ["part", true, 1_234],
        ["part", true, 1_234],
        ["part", true, 1_234],
        ["part", true, 1_234],
        ["subject", true, 1_234],
        ["id", false, 5_678],
        ["subject", false, 5_678],
      ],
    );
  }
});

// Unchecked writes

Deno.test("KvStore.commit() without checks always writes, and leaves no parts behind", async () => {
  using t = await open();
  const other = new KvStore(t.kv);
  let changes = 0;
  t.spy.before = async (call) => {
    if (call.type === "commit" && ++changes <= 100) {
      await other.commit(put(ID, "b".repeat(70_000 + changes)));
    }
  };
  changes = 97;
  await commit(t.store, put(ID, "mine"));
  assertEquals((await t.store.get(ID))?.record, "mine");
  assertEquals((await allKeys(t.kv)).length, 1);
  // Others that never stop do not stop it.
  changes = -1_000;
  await commit(t.store, put(ID, "mine"));
  assertEquals((await t.store.get(ID))?.record, "mine");
  t.spy.before = () => {};
  await commit(t.store, remove(ID));
});

Deno.test("KvStore.commit() tells a failed check from interference with unchecked records", async () => {
  using t = await open();
  const other = new KvStore(t.kv);
  const version = await commit(t.store, put("a", 1));
  await commit(t.store, put("b", 1));
  const change: StoreCommit = {
    check: [{ id: "a", version }],
    put: [{ id: "a", record: 2, expireIn: HOUR }],
    delete: [{ id: "b" }],
  };
  let changes = 0;
  t.spy.before = async (call) => {
    if (call.type === "commit" && ++changes === 1) {
      await other.commit(put("b", "changed"));
    }
  };
  await commit(t.store, change);
  assertEquals(await t.store.get("b"), undefined);
  const calls = t.spy.count("commit");
  assertEquals(await t.store.commit(change), { ok: false });
  assertEquals(t.spy.count("commit"), calls + 1);
});

// Batching of reads

Deno.test("KvStore.get() alone is one kv.get", async () => {
  using t = await open();
  await t.store.get(ID);
  await t.store.get(ID);
  assertEquals(t.spy.calls, [{ type: "get", size: 1 }, {
    type: "get",
    size: 1,
  }]);
});

Deno.test("KvStore.get() of one burst travels in batches of ten, two at a time", async () => {
  using t = await open();
  let inFlight = 0;
  let most = 0;
  t.spy.before = async () => {
    most = Math.max(most, ++inFlight);
    await new Promise((resolve) => setTimeout(resolve, 1));
    inFlight--;
  };
  for (let i = 0; i < 25; i++) await t.kv.set(["sessions", "id", `${i}`], i);
  const found = await Promise.all(
    Array.from({ length: 25 }, async (_, i) => {
      // Not all in the very same microtask.
      for (let hop = 0; hop < i % 3; hop++) await undefined;
      return await t.store.get(`${i}`);
    }),
  );
  assertEquals(found.map((read) => read?.record), [...Array(25).keys()]);
  assertEquals(t.spy.calls.map(({ size }) => size), [10, 10, 5]);
  assertEquals(most, 2);
});

Deno.test("KvStore.get() of one record, asked for by many at once, is one read", async () => {
  using t = await open();
  const ids = Array.from({ length: 60 }, (_, i) => `${i % 12}`);
  for (const id of new Set(ids)) {
    await t.store.commit(put(id, { id, list: [1] }));
  }
  t.spy.calls.length = 0;

  const order: number[] = [];
  const found = await Promise.all(ids.map(async (id, index) => {
    // not all in the very same microtask
    for (let hop = 0; hop < index % 3; hop++) await undefined;
    const read = await t.store.get(id);
    order.push(index);
    return read;
  }));

  assertEquals(t.spy.calls.map(({ size }) => size), [10, 2]);
  for (const [i, read] of found.entries()) {
    assertEquals(read?.record, { id: ids[i], list: [1] });
    assertEquals(read?.version, found[i % 12]?.version);
    (read?.record as { list: number[] }).list.push(2); // is nobody else's
  }
  // those who ask for the same are answered in turn
  for (const id of new Set(ids)) {
    const [first, ...others] = order.filter((index) => ids[index] === id);
    assert(first !== undefined && others.length === 4, id);
    assert(first % 3 <= Math.min(...others.map((index) => index % 3)), id);
  }
  order.length = t.spy.calls.length = 0;
  await Promise.all(Array.from({ length: 64 }, async (_, index) => {
    await t.store.get(ids[0] ?? "");
    order.push(index);
  }));
  assertEquals(t.spy.calls, [{ type: "get", size: 1 }]);
  assertEquals(order, [...Array(64).keys()]);
});

Deno.test("KvStore.get() shares no read with an id that only ends alike", async () => {
  using t = await open();
  const ids = ["1-abcdefgh", "2-abcdefgh", "1-abcdefgh", "3-abcdefgh"];
  for (const id of new Set(ids)) await t.store.commit(put(id, id));
  const found = await Promise.all(ids.map((id) => t.store.get(id)));
  assertEquals(found.map((read) => read?.record), ids);
});

Deno.test("KvStore.get() of one record waits for all of a burst that ask for it", async () => {
  using t = await open();
  await Promise.all(Array.from({ length: 20 }, async (_, index) => {
    for (let hop = 0; hop < index % 3; hop++) await undefined;
    await t.store.get(ID);
  }));
  assertEquals(t.spy.calls, [{ type: "get", size: 1 }]);
});

Deno.test("KvStore.get() shares what cannot be copied as it is", async () => {
  const value = { call: () => {} };
  const odd: KvDatabase = {
    get: (key) => Promise.resolve({ key, value, versionstamp: "1" }),
    getMany: () => Promise.reject(new Error("one key is no reason")),
    list: () => {
      throw new Error("is not asked");
    },
    atomic: () => {
      throw new Error("is not asked");
    },
    close: () => {},
  };
  const store = new KvStore(odd);
  const found = await Promise.all([store.get(ID), store.get(ID)]);
  assertEquals(found.map((read) => read?.record === value), [true, true]);
});

Deno.test("KvStore.get() that was asked for after a read was sent is read anew", async () => {
  using t = await open();
  await t.store.commit(put(ID, 1));
  const first = t.store.get(ID);
  for (let hop = 0; hop < 5; hop++) await undefined; // it is on its way
  await t.kv.set(["sessions", "id", ID], 2);
  const second = t.store.get(ID);
  await first;
  assertEquals((await second)?.record, 2);
});

Deno.test("KvStore.get() fails for all who share a read, and for nobody else", async () => {
  using t = await open();
  await t.store.commit(put("good", 1));
  t.spy.before = (_call, keys) => {
    if (keys.some((key) => key.at(-1) === "bad")) throw new Error("corrupt");
  };
  const ids = ["bad", "good", "bad", "bad", "good"];
  const results = await Promise.allSettled(ids.map((id) => t.store.get(id)));
  for (const [index, result] of results.entries()) {
    if (ids[index] === "bad") assertEquals(result.status, "rejected");
    else {
      assert(result.status === "fulfilled");
      assertEquals(result.value?.record, 1);
    }
  }
});

Deno.test("KvStore.get() reads alone with batch: false, and writes too", async () => {
  using t = await open({ batch: false });
  await Promise.all(Array.from({ length: 5 }, (_, i) => t.store.get(`${i}`)));
  await Promise.all(
    Array.from(
      { length: 5 },
      (_, i) => t.store.commit(put(`${i}`, 1, { version: null })),
    ),
  );
  assertEquals(t.spy.count("get"), 5);
  assertEquals(t.spy.count("commit"), 5);
  assertEquals(t.spy.calls.length, 10);
});

Deno.test("KvStore.get() that cannot be read does not fail its neighbours", async () => {
  using t = await open();
  await t.store.commit(put("good", 1));
  t.spy.before = (_call, keys) => {
    if (keys.some((key) => key.at(-1) === "bad")) throw new Error("corrupt");
  };
  const [bad, good] = await Promise.allSettled([
    t.store.get("bad"),
    t.store.get("good"),
  ]);
  assertEquals(bad.status, "rejected");
  assertEquals(good.status === "fulfilled" && good.value?.record, 1);
});

// Batching of writes

Deno.test("KvStore.commit() of one burst travels as one atomic operation", async () => {
  using t = await open();
  const results = await Promise.all(
    Array.from(
      { length: 80 },
      (_, i) => t.store.commit(put(`${i}`, i, { version: null, subject: "s" })),
    ),
  );
  assert(results.every(({ ok }) => ok));
  assertEquals(t.spy.count("commit"), 1);
  assertEquals((await allKeys(t.kv)).length, 160);
});

Deno.test("KvStore.commit() queues while one is in flight, within the limits of KV", async () => {
  using t = await open();
  const release = holdFirstCommit(t.spy);
  const first = t.store.commit(put("first", 1, { version: null }));
  await settle();
  const rest = Array.from(
    { length: 250 },
    (_, i) =>
      t.store.commit(put(`${i}`, "x".repeat(i < 20 ? 60_000 : 10), {
        version: null,
      })),
  );
  await settle();
  assertEquals(t.spy.count("commit"), 1);
  release();
  for (const result of await Promise.all([first, ...rest])) assert(result.ok);
  assertEquals((await allKeys(t.kv)).length, 251);
  const sizes = t.spy.calls.map(({ size }) => size);
  assert(sizes.length <= 7, `${sizes}`);
  assert(sizes.every((size) => size <= 100));
});

Deno.test("KvStore.commit() of the same id keeps its order, and never shares an operation", async () => {
  using t = await open();
  let version = await commit(t.store, put(ID, 0));
  const release = holdFirstCommit(t.spy);
  const calls = t.spy.count("commit");
  const losers: Promise<{ ok: boolean }>[] = [];
  const winner = t.store.commit(put(ID, 1, { version }));
  await settle();
  for (let i = 0; i < 20; i++) {
    losers.push(t.store.commit(put(ID, "late", { version })));
  }
  const neighbour = t.store.commit(put("other", 1, { version: null }));
  await settle();
  release();
  const won = await winner;
  assert(won.ok);
  version = won.version;
  for (const result of await Promise.all(losers)) {
    assertEquals(result.ok, false);
  }
  assert((await neighbour).ok);
  // What the winner outdated needs no answer of the database.
  assertEquals(t.spy.count("commit") - calls, 2);
  assertEquals(await t.store.get(ID), { record: 1, version });
});

Deno.test("KvStore.commit() of one burst lets one of many rivals win", async () => {
  for (const batch of [true, false]) {
    using t = await open({ batch });
    const create = (i: number) => t.store.commit(put(ID, i, { version: null }));
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, i) => create(i)),
    );
    assertEquals(results.filter(({ ok }) => ok).length, 1);
    const first = await t.store.get(ID);
    assertEquals(first?.record, results.findIndex(({ ok }) => ok));
    // Writes without a check are all made, in order.
    await Promise.all([1, 2, 3].map((i) => commit(t.store, put(ID, i))));
    assertNotEquals((await t.store.get(ID))?.version, first?.version);
  }
});

Deno.test("KvStore.commit() gives each commit of a group its own outcome", async () => {
  using t = await open();
  await commit(t.store, put("taken", 1));
  const stale = "00000000000000000001";
  const changes: [StoreCommit, "ok" | "conflict" | "error"][] = [];
  for (let i = 0; i < 40; i++) {
    changes.push([put(`good${i}`, i, { version: null }), "ok"]);
  }
  changes.splice(3, 0, [put("taken", 2, { version: null }), "conflict"]);
  changes.splice(17, 0, [put("gone", 2, { version: stale }), "conflict"]);
  changes.splice(30, 0, [put("refused", 2, { version: null }), "error"]);
  t.spy.before = (call, keys) => {
    if (
      call.type === "commit" && keys.some((key) => key.at(-1) === "refused")
    ) {
      throw new TypeError("not this one");
    }
  };
  const outcomes = await Promise.all(
    changes.map(([change]) =>
      t.store.commit(change).then(
        ({ ok }) => ok ? "ok" : "conflict",
        (error) => {
          assertStringIncludes(error.message, "not this one");
          return "error";
        },
      )
    ),
  );
  assertEquals(outcomes, changes.map(([, expected]) => expected));
  for (let i = 0; i < 40; i++) {
    assertEquals((await t.store.get(`good${i}`))?.record, i);
  }
  assertEquals((await t.store.get("taken"))?.record, 1);
});

Deno.test("KvStore.commit() with data that cannot be stored does not fail its neighbours", async () => {
  using t = await open();
  const results = await Promise.allSettled([
    t.store.commit(put("a", 1, { version: null })),
    t.store.commit(put("b", () => 1, { version: null })),
    t.store.commit(put("c", "x".repeat(900_000), { version: null })),
    t.store.commit(put("d", 1, { version: null })),
  ]);
  assertEquals(results.map(({ status }) => status), [
    "fulfilled",
    "rejected",
    "rejected",
    "fulfilled",
  ]);
  assertEquals(t.spy.count("commit"), 1);
});

// Transient failures

Deno.test("KvStore retries what passes by itself", async () => {
  for (const batch of [true, false]) {
    for (
      const error of [
        new TypeError("database is locked"),
        new Error("database table is locked"),
        new Error("SQLITE_BUSY"),
        new Error("KV Connect failed to read response body: eof"),
        Object.assign(new Error("read"), { code: "ECONNRESET" }),
      ]
    ) {
      using t = await open({ batch });
      failTimes(t.spy, "commit", 4, error);
      await commit(t.store, put(ID, 1, { version: null }));
      failTimes(t.spy, "get", 4, error);
      assertEquals((await t.store.get(ID))?.record, 1);
      failTimes(t.spy, "list", 4, error);
      assertEquals((await Array.fromAsync(t.store.list())).length, 1);
      failTimes(t.spy, "getMany", 4, error);
      await Promise.all([t.store.get("a"), t.store.get("b")]);
    }
  }
});

Deno.test("KvStore does not retry what does not pass", async () => {
  using t = await open();
  failTimes(t.spy, "commit", 1, new Error("disk full"));
  await assertRejects(
    () => t.store.commit(put(ID, 1, { version: null })),
    Error,
    "disk full",
  );
  failTimes(t.spy, "get", 1, new Error("disk full"));
  await assertRejects(() => t.store.get(ID), Error, "disk full");
  failTimes(t.spy, "list", 1, new Error("disk full"));
  await assertRejects(
    () => Array.fromAsync(t.store.list()),
    Error,
    "disk full",
  );
  assertEquals(t.spy.calls.length, 3);
});

Deno.test("KvStore gives up after two seconds, for a whole group at once", async () => {
  using t = await open();
  t.spy.before = () => {
    throw new TypeError("database is locked");
  };
  const start = performance.now();
  const results = await Promise.allSettled([
    ...Array.from({ length: 30 }, (_, i) => t.store.get(`${i}`)),
    ...Array.from(
      { length: 30 },
      (_, i) => t.store.commit(put(`${i}`, 1, { version: null })),
    ),
  ]);
  for (const result of results) {
    assert(result.status === "rejected");
    assertInstanceOf(result.reason, TypeError);
    assertEquals(result.reason.message, "database is locked");
  }
  const took = performance.now() - start;
  // Reads: two batches, and a third after them.
  assert(took > 1_500 && took < 4_500, `${took} ms`);
  const commits = t.spy.calls.filter(({ type }) => type === "commit");
  assert(commits.every(({ size }) => size === 30));
  t.spy.before = () => {};
  assertEquals(await t.store.get(ID), undefined);
});

Deno.test("KvStore.commit() that was applied but reported as failed is a conflict, not a second write", async () => {
  for (const batch of [true, false]) {
    using t = await open({ batch });
    let times = 1;
    t.spy.after = () => {
      if (times-- > 0) throw new TypeError("database is locked");
    };
    assertEquals(await t.store.commit(put(ID, "mine", { version: null })), {
      ok: false,
    });
    assertEquals((await t.store.get(ID))?.record, "mine");
    // A whole group, and a failure that is not retried.
    times = 1;
    t.spy.after = () => {
      if (times-- > 0) throw new Error("lost");
    };
    const results = await Promise.allSettled(
      ["a", "b", "c"].map((id) =>
        t.store.commit(put(id, 1, { version: null }))
      ),
    );
    assertEquals(
      results.filter(({ status }) => status === "rejected").length,
      batch ? 0 : 1,
    );
    for (const id of ["a", "b", "c"]) {
      assertEquals((await t.store.get(id))?.record, 1);
    }
    // Without checks: applied, whatever the first answer was.
    times = 1;
    t.spy.after = () => {
      if (times-- > 0) throw new TypeError("database is locked");
    };
    await commit(t.store, put(ID, "again"));
    times = 1;
    await commit(t.store, remove(ID));
    assertEquals(await t.store.get(ID), undefined);
  }
});

Deno.test("KvStore loses no write when four processes write to one file", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const store = import.meta.resolve("../src/kv_store.ts");
    const code = `
      import { KvStore } from ${JSON.stringify(store)};
      await using store = new KvStore(() => Deno.openKv(${
      JSON.stringify(`${folder}/kv.db`)
    }));
      for (let n = 0; n < 100; n++) {
        for (;;) {
          const found = await store.get("counter");
          const result = await store.commit({
            check: [{ id: "counter", version: found?.version ?? null }],
            put: [{ id: "counter", record: (found?.record ?? 0) + 1, expireIn: 3_600_000 }],
            delete: [],
          });
          if (result.ok) break;
        }
      }`;
    const outputs = await Promise.all(
      Array.from({ length: 4 }, () =>
        new Deno.Command(Deno.execPath(), {
          args: ["eval", "--no-config", "--no-lock", "--unstable-kv", code],
          env: { NO_COLOR: "1" },
        }).output()),
    );
    for (const { success, stderr } of outputs) {
      assert(success, new TextDecoder().decode(stderr));
    }
    await using after = new KvStore(() => Deno.openKv(`${folder}/kv.db`));
    const record = (await after.get("counter"))?.record as number;
    // Applied writes that were reported as failed count twice here: only the
    // manager's nonce can tell. None may be lost.
    assert(record >= 400, `${record}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

// Lists

Deno.test("KvStore.list() goes from the newest to the oldest, all or of one subject", async () => {
  using t = await open();
  const ids = Array.from({ length: 35 }, (_, i) => `id${100 + i}`);
  const newest = ids.toReversed();
  for (const id of ids) {
    await commit(
      t.store,
      put(id, id === "id110" ? "x".repeat(70_000) : { id }, {
        subject: Number(id.at(-1)) % 2 ? "odd" : "even",
      }),
    );
  }
  const list = async (options?: Parameters<KvStore["list"]>[0]) =>
    (await Array.fromAsync(t.store.list(options))).map(({ id }) => id);
  const odd = newest.filter((id) => Number(id.at(-1)) % 2);
  const even = newest.filter((id) => Number(id.at(-1)) % 2 === 0);
  assertEquals(await list(), newest);
  assertEquals(await list({ subject: "odd" }), odd);
  assertEquals(await list({ subject: "even" }), even);
  assertEquals(await list({ subject: "Odd" }), []);
  assertEquals(await list({ limit: 3 }), newest.slice(0, 3));
  assertEquals(await list({ subject: "odd", limit: 12 }), odd.slice(0, 12));
  for (const before of ["id110", "id1100", "id11", "id", "zzz", "", "a"]) {
    const rest = newest.filter((id) => id < before);
    assertEquals(await list({ before }), rest);
    assertEquals(
      await list({ before, subject: "even" }),
      rest.filter((id) => even.includes(id)),
    );
  }
  // Not keys, but bounds all the same.
  for (const before of ["id110\ud800", "id110" + "x".repeat(3_000)]) {
    assertEquals(await list({ before, limit: 2 }), ["id110", "id109"]);
  }
  const page = await list({ subject: "odd", limit: 5 });
  assertEquals(
    await list({ subject: "odd", before: page.at(-1) ?? "", limit: 5 }),
    odd.slice(5, 10),
  );
  const [big] = await Array.fromAsync(
    t.store.list({ before: "id111", limit: 1 }),
  );
  assertEquals(big?.record, "x".repeat(70_000));
  assertEquals(big, {
    id: "id110",
    ...await t.store.get("id110") ?? { record: 0, version: "" },
  });
});

Deno.test("KvStore.list() skips index entries without a record, and still reaches the limit", async () => {
  using t = await open();
  for (let i = 0; i < 30; i++) {
    await commit(t.store, put(`id${10 + i}`, i, { subject: "s" }));
  }
  for (let i = 0; i < 30; i++) {
    if (i % 3) await t.kv.delete(["sessions", "id", `id${10 + i}`]);
  }
  const listed = await Array.fromAsync(
    t.store.list({ subject: "s", limit: 4 }),
  );
  assertEquals(listed.map(({ record }) => record), [27, 24, 21, 18]);
});

Deno.test("KvStore.list() keeps subjects apart, whatever they look like", async () => {
  using t = await open();
  const subjects = [
    "",
    "\0",
    "\ud800",
    "\udfff",
    "\ufffd",
    "x".repeat(2_100),
    "x".repeat(2_101),
    "a/b",
  ];
  for (const [i, subject] of subjects.entries()) {
    await commit(t.store, put(`${i}`, i, { subject }));
  }
  for (const [i, subject] of subjects.entries()) {
    const listed = await Array.fromAsync(t.store.list({ subject }));
    assertEquals(listed.map(({ id }) => id), [`${i}`]);
  }
});

Deno.test("KvStore.list() streams, and goes on after a failure that passes", async () => {
  using t = await open();
  for (let i = 0; i < 250; i++) {
    await t.kv.set(["sessions", "id", `id${1_000 + i}`], i);
  }
  await t.kv.set(["sessions", "id", "id2000", "foreign"], 1);
  await t.kv.set(["sessions", "id", 7], 1);
  const inner = t.spy.kv;
  let failures = 0;
  const flaky: KvDatabase = {
    get: (key) => inner.get(key),
    getMany: (keys) => inner.getMany(keys),
    atomic: () => inner.atomic(),
    close: () => {},
    async *list(selector, options) {
      let n = 0;
      for await (const entry of inner.list(selector, options)) {
        if (++n === 70) {
          failures++;
          throw new TypeError("database is locked");
        }
        yield entry;
      }
    },
  };
  const store = new KvStore(flaky);
  const listed = await Array.fromAsync(store.list(), ({ record }) => record);
  assertEquals(listed, Array.from({ length: 250 }, (_, i) => 249 - i));
  assert(failures >= 3);
  // Nothing is read that nobody asked for.
  let seen = 0;
  for await (const _ of t.store.list()) if (++seen === 3) break;
  assertEquals(seen, 3);
});

Deno.test("KvStore.list() refuses a bad limit", async () => {
  using t = await open();
  for (const limit of [0, -1, 1.5, NaN]) {
    await assertRejects(
      () => Array.fromAsync(t.store.list({ limit })),
      RangeError,
      `"limit" must be an integer of 1 or more: received ${limit}`,
    );
  }
});

// Watching

Deno.test("KvStore.watch() calls back on changes, until it is aborted", async () => {
  using t = await open();
  const controller = new AbortController();
  let calls = 0;
  let next = Promise.withResolvers<void>();
  await commit(t.store, put(ID, 0));
  t.store.watch(ID, () => {
    calls++;
    next.resolve();
  }, controller.signal);
  // The first emission says what is there: no change.
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(calls, 0);
  const changes: StoreCommit[] = [
    put(ID, 1),
    put(ID, "x".repeat(100_000)),
    remove(ID),
  ];
  for (const change of changes) {
    next = Promise.withResolvers<void>();
    await commit(t.store, change);
    await next.promise;
  }
  assertEquals(calls, 3);
  controller.abort();
  await commit(t.store, put(ID, 2));
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(calls, 3);
});

Deno.test("KvStore.watch() calls back once if the record has gone before it begins", async () => {
  using t = await open();
  const controller = new AbortController();
  let calls = 0;
  t.store.watch(ID, () => void calls++, controller.signal);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(calls, 1);
  controller.abort();
});

Deno.test("KvStore.watch() lets go of everything, also when it fails", async () => {
  using t = await open();
  const never = () => {
    throw new Error("called");
  };
  // Aborted before, during the opening, at once; ids that are no keys.
  t.store.watch(ID, never, AbortSignal.abort());
  t.store.watch("\ud800", never, new AbortController().signal);
  const opening = new AbortController();
  await using lazy = new KvStore(() => Deno.openKv(":memory:"));
  lazy.watch(ID, never, opening.signal);
  opening.abort();
  const atOnce = new AbortController();
  t.store.watch(ID, never, atOnce.signal);
  atOnce.abort();
  // A callback that throws ends its watch.
  const throwing = new AbortController();
  t.store.watch(ID, never, throwing.signal);
  await new Promise((resolve) => setTimeout(resolve, 20));
  await commit(t.store, put(ID, 1));
  await new Promise((resolve) => setTimeout(resolve, 20));
  // A database that cannot watch, or fails to.
  const { signal } = new AbortController();
  delete t.spy.watch;
  t.store.watch(ID, never, signal);
  t.spy.watch = () => {
    throw new Error("not supported");
  };
  t.store.watch(ID, never, signal);
  t.spy.watch = () =>
    new ReadableStream({
      pull: (stream) => stream.error(new Error("broken")),
    });
  t.store.watch(ID, never, signal);
  new KvStore(Promise.reject(new Error("no disk"))).watch(ID, never, signal);
  await new Promise((resolve) => setTimeout(resolve));
});

Deno.test("KvStore.commit() writes more records without a check than KV can check", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = new KvStore(kv);
  const put = Array.from({ length: 150 }, (_, n) => ({
    id: `id-${n}`,
    record: { n },
    expireIn: 60_000,
  }));
  assertEquals((await store.commit({ check: [], put, delete: [] })).ok, true);
  assertEquals((await store.get("id-149"))?.record, { n: 149 });
});

Deno.test("KvStore opens its database again when another process is just opening the file", async () => {
  let tries = 0;
  await using store = new KvStore(() => {
    tries++;
    return tries < 3
      ? Promise.reject(new Error("database is locked"))
      : Deno.openKv(":memory:");
  });
  assertEquals(await store.get("a"), undefined);
  assertEquals(tries, 3);
});
