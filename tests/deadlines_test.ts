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

/** Takes the place of the timers for a while, as the fake clocks of test libraries do. */
function fakeTimers() {
  const { setTimeout, clearTimeout } = globalThis;
  const timers = new Map<number, { run: () => void; at: number }>();
  let now = 0;
  let last = 0;
  Object.assign(globalThis, {
    setTimeout(run: () => void, ms = 0) {
      timers.set(++last, { run, at: now + ms });
      return last;
    },
    clearTimeout: (id: unknown) => void timers.delete(Number(id)),
  });
  return {
    tick(ms: number) {
      now += ms;
      for (const [id, { run, at }] of [...timers]) {
        if (at <= now && timers.delete(id)) run();
      }
    },
    restore: () => void Object.assign(globalThis, { setTimeout, clearTimeout }),
  };
}

Deno.test("Deadlines go by the timers of a fake clock, though performance.now stays real", () => {
  const deadlines = new Deadlines(5_000);
  const longer = new Deadlines(8_000);
  const ended: string[] = [];
  const fake = fakeTimers();
  try {
    deadlines.begin(() => ended.push("a"));
    longer.begin(() => ended.push("b"));
    fake.tick(4_900);
    assertEquals(ended, []);
    fake.tick(200);
    assertEquals(ended, ["a"]);
    fake.tick(3_001);
    assertEquals(ended, ["a", "b"]);
  } finally {
    fake.restore();
  }
});

Deno.test("Deadlines.begin() gets over a timer that a fake clock took with it", async () => {
  const hung = new Deadlines(10);
  const deadlines = new Deadlines(2_000);
  const ended: string[] = [];
  const fake = fakeTimers();
  hung.begin(() => ended.push("hung"));
  fake.restore();
  await wait(1_200);
  const call = deadlines.begin(() => ended.push("late"));
  await wait(20);
  assertEquals(ended, ["hung"]);
  assert(deadlines.end(call));
});
