/**
 * The options of a cookie.
 *
 * @module
 */

import type { Cookie } from "@std/http/cookie";
import { checkName, checkOptions, checkType, describeValue } from "./_check.ts";
import type { CookieOptions } from "./cookie_transport.ts";

/** Browsers ignore cookies whose name and value are longer together (RFC 6265bis §5.6). */
export const MAX_PAIR_BYTES = 4_096;

/** Browsers ignore attributes whose value is longer (RFC 6265bis §5.6). */
const MAX_ATTRIBUTE_BYTES = 1_024;

/** Host names have at most this many characters (RFC 1035 §2.3.4). */
const MAX_DOMAIN_LENGTH = 253;

const DOMAIN =
  /^\.?[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*$/;
const PATH = /^\/[\x20-\x3a\x3c-\x7e]*$/;

const ACTION = "create cookieTransport";

/** A cookie as `setCookie` takes it, but for its value, and whether it persists. */
export type CookieAttributes = Omit<Cookie, "value"> & { persistent: boolean };

/**
 * Checks the options, and completes them.
 *
 * @param options The options of a cookie.
 * @returns Its attributes.
 * @throws {TypeError} If one is unknown, of the wrong type, or contradicts another.
 */
export function checkCookieOptions(options: CookieOptions): CookieAttributes {
  const {
    domain,
    path = "/",
    sameSite = "Lax",
    secure = true,
    partitioned = false,
    ...rest
  } = checkOptions(ACTION, options, [
    "name",
    "domain",
    "path",
    "sameSite",
    "secure",
    "partitioned",
    "persistent",
  ]);
  const hostOnly = domain === undefined && path === "/";
  const { persistent = true } = rest;
  const {
    name = !secure
      ? "session"
      : hostOnly
      ? "__Host-session"
      : "__Secure-session",
  } = rest;

  checkName(ACTION, "name", name);
  if (domain !== undefined) checkDomain(domain);
  checkPath(path);
  if (sameSite !== "Strict" && sameSite !== "Lax" && sameSite !== "None") {
    throw new TypeError(
      `Cannot ${ACTION}: "sameSite" must be "Strict", "Lax" or "None": received ${
        describeValue(sameSite)
      }`,
    );
  }
  checkType(ACTION, "secure", secure, "boolean");
  checkType(ACTION, "partitioned", partitioned, "boolean");
  checkType(ACTION, "persistent", persistent, "boolean");
  if (!secure && sameSite === "None") throw insecure(`"sameSite" None`);
  if (!secure && partitioned) throw insecure(`"partitioned"`);
  checkPrefix(name, secure, hostOnly);

  return {
    name,
    ...(domain === undefined ? {} : { domain }),
    path,
    sameSite,
    secure,
    partitioned,
    httpOnly: true,
    persistent,
  };
}

/** Browsers compare the prefixes without regard to case (RFC 6265bis §5.4). */
function checkPrefix(name: string, secure: boolean, hostOnly: boolean): void {
  if (!/^__(?:host|secure|http)/i.test(name)) return;
  if (!secure) throw insecure(`"name" ${name}`);
  if (/^__host/i.test(name) && !hostOnly) {
    throw new TypeError(
      `Cannot ${ACTION}: "name" ${name} must go with the path "/" and no domain, or begin with __Secure- instead: received a domain or another path`,
    );
  }
}

function insecure(what: string): TypeError {
  return new TypeError(
    `Cannot ${ACTION}: ${what} must go with "secure" true, or browsers drop the cookie: received false`,
  );
}

function checkDomain(domain: unknown): void {
  checkType(ACTION, "domain", domain, "string");
  if (
    (domain as string).length > MAX_DOMAIN_LENGTH ||
    !DOMAIN.test(domain as string)
  ) {
    throw new TypeError(
      `Cannot ${ACTION}: "domain" must be a host name in ASCII, ${MAX_DOMAIN_LENGTH} characters at most, without a dot at its end: received ${
        JSON.stringify(domain)
      }`,
    );
  }
}

function checkPath(path: unknown): void {
  checkType(ACTION, "path", path, "string");
  if (
    (path as string).length > MAX_ATTRIBUTE_BYTES || !PATH.test(path as string)
  ) {
    throw new TypeError(
      `Cannot ${ACTION}: "path" must begin with "/" and be printable ASCII without ";", ${MAX_ATTRIBUTE_BYTES} characters at most: received ${
        JSON.stringify(path)
      }`,
    );
  }
}
