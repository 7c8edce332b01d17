import { assertEquals, assertGreaterOrEqual, assertThrows } from "@std/assert";
import { TestClock } from "../src/testing/mod.ts";

Deno.test("TestClock() starts at the real time, and stands still", () => {
  const before = Date.now();
  const clock = new TestClock();
  const start = clock.now();
  assertGreaterOrEqual(start, before);
  assertGreaterOrEqual(Date.now(), start);
  assertEquals(clock.now(), start);
});

Deno.test("TestClock.now() works without its clock", () => {
  const clock = new TestClock(5);
  const { now } = clock;
  clock.advance(1);
  assertEquals(now(), 6);
});

Deno.test("TestClock.advance() takes milliseconds and units", () => {
  const clock = new TestClock(0);
  clock.advance(1);
  clock.advance({ days: 1, hours: 1, minutes: 1, seconds: 1, milliseconds: 1 });
  assertEquals(clock.now(), 90_061_002);
  clock.advance(-2);
  assertEquals(clock.now(), 90_061_000);
  clock.advance(Temporal.Duration.from({ seconds: 1 }));
  assertEquals(clock.now(), 90_062_000);
});

Deno.test("TestClock.set() moves forwards and back", () => {
  const clock = new TestClock(5);
  clock.set(-5);
  assertEquals(clock.now(), -5);
  for (const limit of [8.64e15, -8.64e15]) {
    clock.set(limit);
    assertEquals(clock.now(), limit);
  }
});

Deno.test("TestClock refuses what is no time, and stays where it was", () => {
  const clock = new TestClock(5);
  for (const bad of [NaN, Infinity, 8.64e15 + 1, -8.64e15 - 1]) {
    assertThrows(
      () => clock.set(bad),
      RangeError,
      "want epoch milliseconds that a Date can hold: received",
    );
    assertThrows(() => new TestClock(bad), RangeError, "Cannot set the clock");
  }
  assertThrows(
    () => Reflect.construct(TestClock, [new Date()]),
    RangeError,
    "received a object",
  );
  assertThrows(
    () => clock.advance(8.64e15),
    RangeError,
    "Cannot set the clock",
  );
  assertThrows(() => clock.advance(NaN), RangeError, "received NaN");
  assertThrows(
    () => Reflect.apply(clock.advance, clock, [{ day: 1 }]),
    TypeError,
    'received "day"',
  );
  assertEquals(clock.now(), 5);
});
