/**
 * Carries the token in a cookie: the default transport.
 *
 * @module
 */

import { type Cookie, getCookies, setCookie } from "@std/http/cookie";
import { checkCookieOptions, MAX_PAIR_BYTES } from "./_cookie_options.ts";
import { SessionTooLargeError } from "./errors.ts";
import { MAX_CANDIDATES, type SessionTransport } from "./session_transport.ts";

const SPACE = 0x20;
const TAB = 0x09;
const EQUALS = 0x3d;
const NONE: readonly string[] = [];

/**
 * What `getCookies` is shown of several pairs: one at a time; reused, as headers are slow to
 * make.
 */
let pair: Headers | undefined;

/** Options of {@linkcode cookieTransport}; the defaults are the secure ones. */
export interface CookieOptions {
  /**
   * The name, a token of RFC 9110.
   *
   * @default `__Host-session`; `__Secure-session` with a `domain` or a `path`
   *   other than `/`; `session` with `secure: false`
   */
  name?: string | undefined;
  /** The domain whose subdomains get the cookie too, in ASCII. @default none: this host alone */
  domain?: string | undefined;
  /**
   * The path below which the cookie is sent: `/` and up to 1,023 characters of
   * printable ASCII, `;` excepted.
   *
   * @default {"/"}
   */
  path?: string | undefined;
  /**
   * Whether other sites' requests carry it: `Strict` never, `Lax` when they
   * navigate, `None` always (needs `secure`).
   *
   * @default {"Lax"}
   */
  sameSite?: "Strict" | "Lax" | "None" | undefined;
  /** Whether it travels over https (and to localhost) only. @default {true} */
  secure?: boolean | undefined;
  /** Whether it is kept apart for each top-level site (CHIPS; needs `secure`). @default {false} */
  partitioned?: boolean | undefined;
  /**
   * Whether it outlives the browser, by Max-Age; `session.persist` overrides it.
   *
   * @default {true}
   */
  persistent?: boolean | undefined;
}

/**
 * Creates a transport that carries the token in a cookie.
 *
 * The cookie is always `HttpOnly`. It is read and written by `@std/http/cookie`;
 * this transport selects the pairs by their exact name, so that no impostor
 * overrides them, and checks what the writer does not.
 *
 * @param options The attributes of the cookie.
 * @returns The transport.
 * @throws {TypeError} If an option is unknown, of the wrong type, or breaks
 *   what the name's prefix or another option demands.
 *
 * @example A cookie for all subdomains, gone with the browser
 * ```ts
 * import { cookieTransport } from "@tessera/session";
 * import { assertEquals } from "@std/assert";
 *
 * const transport = cookieTransport({ domain: "example.com", persistent: false });
 *
 * assertEquals(transport.name, "__Secure-session");
 * ```
 */
export function cookieTransport(options: CookieOptions = {}): SessionTransport {
  const { persistent, ...attributes } = checkCookieOptions(options);
  const { name } = attributes;
  return {
    name,
    vary: "Cookie",
    persistent,
    read: (request) => {
      const { headers } = request;
      const header = headers.get("cookie");
      return header === null || !header.includes(name)
        ? NONE
        : selectValues(headers, header, name);
    },
    write: (headers, token, lifetime) => {
      const size = name.length + token.length;
      if (size > MAX_PAIR_BYTES) {
        throw new SessionTooLargeError(
          `Cannot send session cookie: name and value must be at most ${MAX_PAIR_BYTES} bytes together: received ${size} bytes; choose a shorter name, or keep larger sessions in a store`,
          { size, limit: MAX_PAIR_BYTES },
        );
      }
      // a fresh object each time: setCookie changes what it is given
      const cookie: Cookie = { ...attributes, value: token };
      if (lifetime !== undefined) cookie.maxAge = lifetime;
      replaceCookie(headers, cookie);
    },
    clear: (headers) => {
      replaceCookie(headers, {
        ...attributes,
        value: "",
        maxAge: 0,
        expires: new Date(0),
      });
    },
  };
}

/**
 * Sets a cookie, in place of one that browsers would replace by it (RFC 6265bis §5.7):
 * the response may have been answered for the session before.
 */
function replaceCookie(headers: Headers, cookie: Cookie): void {
  const others = headers.getSetCookie();
  const begin = `${cookie.name}=`;
  if (!others.some((line) => line.startsWith(begin))) {
    return setCookie(headers, cookie);
  }
  const own = new Headers();
  setCookie(own, cookie);
  const [line = ""] = own.getSetCookie();
  headers.delete("set-cookie");
  for (const other of others) {
    const replaced = other.startsWith(begin) &&
      scopeOf(other) === scopeOf(line);
    if (!replaced) headers.append("set-cookie", other);
  }
  headers.append("set-cookie", line);
}

/** What tells cookies of one name apart: every attribute but the lifetime. */
function scopeOf(line: string): string {
  return line.split("; ").slice(1).filter((attribute) =>
    !/^(?:Max-Age|Expires)=/.test(attribute)
  ).join("; ");
}

/**
 * Collects the values of the pairs of exactly this name, in one linear pass.
 *
 * Only SP and TAB are stripped (RFC 6265bis §5.7.3), and nothing is decoded:
 * whatever else surrounds a name makes it another name.
 */
function selectValues(
  headers: Headers,
  header: string,
  name: string,
): readonly string[] {
  const values: string[] = [];
  for (
    let start = 0;
    start < header.length && values.length < MAX_CANDIDATES;
  ) {
    const semicolon = header.indexOf(";", start);
    const end = semicolon === -1 ? header.length : semicolon;
    let from = start;
    while (from < end && isBlank(header.charCodeAt(from))) from++;
    start = end + 1;
    if (!header.startsWith(name, from)) continue;
    let equals = from + name.length;
    while (equals < end && isBlank(header.charCodeAt(equals))) equals++;
    if (equals >= end || header.charCodeAt(equals) !== EQUALS) continue;
    let first = equals + 1;
    let last = end;
    while (first < last && isBlank(header.charCodeAt(first))) first++;
    while (last > first && isBlank(header.charCodeAt(last - 1))) last--;
    const isAll = name.length + 1 + last - first === header.length;
    const shown = isAll ? headers : pair ??= new Headers();
    if (!isAll) shown.set("cookie", `${name}=${header.slice(first, last)}`);
    values.push(getCookies(shown)[name] ?? "");
  }
  return values;
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}
