/**
 * What a browser reads in a `Set-Cookie` line: RFC 6265bis, section 5.6.
 *
 * @module
 */

/** What a browser limits, in octets. */
const MAX_PAIR_LENGTH = 4_096;
const MAX_ATTRIBUTE_LENGTH = 1_024;

const MONTHS = [
  "jan",
  "feb",
  "mar",
  "apr",
  "may",
  "jun",
  "jul",
  "aug",
  "sep",
  "oct",
  "nov",
  "dec",
];

/** A `Set-Cookie` line, taken apart but not yet judged. */
export interface ParsedSetCookie {
  readonly name: string;
  readonly value: string;
  /** The last attribute of each name, in lower case; values as they came. */
  readonly attributes: ReadonlyMap<string, string>;
}

/**
 * Takes a `Set-Cookie` line apart as a browser does.
 *
 * @param line The value of the header field.
 * @returns The parts, or `undefined` if a browser would ignore the line.
 */
export function parseSetCookie(line: string): ParsedSetCookie | undefined {
  // deno-lint-ignore no-control-regex -- these are what the RFC refuses
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(line)) return undefined;
  const [pair = "", ...rest] = line.split(";");
  const equals = pair.indexOf("=");
  const name = equals < 0 ? "" : trim(pair.slice(0, equals));
  const value = trim(pair.slice(equals + 1));
  const length = name.length + value.length;
  if (length === 0 || length > MAX_PAIR_LENGTH) return undefined;

  const attributes = new Map<string, string>();
  for (const attribute of rest) {
    const equals = attribute.indexOf("=");
    const end = equals < 0 ? attribute.length : equals;
    const key = trim(attribute.slice(0, end)).toLowerCase();
    const text = trim(attribute.slice(end + 1));
    if (text.length <= MAX_ATTRIBUTE_LENGTH) attributes.set(key, text);
  }
  return { name, value, attributes };
}

/**
 * Reads a `Max-Age` attribute.
 *
 * @param text The value of the attribute.
 * @returns Seconds, or `undefined` if a browser would ignore it.
 */
export function parseMaxAge(text: string): number | undefined {
  return /^-?[0-9]+$/.test(text) ? Number(text) : undefined;
}

/**
 * Reads an `Expires` attribute: RFC 6265bis, section 5.1.1.
 *
 * @param text The value of the attribute.
 * @returns Epoch milliseconds, or `undefined` if a browser would ignore it.
 */
export function parseCookieDate(text: string): number | undefined {
  let time: RegExpMatchArray | undefined;
  let day: number | undefined;
  let month: number | undefined;
  let year: number | undefined;
  for (
    const token of text.split(/[\t\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]/)
  ) {
    const clock = /^(\d{1,2}):(\d{1,2}):(\d{1,2})(?!\d)/.exec(token);
    const index = MONTHS.indexOf(token.slice(0, 3).toLowerCase());
    if (!time && clock) time = clock;
    else if (day === undefined && /^\d{1,2}(?!\d)/.test(token)) {
      day = parseInt(token);
    } else if (month === undefined && index >= 0) month = index;
    else if (year === undefined && /^\d{2,4}(?!\d)/.test(token)) {
      year = parseInt(token);
    }
  }
  if (!time || day === undefined || month === undefined) return undefined;
  if (year === undefined) return undefined;
  if (year >= 70 && year <= 99) year += 1_900;
  if (year >= 0 && year <= 69) year += 2_000;
  const [hour = 0, minute = 0, second = 0] = time.slice(1).map(Number);
  const date = new Date(Date.UTC(year, month, day, hour, minute, second));
  const exists = date.getUTCDate() === day && date.getUTCMonth() === month;
  if (!exists || year < 1_601 || hour > 23 || minute > 59 || second > 59) {
    return undefined;
  }
  return date.getTime();
}

/** Strips spaces and tabs, and, unlike `String.trim`, nothing else. */
function trim(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, "");
}
