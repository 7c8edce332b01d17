/**
 * The cookies of one browser: RFC 6265bis, sections 5.1, 5.7 and 5.8.
 *
 * @module
 */

import {
  parseCookieDate,
  type ParsedSetCookie,
  parseMaxAge,
  parseSetCookie,
} from "./_set_cookie.ts";

/** The longest that a browser keeps a cookie: 400 days. */
const MAX_LIFETIME_MS = 34_560_000_000;

/** A cookie as the browser keeps it. */
export interface TestCookie {
  /** Its name, which may be empty. */
  readonly name: string;
  /** Its value, as it came: neither decoded nor unquoted. */
  readonly value: string;
  /** The host it is for, or, unless `hostOnly`, the domain of the hosts. */
  readonly domain: string;
  /** Whether it goes to that very host only: it was set without `Domain`. */
  readonly hostOnly: boolean;
  /** The path it goes to, and below. */
  readonly path: string;
  /** Whether it goes over https only. */
  readonly secure: boolean;
  /** Whether scripts of the page cannot see it. */
  readonly httpOnly: boolean;
  /** Its `SameSite`, if it had a valid one. The client does not act on it. */
  readonly sameSite: "Strict" | "Lax" | "None" | undefined;
  /** Whether it was `Partitioned`. The client has one partition. */
  readonly partitioned: boolean;
  /** When it was first set, in epoch milliseconds. */
  readonly createdAt: number;
  /** When it expires, in epoch milliseconds; `undefined`: with the browser. */
  readonly expiresAt: number | undefined;
}

/** Keeps cookies by the rules that browsers follow. */
export class CookieJar {
  readonly #clock: () => number;
  /** In order of creation; replacing a cookie keeps its place. */
  readonly #cookies = new Map<string, TestCookie>();

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Gives the cookies that have not expired, oldest first. */
  all(): TestCookie[] {
    const now = this.#clock();
    this.drop(({ expiresAt = Infinity }) => expiresAt <= now);
    return [...this.#cookies.values()];
  }

  /** Drops the cookies that `test` is true for. */
  drop(test: (cookie: TestCookie) => boolean): void {
    for (const [key, cookie] of this.#cookies) {
      if (test(cookie)) this.#cookies.delete(key);
    }
  }

  /** Gives the `Cookie` field for a request, `undefined` for none. */
  header(url: URL): string | undefined {
    const matching = this.all().filter((cookie) =>
      (cookie.hostOnly
        ? url.hostname === cookie.domain
        : isWithin(url.hostname, cookie.domain)) &&
      isBelow(url.pathname, cookie.path) &&
      (!cookie.secure || isTrusted(url))
    );
    if (matching.length === 0) return undefined;
    // the sort is stable: cookies with equally long paths stay oldest first
    return matching.sort((a, b) => b.path.length - a.path.length)
      .map(({ name, value }) => name === "" ? value : `${name}=${value}`)
      .join("; ");
  }

  /** Stores, replaces or deletes a cookie, or ignores the line. */
  store(line: string, url: URL): void {
    this.all();
    const parsed = parseSetCookie(line);
    if (parsed === undefined) return;
    const cookie = this.#toCookie(parsed, url);
    if (cookie === undefined || breaksPrefix(cookie, parsed)) return;
    if (!isTrusted(url) && this.#hidesSecure(cookie)) return;
    const key = JSON.stringify([
      cookie.name,
      cookie.domain,
      cookie.hostOnly,
      cookie.path,
    ]);
    const { createdAt } = this.#cookies.get(key) ?? cookie;
    this.#cookies.set(key, { ...cookie, createdAt });
    // one that has expired already deletes what it has just replaced
    this.all();
  }

  #toCookie(parsed: ParsedSetCookie, url: URL): TestCookie | undefined {
    const { name, value, attributes } = parsed;
    const host = url.hostname;
    const domain = attributes.get("domain")?.replace(/^\./, "").toLowerCase();
    // without a list of public suffixes: a name without a dot is taken for one
    const hostOnly = !domain || (domain === host && !domain.includes("."));
    if (domain && !hostOnly) {
      if (!domain.includes(".") || !isWithin(host, domain)) return undefined;
    }
    const path = attributes.get("path");
    const secure = attributes.has("secure");
    const partitioned = attributes.has("partitioned");
    const sameSite = toSameSite(attributes.get("samesite"));
    if (secure ? !isTrusted(url) : partitioned || sameSite === "None") {
      return undefined;
    }
    const now = this.#clock();
    return {
      name,
      value,
      domain: hostOnly ? host : domain ?? host,
      hostOnly,
      path: path?.startsWith("/") ? path : defaultPath(url.pathname),
      secure,
      httpOnly: attributes.has("httponly"),
      sameSite,
      partitioned,
      createdAt: now,
      expiresAt: toExpiry(attributes, now),
    };
  }

  /** Whether a page over http would overwrite, or hide, a secure cookie. */
  #hidesSecure({ name, domain, path }: TestCookie): boolean {
    return this.all().some((old) =>
      old.secure && old.name === name && isBelow(path, old.path) &&
      (isWithin(domain, old.domain) || isWithin(old.domain, domain))
    );
  }
}

function breaksPrefix(cookie: TestCookie, parsed: ParsedSetCookie): boolean {
  // without a name, the value would be read back as a name
  const text = (cookie.name === "" ? cookie.value : cookie.name).toLowerCase();
  const named = cookie.name !== "";
  if (text.startsWith("__secure-")) return !(named && cookie.secure);
  if (!text.startsWith("__host-")) return false;
  return !(named && cookie.secure && cookie.hostOnly &&
    parsed.attributes.get("path") === "/");
}

function toExpiry(
  attributes: ReadonlyMap<string, string>,
  now: number,
): number | undefined {
  const seconds = parseMaxAge(attributes.get("max-age") ?? "");
  const expires = parseCookieDate(attributes.get("expires") ?? "");
  const expiry = seconds === undefined ? expires : now + seconds * 1_000;
  if (expiry === undefined) return undefined;
  return Math.min(expiry, now + MAX_LIFETIME_MS);
}

function toSameSite(text: string | undefined): TestCookie["sameSite"] {
  switch (text?.toLowerCase()) {
    case "strict":
      return "Strict";
    case "lax":
      return "Lax";
    case "none":
      return "None";
  }
  return undefined;
}

/** Whether a host is a domain or belongs to it: section 5.1.3. */
function isWithin(host: string, domain: string): boolean {
  return host === domain ||
    (host.endsWith(`.${domain}`) && !/^[\d.]+$|:/.test(host));
}

/** Whether a path is another or lies below it: section 5.1.4. */
function isBelow(path: string, above: string): boolean {
  return path === above ||
    (path.startsWith(above) &&
      (above.endsWith("/") || path[above.length] === "/"));
}

/** The path of a cookie that names none: section 5.1.4. */
function defaultPath(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 1));
}

/** Whether Secure cookies may travel; browsers trust this machine over http. */
function isTrusted({ protocol, hostname }: URL): boolean {
  return protocol === "https:" ||
    /^(?:.+\.)?localhost$|^127(?:\.\d+){3}$|^\[::1\]$/.test(hostname);
}
