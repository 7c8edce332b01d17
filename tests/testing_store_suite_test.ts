import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { SessionTooLargeError } from "../src/errors.ts";
import { MemoryStore } from "../src/memory_store.ts";
import type { SessionStore, StoreCommit } from "../src/session_store.ts";
import { testSessionStore } from "../src/testing/mod.ts";
import { Base, json, sizeOf, withRecords } from "./_broken_store.ts";
import { BROKEN_COMMITS } from "./_broken_stores_commits.ts";
import { BROKEN_LIMITS } from "./_broken_stores_limits.ts";
import { BROKEN_LISTS } from "./_broken_stores_lists.ts";
import { BROKEN_READERS } from "./_broken_stores_readers.ts";
import { BROKEN_VALUES } from "./_broken_stores_values.ts";

const MUTANTS = [
  ...BROKEN_COMMITS,
  ...BROKEN_READERS,
  ...BROKEN_VALUES,
  ...BROKEN_LISTS,
  ...BROKEN_LIMITS,
];

type Run = () => Promise<void>;

function collectTests(open: () => SessionStore): Map<string, Run> {
  const tests = new Map<string, Run>();
  testSessionStore("store", open, {
    test: (name, run) => tests.set(name.replace("store: ", ""), run),
  });
  return tests;
}

for (const [fault, Mutant, ...cases] of MUTANTS) {
  Deno.test(`testSessionStore() fails a store that ${fault}`, async () => {
    const tests = collectTests(() => new Mutant());
    for (const name of cases) {
      const run = tests.get(name);
      assert(run, `there must be a case with the name: ${name}`);
      const error = await assertRejects(
        run,
        Error,
        "The store breaks a rule of the contract.\nRule: ",
        `must fail: ${name}`,
      );
      assert(/\nHow: .{20}/.test(error.message), error.message);
    }
  });
}

Deno.test("testSessionStore() has a broken store for each of its cases", () => {
  const caught = new Set(MUTANTS.flatMap(([, , ...cases]) => cases));
  const names = [...collectTests(() => new MemoryStore()).keys()];
  assertEquals(names.filter((name) => !caught.has(name)), []);
  assertEquals(new Set(names).size, names.length);
});

Deno.test("testSessionStore() passes a store that is sound in every step", async () => {
  const tests = collectTests(() => new Base());
  await Promise.all([...tests.values()].map((run) => run()));
});

Deno.test("testSessionStore() says which rule was broken, and how", async () => {
  const tests = collectTests(() => new (withRecords(json))());
  await assertRejects(
    async () => await tests.get("carries Maps")?.(),
    Error,
    "The store breaks a rule of the contract.\n" +
      "Rule: Records are opaque: whatever structured clone carries comes back as it was.\n" +
      "How: the record must come back as it was put by get: " +
      'record["map"]: want Map object: received Object object',
  );
});

Deno.test("testSessionStore() opens a store for each case, and disposes of it", async () => {
  const log: string[] = [];
  const kinds = [
    [Symbol.asyncDispose, "async"],
    [Symbol.dispose, "sync"],
  ] as const;
  for (const [symbol, kind] of kinds) {
    const tests = collectTests(() => {
      log.push(`open ${kind}`);
      return Object.assign(new MemoryStore(), {
        [symbol]: () => void log.push(`dispose ${kind}`),
      });
    });
    assertEquals(log.length % 2, 0);
    await tests.get("get gives undefined for odd ids")?.();
  }
  const tests = collectTests(() =>
    Object.assign(new (withRecords(json))(), {
      [Symbol.asyncDispose]: () => void log.push("dispose failed"),
    })
  );
  await assertRejects(async () => await tests.get("carries Maps")?.());
  assertEquals(log, [
    "open async",
    "dispose async",
    "open sync",
    "dispose sync",
    "dispose failed",
  ]);
});

Deno.test("testSessionStore() tests a store of small records with largestRecord", async () => {
  const tests = new Map<string, Run>();
  const open = () =>
    new class extends Base {
      override before(commit: StoreCommit) {
        for (const { record } of commit.put) {
          const size = sizeOf(record);
          const limit = 10_000;
          if (size > limit) throw new SessionTooLargeError("", { size, limit });
        }
        return commit;
      }
    }();
  testSessionStore("small", open, {
    largestRecord: 8_000,
    test: (name, run) => tests.set(name, run),
  });
  const large = [...tests].filter(([name]) => /record|large|4 MiB/.test(name));
  for (const [name, run] of large) {
    if (!/expireIn|extends/.test(name)) await run();
  }
});

Deno.test("testSessionStore() refuses arguments of the wrong type", () => {
  const open = () => new MemoryStore();
  const test = () => {};
  assertThrows(
    () => Reflect.apply(testSessionStore, undefined, [open]),
    TypeError,
    "want a name and a function",
  );
  assertThrows(
    () => Reflect.apply(testSessionStore, undefined, ["x", open()]),
    TypeError,
    "want a name and a function",
  );
  for (const largestRecord of [0, 1_023, 2_000.5, NaN, Infinity]) {
    assertThrows(
      () => testSessionStore("x", open, { test, largestRecord }),
      RangeError,
      `Cannot register the tests: "largestRecord" must be an integer of 1024 or more: received ${largestRecord}`,
    );
  }
  const wrong: [options: unknown, message: string][] = [
    [{ tset: test }, 'want an option of largestRecord, test: received "tset"'],
    [{ test: 1 }, '"test" must be a function: received number'],
    [{ test: null }, '"test" must be a function: received null'],
    [null, "want a plain object of options: received null"],
    [test, "want a plain object of options: received function"],
  ];
  for (const [options, message] of wrong) {
    assertThrows(
      () => Reflect.apply(testSessionStore, undefined, ["x", open, options]),
      TypeError,
      `Cannot register the tests: ${message}`,
    );
  }
});
