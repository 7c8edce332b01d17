import { assertEquals, assertThrows } from "@std/assert";
import { type Duration, toMilliseconds } from "../src/duration.ts";

/** The values that no type checker would let through. */
function ofAny(duration: unknown): number {
  return toMilliseconds(duration as Duration);
}

Deno.test("toMilliseconds() takes milliseconds", () => {
  for (const duration of [0, 1, 1_500, 0.5, -1]) {
    assertEquals(toMilliseconds(duration), duration);
  }
});

Deno.test("toMilliseconds() adds up the units of an object", () => {
  assertEquals(toMilliseconds({ milliseconds: 5 }), 5);
  assertEquals(toMilliseconds({ seconds: 5 }), 5_000);
  assertEquals(toMilliseconds({ minutes: 5 }), 300_000);
  assertEquals(toMilliseconds({ hours: 5 }), 18_000_000);
  assertEquals(toMilliseconds({ days: 5 }), 432_000_000);
  assertEquals(toMilliseconds({ weeks: 1 }), 604_800_000);
  assertEquals(
    toMilliseconds({ days: 1, hours: -1, minutes: 0.5 }),
    82_830_000,
  );
  assertEquals(ofAny({ days: 1, hours: undefined }), 86_400_000);
  assertEquals(
    toMilliseconds(Object.assign(Object.create(null), { hours: 1 })),
    3_600_000,
  );
});

Deno.test("toMilliseconds() takes a Temporal.Duration", () => {
  const from = (text: string) => ofAny(Temporal.Duration.from(text));
  assertEquals(from("P1W2DT3H4M5.006S"), 788_645_006);
  assertEquals(from("PT0.0015S"), 1.5);
  assertEquals(from("-PT1S"), -1_000);
  assertEquals(from("PT0S"), 0);
  const duration: Duration = Temporal.Duration.from({ hours: 1 });
  assertEquals(toMilliseconds(duration), 3_600_000);
});

Deno.test("toMilliseconds() refuses years and months, whose length varies", () => {
  const from = (text: string) => () => ofAny(Temporal.Duration.from(text));
  assertThrows(
    from("P1Y"),
    RangeError,
    "received a Temporal.Duration with years",
  );
  assertThrows(
    from("P1M"),
    RangeError,
    "received a Temporal.Duration with months",
  );
});

Deno.test("toMilliseconds() refuses unknown units, and none", () => {
  assertThrows(
    () => ofAny({ day: 1 }),
    TypeError,
    'want one or more of weeks, days, hours, minutes, seconds, milliseconds: received "day"',
  );
  assertThrows(() => ofAny({ years: 1 }), TypeError, 'received "years"');
  assertThrows(() => ofAny({}), TypeError, "received none");
  assertThrows(() => ofAny([]), TypeError, "received none");
  assertThrows(() => ofAny(new Date()), TypeError, "received none");
});

Deno.test("toMilliseconds() refuses what is no duration", () => {
  assertThrows(() => ofAny("1h"), TypeError, 'received "1h"');
  assertThrows(() => ofAny(undefined), TypeError, "received undefined");
  assertThrows(() => ofAny(null), TypeError, "received null");
  assertThrows(() => ofAny(1n), TypeError, "received bigint");
  assertThrows(
    () => ofAny({ days: "1" }),
    TypeError,
    'want a number of days: received "1"',
  );
  assertThrows(
    () => ofAny({ days: null }),
    TypeError,
    "want a number of days: received null",
  );
});

Deno.test("toMilliseconds() refuses what is not finite", () => {
  for (const bad of [NaN, Infinity, -Infinity]) {
    assertThrows(() => toMilliseconds(bad), RangeError, `received ${bad}`);
    assertThrows(
      () => toMilliseconds({ hours: bad }),
      RangeError,
      `want finite hours: received ${bad}`,
    );
  }
  assertThrows(
    () => toMilliseconds({ days: Number.MAX_VALUE }),
    RangeError,
    "want finite milliseconds: received Infinity",
  );
});

Deno.test("toMilliseconds() takes back what binary fractions add", () => {
  const cases: [duration: Duration, milliseconds: number][] = [
    [{ hours: 1.1 }, 3_960_000],
    [{ days: 0.7 }, 60_480_000],
    [{ hours: 0.07 }, 252_000],
    [{ minutes: 4.35 }, 261_000],
    [{ seconds: 1.005 }, 1_005],
    [{ hours: 0.1, minutes: 0.1, seconds: 0.3 }, 366_300],
    [{ milliseconds: 0.1 + 0.2 }, 0.1 + 0.2],
    [{ seconds: 0.0015 }, 1.5],
  ];
  for (const [duration, milliseconds] of cases) {
    assertEquals(toMilliseconds(duration), milliseconds);
  }
});

Deno.test("toMilliseconds() refuses a duration of which nothing is set", () => {
  const duration = { seconds: undefined } as unknown as Duration;
  assertThrows(
    () => toMilliseconds(duration),
    TypeError,
    "want one or more of weeks, days, hours, minutes, seconds, milliseconds: received none",
  );
});
