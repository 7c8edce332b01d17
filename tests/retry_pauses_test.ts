/**
 * Who meets others tries again after pauses that are random, grow, and have a
 * limit: or all would meet again at the next try.
 */

import { assertEquals } from "@std/assert";
import { retryTransient } from "../src/_kv_retry.ts";
import { SpyStore } from "./_spy_store.ts";
import { Visitor } from "./_visitor.ts";

/** A timer so long is a deadline, not a pause. */
const DEADLINE_MS = 1_000;

/** Runs something whose pauses are skipped, and says how long they would have been. */
async function pausesOf(
  run: () => Promise<unknown>,
  random: number,
): Promise<number[]> {
  const { setTimeout } = globalThis;
  const { random: actualRandom } = Math;
  const pauses: number[] = [];
  globalThis.setTimeout = ((call: () => void, delay = 0) => {
    if (delay >= DEADLINE_MS) return setTimeout(call, delay);
    pauses.push(delay);
    return setTimeout(call, 0);
  }) as typeof setTimeout;
  Math.random = () => random;
  try {
    await run();
  } finally {
    globalThis.setTimeout = setTimeout;
    Math.random = actualRandom;
  }
  return pauses;
}

for (const random of [0, 0.5, 1]) {
  Deno.test(`retryTransient() pauses before the tries 2 to 8, for a random part of what doubles up to 100 ms (Math.random: ${random})`, async () => {
    let tries = 0;
    const run = () =>
      ++tries < 8
        ? Promise.reject(new TypeError("database is locked"))
        : Promise.resolve();
    const pauses = await pausesOf(() => retryTransient(run), random);
    assertEquals(tries, 8);
    assertEquals(
      pauses,
      [2, 4, 8, 16, 32, 64, 100].map((longest) => longest * random),
    );
  });

  Deno.test(`SessionManager that meets other writers pauses before the tries 3 to 8, for a random part of what doubles up to 50 ms (Math.random: ${random})`, async () => {
    const store = new SpyStore();
    const visitor = new Visitor({ store });
    await visitor.visit((session) => session.set("n", 1));
    let tries = 0;
    store.onCommit = (call) =>
      ++tries < 8 ? Promise.resolve({ ok: false } as never) : call();
    const pauses = await pausesOf(
      () => visitor.visit((session) => session.set("n", 2)),
      random,
    );
    assertEquals(tries, 8);
    assertEquals(
      pauses,
      [2, 4, 8, 16, 32, 50].map((longest) => longest * random),
    );
  });
}
