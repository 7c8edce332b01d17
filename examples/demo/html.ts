/**
 * Markup that is safe by default, and words for spans of time.
 *
 * @module
 */

/** Markup: what goes into it through {@linkcode html} is escaped. */
export class Html {
  /** The markup as text. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Value = string | number | Html | readonly Html[] | undefined;

/** Builds markup; every value is escaped unless it is markup itself. */
export function html(
  { raw }: TemplateStringsArray,
  ...values: readonly Value[]
): Html {
  return new Html(String.raw({ raw }, ...values.map(render)));
}

function render(value: Value): string {
  if (value === undefined) return "";
  if (value instanceof Html) return value.text;
  if (typeof value === "object") return value.map(render).join("");
  return String(value).replace(
    /[&<>"']/g,
    (char) => `&#${char.charCodeAt(0)};`,
  );
}

const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
] as const;

/** Puts a span of time in words: `"3 minutes"`. */
export function inWords(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1_000));
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? UNITS[3];
  return new Intl.NumberFormat("en", {
    style: "unit",
    unit,
    unitDisplay: "long",
  }).format(Math.round(seconds / size));
}

/** Puts a moment of the past in words: `"3 minutes ago"`. */
export function ago(moment: number, now: number): string {
  const span = now - moment;
  return span < 5_000 ? "just now" : `${inWords(span)} ago`;
}

const CALENDAR = new Intl.DateTimeFormat("en-GB", {
  dateStyle: "medium",
  timeStyle: "short",
  timeZone: "UTC",
});

/** Writes a moment down: `"27 Nov 2025, 06:11 UTC"`. */
export function onCalendar(moment: number): string {
  return `${CALENDAR.format(moment)} UTC`;
}
