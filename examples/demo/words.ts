/**
 * Times and amounts as people write them.
 *
 * @module
 */

const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
] as const;

/** A span of milliseconds: `"3 minutes"`. */
export function inWords(span: number): string {
  const seconds = Math.max(0, Math.round(span / 1_000));
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? UNITS[3];
  const format = { style: "unit", unit, unitDisplay: "long" } as const;
  return new Intl.NumberFormat("en", format)
    .format(Math.round(seconds / size));
}

const JUST_NOW_MS = 5_000;

/** How long ago a moment was: `"3 minutes ago"`. */
export function ago(moment: number, now: number): string {
  const span = now - moment;
  return span < JUST_NOW_MS ? "just now" : `${inWords(span)} ago`;
}

const CALENDAR = new Intl.DateTimeFormat("en-GB", {
  dateStyle: "medium",
  timeStyle: "short",
  timeZone: "UTC",
});

/** A moment: `"27 Nov 2025, 06:11 UTC"`. */
export function onCalendar(moment: number): string {
  return `${CALENDAR.format(moment)} UTC`;
}

const EURO = new Intl.NumberFormat("en", {
  style: "currency",
  currency: "EUR",
});

/** An amount of cents: `"€2.40"`. */
export function inEuro(cents: number): string {
  return EURO.format(cents / 100);
}
