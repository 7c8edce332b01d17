/**
 * Every option of the cookie: what is wrong with it is said at construction.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type CookieOptions,
  cookieTransport,
  MemoryStore,
  SessionManager,
  type SessionOptions,
  withSession,
} from "@tessera/session";
import { get } from "./_helpers.ts";

const OK = new Response();

const WANT_TOKEN = "must be a token of RFC 9110";
const WANT_HOST =
  `"domain" must be a host name in ASCII, 253 characters at most, without a dot at its end`;
const WANT_PATH =
  `"path" must begin with "/" and be printable ASCII without ";", 1024 characters at most`;
const WANT_SECURE = `must go with "secure" true`;
const WANT_NO_DOMAIN = `must go with the path "/" and no domain`;

const BAD_COOKIES: [cookie: object, message: string][] = [
  ...["", "a b", "a=b", "a;b", "a,b", "é", "a\r\nb", "a\0", `"a"`, "(a)", "a/b"]
    .map((name): [object, string] => [{ name }, WANT_TOKEN]),
  [{ name: 1 }, `"name" must be a string`],
  [{ name: null }, `"name" must be a string`],
  ...[
    "x.com; Path=/evil",
    "x.com;",
    "x.com\r\nSet-Cookie: a=b",
    "x .com",
    "x..com",
    "-x.com",
    "x.com-",
    "x.com.",
    "",
    ".",
    "x.com:80",
    "https://x.com",
    "x_y.com",
    "é.com",
    `${"a".repeat(250)}.com`,
  ].map((domain): [object, string] => [{ domain }, WANT_HOST]),
  [{ domain: 1 }, `"domain" must be a string`],
  [{ domain: null }, `"domain" must be a string`],
  ...["", "x", "/;", "/a; Domain=evil", "/\r\n", "/\0", "/é", "/\x7f"]
    .map((path): [object, string] => [{ path }, WANT_PATH]),
  [{ path: `/${"a".repeat(1_024)}` }, WANT_PATH],
  [{ path: 1 }, `"path" must be a string`],
  [{ path: null }, `"path" must be a string`],
  ...["lax", "LAX", "", "Lax; Secure", true, null, 1]
    .map((sameSite): [object, string] => [
      { sameSite },
      `"sameSite" must be "Strict", "Lax" or "None"`,
    ]),
  ...["secure", "partitioned", "persistent"].flatMap((name) =>
    [null, 1, "true", {}].map((value): [object, string] => [
      { [name]: value },
      `"${name}" must be a boolean`,
    ])
  ),
  // what contradicts itself
  [{ sameSite: "None", secure: false }, WANT_SECURE],
  [{ partitioned: true, secure: false }, WANT_SECURE],
  [{ name: "__Host-x", secure: false }, WANT_SECURE],
  [{ name: "__Secure-x", secure: false }, WANT_SECURE],
  [{ name: "__host-x", secure: false }, WANT_SECURE],
  [{ name: "__SECURE-x", secure: false }, WANT_SECURE],
  [{ name: "__Host-x", domain: "x.com" }, WANT_NO_DOMAIN],
  [{ name: "__Host-x", path: "/app" }, WANT_NO_DOMAIN],
  [{ name: "__HOST-x", path: "/app" }, WANT_NO_DOMAIN],
  [{ name: "__Host-session", domain: "x.com", path: "/" }, WANT_NO_DOMAIN],
  // no option
  ...["maxAge", "expires", "httpOnly", "Name", "value", "samesite"]
    .map((name): [object, string] => [{ [name]: 1 }, `received "${name}"`]),
];

for (const [cookie, message] of BAD_COOKIES) {
  const shown = Deno.inspect(cookie, { breakLength: Infinity }).slice(0, 90);
  Deno.test(`R43 cookieTransport() refuses ${shown}`, () => {
    const bad = cookie as CookieOptions;
    const makers = [
      () => cookieTransport(bad),
      () => new SessionManager({ cookie: bad }),
      () => withSession(() => OK, { cookie: bad }),
    ];
    for (const make of makers) {
      const error = assertThrows(make, TypeError, message);
      assert(error.message.startsWith("Cannot create cookieTransport: "));
      assert(/: received ./.test(error.message), error.message);
    }
  });
}

/** Sees what a manager with these options does with a session. */
async function firstCookie(options: SessionOptions): Promise<string> {
  const sessions = new SessionManager({ store: new MemoryStore(), ...options });
  const response = await sessions.handle(get(), (session) => {
    session.set("seen", true);
    return new Response();
  });
  return response.headers.getSetCookie()[0] ?? "";
}

const NAMES: [cookie: CookieOptions, name: string][] = [
  [{}, "__Host-session"],
  [{ path: "/" }, "__Host-session"],
  [{ sameSite: "None", partitioned: true }, "__Host-session"],
  [{ domain: "example.com" }, "__Secure-session"],
  [{ path: "/app" }, "__Secure-session"],
  [{ domain: "example.com", path: "/app" }, "__Secure-session"],
  [{ secure: false }, "session"],
  [{ secure: false, domain: "example.com" }, "session"],
  [{ secure: false, path: "/app" }, "session"],
  [{ name: "sid" }, "sid"],
  [{ name: "sid", domain: "example.com" }, "sid"],
  [{ name: "__Secure-sid", domain: "example.com" }, "__Secure-sid"],
  [{ name: undefined, domain: undefined }, "__Host-session"],
  // as long as they may be
  [{ path: `/${"a".repeat(1_023)}` }, "__Secure-session"],
  [{ domain: `${"a".repeat(249)}.com` }, "__Secure-session"],
];

for (const [cookie, name] of NAMES) {
  const shown = Deno.inspect(cookie, { breakLength: Infinity }).slice(0, 90);
  Deno.test(`R43 the cookie of ${shown} is named ${name}`, async () => {
    assertEquals(cookieTransport(cookie).name, name);
    assert((await firstCookie({ cookie })).startsWith(`${name}=`));
  });
}
