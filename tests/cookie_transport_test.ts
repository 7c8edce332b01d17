import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type CookieOptions,
  cookieTransport,
  MemoryStore,
  SessionManager,
  SessionTooLargeError,
} from "@tessera/session";
import { TestClient } from "@tessera/session/testing";
import { COOKIE as N, get } from "./_helpers.ts";

/** Header, and the candidates that must be found in it. */
const READ: [header: string, found: string[]][] = [
  ["", []],
  [`${N}=t`, ["t"]],
  [`${N}=`, [""]],
  [N, []],
  [`${N};=t`, []],
  [`a=b; ${N}=t; c=d`, ["t"]],
  [`a=b;${N}=t`, ["t"]],
  [`\t ${N}\t =\t t \t;`, ["t"]],
  [`${N}=a; ${N}=b`, ["a", "b"]],
  [`${N}=1; ${N}=2; ${N}=3; ${N}=4; ${N}=5`, ["1", "2", "3", "4"]],
  [`${N}=a=b==`, ["a=b=="]],
  [`${N}="t"`, [`"t"`]],
  [`${N}=t,u`, ["t,u"]],
  [`${N}=%41`, ["%41"]],
  [`${N}=a b`, ["a b"]],
  [`${N}=\xa0t\xa0`, ["\xa0t\xa0"]],
  [`${N}=__proto__`, ["__proto__"]],
  [`=; =x; ==; ${N}=t; =`, ["t"]],
  [`\xa0${N}=t`, []],
  [`${N}\xa0=t`, []],
  [`x${N}=t; ${N}x=t; ${N}.x=t`, []],
  [`${N.toLowerCase()}=t; ${N.toUpperCase()}=t`, []],
  [`%5F%5FHost-session=t`, []],
  [`a=${N}=t`, []],
  [`a="; ${N}=t`, ["t"]],
  [`${N}==t`, ["=t"]],
];

for (const [header, found] of READ) {
  Deno.test(`cookieTransport().read() finds ${JSON.stringify(found)} in ${JSON.stringify(header)}`, () => {
    assertEquals(cookieTransport().read(get(header)), found);
  });
}

Deno.test("cookieTransport().read() finds nothing without a Cookie header", () => {
  assertEquals(cookieTransport().read(get()), []);
});

Deno.test("cookieTransport().read() reads names that mean something to JavaScript", () => {
  for (const name of ["__proto__", "constructor", "toString", "then"]) {
    const transport = cookieTransport({ name });
    assertEquals(transport.read(get(`${name}=t`)), ["t"]);
    assertEquals(transport.read(get("x=t")), []);
  }
});

const EPOCH = "Expires=Thu, 01 Jan 1970 00:00:00 GMT";

/** Options, and the attributes of the cookie in any order. */
const WRITTEN: [options: CookieOptions, name: string, attributes: string[]][] =
  [
    [{}, N, ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"]],
    [{ secure: false }, "session", ["HttpOnly", "Path=/", "SameSite=Lax"]],
    [
      { sameSite: "Strict", path: "/app" },
      "__Secure-session",
      ["HttpOnly", "Path=/app", "SameSite=Strict", "Secure"],
    ],
    [
      { sameSite: "None", partitioned: true },
      N,
      ["HttpOnly", "Partitioned", "Path=/", "SameSite=None", "Secure"],
    ],
    [
      { domain: "example.com", path: "/app", name: "__Secure-sid" },
      "__Secure-sid",
      ["Domain=example.com", "HttpOnly", "Path=/app", "SameSite=Lax", "Secure"],
    ],
    [
      { domain: ".example.com", secure: false, name: "sid" },
      "sid",
      ["Domain=.example.com", "HttpOnly", "Path=/", "SameSite=Lax"],
    ],
  ];

for (const [options, name, attributes] of WRITTEN) {
  const shown = Deno.inspect(options, { breakLength: Infinity });

  Deno.test(`cookieTransport(${shown}).write() writes each attribute, every time`, () => {
    const transport = cookieTransport(Object.freeze(options));
    assertEquals([transport.name, transport.vary], [name, "Cookie"]);
    for (
      const [lifetime, more] of [
        [60, ["Max-Age=60"]],
        [0, ["Max-Age=0"]],
        [undefined, []],
      ] as const
    ) {
      const headers = new Headers({ "set-cookie": "own=1" });
      transport.write(headers, "token", lifetime);
      const [own, line = "", ...others] = headers.getSetCookie();
      assertEquals([own, others], ["own=1", []]);
      const [pair, ...rest] = line.split("; ");
      assertEquals(pair, `${name}=token`);
      assertEquals(rest.sort(), [...attributes, ...more].sort());
    }
  });

  Deno.test(`cookieTransport(${shown}).clear() repeats each attribute`, () => {
    const transport = cookieTransport(options);
    for (let round = 0; round < 2; round++) {
      const headers = new Headers({ "set-cookie": "own=1" });
      transport.clear(headers);
      const [own, line = "", ...others] = headers.getSetCookie();
      assertEquals([own, others], ["own=1", []]);
      const [pair, ...rest] = line.split("; ");
      assertEquals(pair, `${name}=`);
      assertEquals(rest.sort(), [...attributes, EPOCH, "Max-Age=0"].sort());
    }
  });
}

Deno.test("cookieTransport().write() writes up to 4,096 bytes of name and value", () => {
  const transport = cookieTransport({ name: "sid" });
  const headers = new Headers();
  transport.write(headers, "t".repeat(4_093), undefined);
  assertEquals(headers.getSetCookie().length, 1);
  const error = assertThrows(
    () => transport.write(headers, "t".repeat(4_094), undefined),
    SessionTooLargeError,
    "Cannot send session cookie: name and value must be at most 4096 bytes together: received 4097 bytes",
  );
  assertEquals([error.size, error.limit], [4_097, 4_096]);
  assert(!error.message.includes("tttt"));
  assertEquals(headers.getSetCookie().length, 1, "nothing is half-written");
});

Deno.test("cookieTransport() says whether its cookies persist", () => {
  assertEquals(cookieTransport().persistent, true);
  assertEquals(cookieTransport({ persistent: false }).persistent, false);
});

for (const [options, name] of WRITTEN) {
  const shown = Deno.inspect(options, { breakLength: Infinity });
  Deno.test(`A browser keeps, sends and forgets the cookie of ${shown}`, async () => {
    const sessions = new SessionManager({
      cookie: options,
      store: new MemoryStore(),
    });
    const client = new TestClient(
      (request) =>
        sessions.handle(request, (session) => {
          if (request.method === "POST") session.destroy();
          else session.update<number>("count", (count = 0) => count + 1);
          return Response.json(session.isNew);
        }),
      { origin: "https://example.com" },
    );
    const path = `${options.path ?? ""}/x`;
    assertEquals(await (await client.get(path)).json(), true);
    assertEquals(client.cookie(name)?.httpOnly, true);
    assertEquals(await (await client.get(path)).json(), false);
    await client.post(path);
    assertEquals(client.cookies, []);
    assertEquals(await (await client.get(path)).json(), true);
  });
}
