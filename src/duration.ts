/**
 * Lengths of time, as options take them.
 *
 * @module
 */

import { describeValue } from "./_check.ts";

/** Milliseconds in each unit that a {@linkcode Duration} may name. */
const UNIT_MS = {
  weeks: 604_800_000,
  days: 86_400_000,
  hours: 3_600_000,
  minutes: 60_000,
  seconds: 1_000,
  milliseconds: 1,
} as const;

/** What `Temporal.Duration` has beside the units of {@linkcode Duration}. */
const TEMPORAL_UNIT_MS = {
  ...UNIT_MS,
  microseconds: 1e-3,
  nanoseconds: 1e-6,
} as const;

/**
 * A length of time: milliseconds, or an object that names its units.
 *
 * A `Temporal.Duration` fits, as long as it has no years and no months.
 */
export type Duration =
  | number
  | {
    /** Weeks, of 7 days each. */
    readonly weeks?: number;
    /** Days, of 24 hours each. */
    readonly days?: number;
    /** Hours. */
    readonly hours?: number;
    /** Minutes. */
    readonly minutes?: number;
    /** Seconds. */
    readonly seconds?: number;
    /** Milliseconds. */
    readonly milliseconds?: number;
  };

/** Relative error of a sum of a few products (IEEE 754 binary64). */
const ROUNDING = 8 * Number.EPSILON;

/**
 * Converts a duration to milliseconds.
 *
 * Only its form is checked; which lengths make sense is for the caller to say.
 *
 * @param duration Milliseconds, `{ days, hours, … }`, or a `Temporal.Duration`.
 * @returns The milliseconds: finite, maybe negative or fractional.
 * @throws {TypeError} If it is neither a number nor an object of known units,
 *   at least one of them set, each a number.
 * @throws {RangeError} If a number in it is not finite, or if a
 *   `Temporal.Duration` has years or months.
 */
export function toMilliseconds(duration: Duration): number {
  if (typeof duration === "number") return finite(duration, "milliseconds");
  if (typeof duration !== "object" || duration === null) {
    throw new TypeError(
      "Cannot read the duration: want milliseconds or { days, hours, minutes, " +
        `seconds, milliseconds }: received ${describeValue(duration)}`,
    );
  }
  return isTemporal(duration)
    ? sum(duration, withoutCalendar(duration))
    : sum(duration, withKnownUnits(duration));
}

function isTemporal(duration: object): boolean {
  return Object.prototype.toString.call(duration) ===
    "[object Temporal.Duration]";
}

/** Gives the units of a `Temporal.Duration`: getters of its prototype. */
function withoutCalendar(
  duration: object,
): Readonly<Record<string, number>> {
  const years = Reflect.get(duration, "years");
  if (years || Reflect.get(duration, "months")) {
    throw new RangeError(
      "Cannot read the duration: want weeks and smaller, for the length of " +
        "years and months varies: received a Temporal.Duration with " +
        (years ? "years" : "months"),
    );
  }
  return TEMPORAL_UNIT_MS;
}

function withKnownUnits(duration: object): Readonly<Record<string, number>> {
  const known = Object.keys(UNIT_MS);
  const unknown = Object.keys(duration).find((key) => !known.includes(key));
  const isBlank = Object.values(duration).every((value) => value === undefined);
  if (unknown !== undefined || isBlank) {
    throw new TypeError(
      `Cannot read the duration: want one or more of ${known.join(", ")}: ` +
        `received ${unknown === undefined ? "none" : JSON.stringify(unknown)}`,
    );
  }
  return UNIT_MS;
}

function sum(
  duration: object,
  units: Readonly<Record<string, number>>,
): number {
  let total = 0;
  for (const [unit, milliseconds] of Object.entries(units)) {
    const value: unknown = Reflect.get(duration, unit);
    if (value !== undefined) total += finite(value, unit) * milliseconds;
  }
  return wholeIfMeant(finite(total, "milliseconds"));
}

/** Takes back what binary fractions add: 1.1 hours are 3,960,000 ms, and not 5e-10 more. */
function wholeIfMeant(milliseconds: number): number {
  const whole = Math.round(milliseconds);
  const error = Math.abs(milliseconds - whole);
  return error <= ROUNDING * Math.abs(whole) ? whole : milliseconds;
}

function finite(value: unknown, unit: string): number {
  if (typeof value !== "number") {
    throw new TypeError(
      `Cannot read the duration: want a number of ${unit}: ` +
        `received ${describeValue(value)}`,
    );
  }
  if (!Number.isFinite(value)) {
    throw new RangeError(
      `Cannot read the duration: want finite ${unit}: received ${value}`,
    );
  }
  return value;
}
