/**
 * Clients of the servers: they begin sessions, and show what is in them.
 *
 * @module
 */

import type { PlannedRequest } from "./_driver.ts";

/** How many sessions are begun at a time. */
const BEGIN_CONCURRENCY = 16;

/** How long an answer may take, to its end. */
const ANSWER_TIMEOUT_MS = 20_000;

/** How servers are visited. */
export interface VisitOptions {
  /**
   * How long an answer may take, in milliseconds.
   *
   * @default {20_000}
   */
  readonly timeoutMs?: number;
}

/**
 * Begins sessions.
 *
 * @param origin The server: `http://127.0.0.1:<port>`.
 * @param count How many sessions.
 * @param prefix What the path begins with.
 * @param options How.
 * @returns Their `Cookie` headers.
 * @throws {Error} If the server does not begin one, or not in time.
 */
export async function beginSessions(
  origin: string,
  count: number,
  prefix = "",
  options: VisitOptions = {},
): Promise<string[]> {
  const cookies: string[] = [];
  while (cookies.length < count) {
    const left = Math.min(BEGIN_CONCURRENCY, count - cookies.length);
    const begun = await Promise.all(
      Array.from(
        { length: left },
        () => begin(`${origin}${prefix}/init`, options),
      ),
    );
    cookies.push(...begun);
  }
  return cookies;
}

async function begin(url: string, options: VisitOptions): Promise<string> {
  const response = await fetch(url, { signal: deadlineOf(options) });
  await response.body?.cancel();
  const cookie = cookieOf(response);
  if (response.status !== 200 || cookie === undefined) {
    throw new Error(
      `Cannot begin session: want a cookie: received status ${response.status}`,
    );
  }
  return cookie;
}

/**
 * Visits a server once.
 *
 * @param origin The server: `http://127.0.0.1:<port>`.
 * @param request The request.
 * @param options How.
 * @returns What it answers, and the cookie it sets.
 * @throws {Error} If it answers with another status than 200, or not in time.
 */
export async function visit(
  origin: string,
  { path, cookie }: PlannedRequest,
  options: VisitOptions = {},
): Promise<{ text: string; cookie: string | undefined }> {
  const headers: HeadersInit = cookie === "" ? {} : { cookie };
  const signal = deadlineOf(options);
  const response = await fetch(`${origin}${path}`, { headers, signal });
  const text = await response.text();
  if (response.status !== 200) {
    throw new Error(
      `Cannot visit ${path}: want status 200: received ${response.status}`,
    );
  }
  return { text, cookie: cookieOf(response) };
}

function deadlineOf(
  { timeoutMs = ANSWER_TIMEOUT_MS }: VisitOptions,
): AbortSignal {
  return AbortSignal.timeout(timeoutMs);
}

/** The cookies a response sets, as the next request sends them. */
export function cookieOf(response: Response): string | undefined {
  const pairs = response.headers.getSetCookie()
    .map((line) => line.split(";", 1)[0] ?? "");
  return pairs.length === 0 ? undefined : pairs.join("; ");
}

const ALPHANUMERIC =
  "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/**
 * Alters one or two characters near the end of a cookie, where signatures are.
 *
 * @param cookie A `Cookie` header of one pair.
 * @param variant Which of the 3,782 forgeries: an integer from 0.
 * @returns The header of a forger.
 */
export function forge(cookie: string, variant = 0): string {
  const { length } = ALPHANUMERIC;
  const last = alterableBefore(cookie, cookie.length - 11);
  const other = alterableBefore(cookie, last);
  const altered = shift(cookie, last, 1 + variant % (length - 1));
  return shift(altered, other, Math.floor(variant / (length - 1)) % length);
}

/** Finds a letter or digit that is no part of %2B and the like. */
function alterableBefore(cookie: string, end: number): number {
  let index = end - 1;
  while (
    index > 1 &&
    !/[^%][^%][A-Za-z0-9]/.test(cookie.slice(index - 2, index + 1))
  ) index--;
  return index;
}

/** Moves a character on in the alphabet, and around. */
function shift(cookie: string, index: number, by: number): string {
  const at = ALPHANUMERIC.indexOf(cookie[index] ?? "") + by;
  return cookie.slice(0, index) + ALPHANUMERIC[at % ALPHANUMERIC.length] +
    cookie.slice(index + 1);
}
