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
