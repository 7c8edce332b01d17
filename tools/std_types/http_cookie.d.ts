// The types of `@std/http/cookie`, which its npm build leaves out.

/** An HTTP cookie, RFC 6265 section 4.1. */
export interface Cookie {
  name: string;
  value: string;
  expires?: Date | number;
  maxAge?: number;
  domain?: string;
  path?: string;
  secure?: boolean;
  httpOnly?: boolean;
  partitioned?: boolean;
  sameSite?: "Strict" | "Lax" | "None";
  unparsed?: string[];
}

/** Parses the `Cookie` header. */
export function getCookies(headers: Headers): Partial<Record<string, string>>;

/** Appends a `Set-Cookie` header. */
export function setCookie(headers: Headers, cookie: Cookie): void;

/** Appends a `Set-Cookie` header that deletes a cookie. */
export function deleteCookie(
  headers: Headers,
  name: string,
  attributes?: Pick<
    Cookie,
    "path" | "domain" | "secure" | "httpOnly" | "partitioned"
  >,
): void;

/** Parses the `Set-Cookie` headers. */
export function getSetCookies(headers: Headers): Cookie[];
