/**
 * The conformance suite of the `SessionStore` contract.
 *
 * @module
 */

import { AssertionError } from "@std/assert";
import { checkOptions, checkType, describeValue } from "../_check.ts";
import type { SessionStore } from "../session_store.ts";
import { RULES, type StoreCase, type StoreCaseLimits } from "./_store_case.ts";
import { ABSENCE_CASES } from "./_store_cases_absence.ts";
import { COMMIT_CASES } from "./_store_cases_commits.ts";
import { LIST_CASES } from "./_store_cases_lists.ts";
import { RACE_CASES } from "./_store_cases_races.ts";
import { READER_CASES } from "./_store_cases_readers.ts";
import { SIZE_CASES } from "./_store_cases_sizes.ts";
import { SUBJECT_CASES } from "./_store_cases_subjects.ts";
import { TIME_CASES } from "./_store_cases_time.ts";
import { VALUE_CASES } from "./_store_cases_values.ts";

const CASES: readonly StoreCase[] = [
  ...ABSENCE_CASES,
  ...COMMIT_CASES,
  ...RACE_CASES,
  ...READER_CASES,
  ...VALUE_CASES,
  ...SUBJECT_CASES,
  ...SIZE_CASES,
  ...LIST_CASES,
  ...TIME_CASES,
];

const ACTION = "register the tests";

/** Registers a test with a test runner. */
export type TestRegistrar = (name: string, run: () => Promise<void>) => void;

/** Options of {@linkcode testSessionStore}. */
export interface TestSessionStoreOptions {
  /**
   * Registers a test, for runners other than `Deno.test` and `node:test`.
   *
   * @default {Deno.test}
   */
  test?: TestRegistrar | undefined;
  /**
   * The payload, in bytes, that the store must be able to carry: at least
   * 1,024. Lower it only if the engine cannot.
   *
   * @default {716_800}
   */
  largestRecord?: number | undefined;
}

/**
 * Registers the tests that every `SessionStore` must pass, one for each rule.
 *
 * They are registered through `Deno.test`, or `node:test` where there is no
 * Deno. So the test of a store is one line:
 * `testSessionStore("MyStore", () => new MyStore());`
 *
 * Each test opens a store of its own, which must be empty: in a database that
 * the tests share, under a prefix or in a table of its own. A store that has
 * `[Symbol.asyncDispose]` or `[Symbol.dispose]` is disposed of after its test.
 * The tests use real time, and about three seconds of it.
 *
 * @example Running the suite with a runner of one's own
 * ```ts
 * import { MemoryStore } from "@tessera/session";
 * import { testSessionStore } from "@tessera/session/testing";
 * import { assert } from "@std/assert";
 *
 * const tests = new Map<string, () => Promise<void>>();
 * testSessionStore("MemoryStore", () => new MemoryStore(), {
 *   test: (name, run) => tests.set(name, run),
 * });
 *
 * assert(tests.size > 50);
 * await tests.get("MemoryStore: `limit` ends the list")?.();
 * ```
 *
 * @param name The name of the store, which the names of the tests begin with.
 * @param open Opens an empty store.
 * @param options How to register the tests, and what the store cannot carry.
 * @throws {TypeError} If there is no known test runner and no `test`, an
 *   argument or option is of the wrong type, or an option is unknown.
 * @throws {RangeError} If `largestRecord` is not an integer of 1,024 or more.
 */
export function testSessionStore(
  name: string,
  open: () => SessionStore | Promise<SessionStore>,
  options: TestSessionStoreOptions = {},
): void {
  if (typeof name !== "string" || typeof open !== "function") {
    throw new TypeError(
      `Cannot ${ACTION}: want a name and a function that opens the store: ` +
        `received ${typeof name} and ${typeof open}`,
    );
  }
  const { largestRecord = 716_800, test = findRegistrar() } = checkOptions(
    ACTION,
    options,
    ["largestRecord", "test"],
  );
  checkType(ACTION, "test", test, "function");
  if (!Number.isSafeInteger(largestRecord) || largestRecord < 1_024) {
    throw new RangeError(
      `Cannot ${ACTION}: "largestRecord" must be an integer of 1024 or more: ` +
        `received ${describeValue(largestRecord)}`,
    );
  }
  for (const storeCase of CASES) {
    test(
      `${name}: ${storeCase.name}`,
      () => runCase(storeCase, open, { largestRecord }),
    );
  }
}

async function runCase(
  storeCase: StoreCase,
  open: () => SessionStore | Promise<SessionStore>,
  limits: StoreCaseLimits,
): Promise<void> {
  const store = await open();
  try {
    await storeCase.run(store, limits);
  } catch (cause) {
    const how = cause instanceof AssertionError
      ? cause.message
      : `the store failed: ${cause}`;
    throw new AssertionError(
      `The store breaks a rule of the contract.\n` +
        `Rule: ${RULES[storeCase.rule]}.\nHow: ${how}`,
      { cause },
    );
  } finally {
    await dispose(store);
  }
}

async function dispose(
  store: SessionStore & Partial<AsyncDisposable & Disposable>,
): Promise<void> {
  if (store[Symbol.asyncDispose]) await store[Symbol.asyncDispose]?.();
  else store[Symbol.dispose]?.();
}

/** What the runtimes offer, as far as it is used here. */
interface Runtime {
  Deno?: { test?: TestRegistrar };
  process?: {
    getBuiltinModule?: (id: string) => { test?: TestRegistrar } | undefined;
  };
}

function findRegistrar(): TestRegistrar {
  const { Deno, process } = globalThis as Runtime;
  // synchronous, unlike import(): some runners want all tests at once
  const test = Deno?.test ?? process?.getBuiltinModule?.("node:test")?.test;
  if (test === undefined) {
    throw new TypeError(
      `Cannot ${ACTION}: want Deno.test, node:test (Node.js 20.16 or later) or ` +
        "the option `test`: received none of them",
    );
  }
  return test;
}
