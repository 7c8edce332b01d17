import { assert, assertEquals } from "@std/assert";
import { Deadlines } from "../src/_deadlines.ts";

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

Deno.test("Deadlines.begin() ends a call in time, however many others begin meanwhile", async () => {
  const deadlines = new Deadlines(50);
  const start = performance.now();
  let ended = Infinity;
  deadlines.begin(() => ended = performance.now() - start);
  let overdue = 0;
  while (ended === Infinity && performance.now() - start < 2_000) {
    const calls = Array.from(
      { length: 20 },
      () => deadlines.begin(() => overdue++),
    );
    await wait(1);
    for (const call of calls) assert(deadlines.end(call));
  }
  assert(ended >= 49 && ended < 1_000, `after ${ended} ms`);
  assertEquals(overdue, 0);
});

Deno.test("Deadlines.end() says whether a call was in time, and leaves no timer behind", async () => {
  const deadlines = new Deadlines(20);
  const ended: string[] = [];
  const [first, second, third] = ["first", "second", "third"].map((name) =>
    deadlines.begin(() => ended.push(name))
  );
  assert(first !== undefined && second !== undefined && third !== undefined);
  assert(deadlines.end(second));
  assert(!deadlines.end(second));
  await wait(60);
  assertEquals(ended, ["first", "third"]);
  assert(!deadlines.end(first));
  assert(!deadlines.end(third));
});

Deno.test("Deadlines keeps nothing of a call that has ended", () => {
  const deadlines = new Deadlines(60_000);
  const hung = deadlines.begin(() => {});
  const second = deadlines.begin(() => {});
  const third = deadlines.begin(() => {});
  deadlines.end(second);
  assertEquals(hung.next, third);
  assertEquals([second.previous, second.next], [undefined, undefined]);
  deadlines.end(hung);
  assertEquals([hung.previous, hung.next], [undefined, undefined]);
  assertEquals([third.previous, third.next], [undefined, undefined]);
  deadlines.end(third);
});

Deno.test("Deadlines of different lengths share a timer, and each ends its calls in time", async () => {
  const long = new Deadlines(60_000);
  const short = new Deadlines(20);
  const shorter = new Deadlines(10);
  const ended: string[] = [];
  const hung = long.begin(() => ended.push("long"));
  short.begin(() => ended.push("short"));
  shorter.begin(() => ended.push("shorter"));
  await wait(60);
  assertEquals(ended, ["shorter", "short"]);
  short.begin(() => ended.push("again"));
  await wait(60);
  assertEquals(ended, ["shorter", "short", "again"]);
  assert(long.end(hung));
});

Deno.test("Deadlines.begin() sets no further timer where one goes off in time", () => {
  const { setTimeout, clearTimeout } = globalThis;
  let set = 0;
  let cleared = 0;
  globalThis.setTimeout = ((run: () => void, ms: number) => {
    set++;
    return setTimeout(run, ms);
  }) as typeof setTimeout;
  globalThis.clearTimeout = (id) => {
    if (id !== undefined) cleared++;
    clearTimeout(id);
  };
  try {
    const outer = new Deadlines(5_000);
    const inner = new Deadlines(10_000);
    const outerCall = outer.begin(() => {});
    const innerCalls = [inner.begin(() => {}), inner.begin(() => {})];
    for (const call of innerCalls) assert(inner.end(call));
    assert(outer.end(outerCall));
    assertEquals([set, cleared], [1, 1]);
  } finally {
    Object.assign(globalThis, { setTimeout, clearTimeout });
  }
});
