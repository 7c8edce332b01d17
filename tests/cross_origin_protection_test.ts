import { assertEquals, assertThrows } from "@std/assert";
import {
  crossOriginProtection,
  MemoryStore,
  withSession,
} from "@tessera/session";
import { rawRequest, serve } from "./_helpers.ts";

/** A request and whether it may pass, at https://example.com. */
interface Case {
  readonly method?: string;
  readonly site?: string;
  readonly origin?: string;
  readonly host?: string;
  readonly url?: string;
  readonly upgrade?: string;
  readonly passes: boolean;
}

const TRUSTED = ["https://app.example.net", "http://localhost:3000"];

const handler = crossOriginProtection(() => new Response("done"), {
  trustedOrigins: TRUSTED,
});

async function check(table: readonly Case[]): Promise<void> {
  for (const row of table) {
    const { method = "POST", url = "https://example.com/form" } = row;
    const headers = new Headers();
    if (row.site !== undefined) headers.set("sec-fetch-site", row.site);
    if (row.origin !== undefined) headers.set("origin", row.origin);
    if (row.host !== undefined) headers.set("host", row.host);
    if (row.upgrade !== undefined) headers.set("upgrade", row.upgrade);
    const response = await handler(new Request(url, { method, headers }));
    assertEquals(
      [response.status, await isDone(response)],
      row.passes ? [200, true] : [403, false],
      JSON.stringify(row),
    );
  }
}

async function isDone(response: Response): Promise<boolean> {
  return await response.text() === "done";
}

Deno.test("R58 Sec-Fetch-Site decides where a browser sends it", () =>
  check([
    { site: "same-origin", passes: true },
    { site: "none", passes: true },
    { site: "cross-site", passes: false },
    { site: "same-site", passes: false },
    { site: "Same-Origin", passes: false },
    { site: "same-origin, cross-site", passes: false },
    { site: "unheard-of", passes: false },
    // whatever Origin says beside it
    { site: "same-origin", origin: "https://evil.example", passes: true },
    { site: "cross-site", origin: "https://example.com", passes: false },
    { site: "same-site", origin: "https://www.example.com", passes: false },
  ]));

Deno.test("R58 safe methods pass from anywhere, and no other does", () =>
  check([
    ...["GET", "HEAD", "OPTIONS"].map((method) => ({
      method,
      site: "cross-site",
      origin: "https://evil.example",
      passes: true,
    })),
    ...["POST", "PUT", "PATCH", "DELETE", "QUERY", "FROB"].map(
      (method) => ({ method, site: "cross-site", passes: false }),
    ),
    ...["PUT", "DELETE"].map((method) => ({
      method,
      site: "same-origin",
      passes: true,
    })),
  ]));

Deno.test("R58 without Sec-Fetch-Site the host of Origin must be the host of the request", () =>
  check([
    { passes: true }, // curl, an app, a server
    { site: "", passes: true },
    { origin: "", passes: true },
    { origin: "https://example.com", passes: true },
    { origin: "https://example.com", host: "example.com", passes: true },
    // behind a proxy that ends TLS the scheme differs, and Go does not look at it
    { origin: "http://example.com", passes: true },
    { origin: "https://evil.example", passes: false },
    { origin: "https://www.example.com", passes: false },
    { origin: "https://example.com.evil.example", passes: false },
    { origin: "https://evilexample.com", passes: false },
    { origin: "https://example.com:8443", passes: false },
    { origin: "https://example.com@evil.example", passes: false },
    { origin: "https://evil.example/example.com", passes: false },
    { origin: "https://evil.example#example.com", passes: false },
    { origin: "https://example.com/", passes: false },
    { origin: "null", passes: false },
    { origin: "example.com", passes: false },
    { origin: "//example.com", passes: false },
    { origin: "://example.com", passes: false },
    // the Host header counts, and the URL where there is none
    { origin: "https://b.test", host: "b.test", passes: true },
    { origin: "https://example.com", host: "b.test", passes: false },
    {
      origin: "http://127.0.0.1:8000",
      url: "http://127.0.0.1:8000/",
      passes: true,
    },
    {
      origin: "http://127.0.0.1:8001",
      url: "http://127.0.0.1:8000/",
      passes: false,
    },
    {
      origin: "http://[::1]:8000",
      url: "http://[::1]:8000/",
      passes: true,
    },
  ]));

Deno.test("R58 a trusted origin passes, to the letter and no other", () =>
  check([
    { origin: "https://app.example.net", passes: true },
    { origin: "https://app.example.net", site: "cross-site", passes: true },
    { origin: "http://localhost:3000", site: "cross-site", passes: true },
    { origin: "http://app.example.net", site: "cross-site", passes: false },
    { origin: "http://app.example.net", passes: false },
    { origin: "https://app.example.net:444", passes: false },
    { origin: "https://APP.example.net", passes: false },
    { origin: "https://a.app.example.net", passes: false },
    { origin: "https://app.example.net.evil.example", passes: false },
    { origin: "https://app.example.net/", passes: false },
    { origin: "http://localhost", site: "cross-site", passes: false },
    { origin: "", site: "cross-site", passes: false },
  ]));

Deno.test("R58 a WebSocket upgrade is checked by its Origin, although it is a GET", () =>
  check([
    ...["websocket", "WebSocket", "h2c, websocket", "websocket, h2c"].map(
      (upgrade) => ({
        method: "GET",
        upgrade,
        origin: "https://evil.example",
        passes: false,
      }),
    ),
    { method: "GET", upgrade: "websocket", origin: "null", passes: false },
    {
      method: "GET",
      upgrade: "websocket",
      origin: "https://evil.example",
      site: "same-origin",
      passes: false,
    },
    {
      method: "GET",
      upgrade: "websocket",
      origin: "https://example.com",
      site: "cross-site",
      passes: true,
    },
    {
      method: "GET",
      upgrade: "websocket",
      origin: "https://app.example.net",
      passes: true,
    },
    { method: "GET", upgrade: "websocket", passes: true },
    {
      method: "GET",
      upgrade: "h2c",
      origin: "https://evil.example",
      passes: true,
    },
  ]));

Deno.test("crossOriginProtection() answers with a problem, and does not call the handler", async () => {
  let calls = 0;
  const guard = crossOriginProtection((_request, id: number) => {
    calls++;
    return Response.json(id);
  });
  const request = (site: string) =>
    new Request("https://example.com/", {
      method: "POST",
      headers: { "sec-fetch-site": site },
    });
  const refused = await guard(request("cross-site"), 7);
  assertEquals(refused.headers.get("content-type"), "application/problem+json");
  assertEquals((await refused.json()).status, 403);
  assertEquals(calls, 0);
  assertEquals(await (await guard(request("none"), 7)).json(), 7);
  assertEquals(calls, 1);
});

Deno.test("crossOriginProtection() around withSession keeps a forged request from the session", async () => {
  const server = serve(
    crossOriginProtection(withSession((_request, session) => {
      session.update<number>("n", (n = 0) => n + 1);
      return Response.json(session.get("n"));
    }, { store: new MemoryStore(), cookie: { secure: false } })),
  );
  const { port } = server.addr;
  const post = "POST / HTTP/1.1";
  const forged = ["Origin: https://evil.example", "Content-Length: 0"];
  const refused = await rawRequest(port, forged, post);
  assertEquals(refused.status, 403);
  assertEquals(refused.lines.filter((line) => /^set-cookie/i.test(line)), []);
  const own = ["Origin: http://localhost", "Content-Length: 0"];
  assertEquals((await rawRequest(port, own, post)).status, 200);
  const upgrade = [
    "Origin: https://evil.example",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  ];
  assertEquals((await rawRequest(port, upgrade)).status, 403);
  await server.shutdown();
});

Deno.test("crossOriginProtection() says at once which origin is none, or none that a browser sends", () => {
  const make = (trustedOrigins: unknown) => () =>
    Reflect.apply(crossOriginProtection, undefined, [
      () => new Response(),
      { trustedOrigins },
    ]);
  const bad = [
    "",
    "null",
    "example.com",
    "https://",
    "https://example.com/",
    "https://example.com/path",
    "https://example.com?q=1",
    "https://example.com#top",
    "https://user@example.com",
    "https://ex ample.com",
    "https://EXAMPLE.com",
    "https://example.com:443",
    "http://example.com:80",
    "*",
    "https://*.example.com ",
    "https://*.example.com",
    "https://*",
    "app://*",
    7,
    null,
  ];
  for (const origin of bad) {
    assertThrows(
      make([origin]),
      TypeError,
      `"trustedOrigins" must hold origins`,
      String(origin),
    );
  }
  assertThrows(
    make(["https://*.example.com"]),
    TypeError,
    'as they are matched exactly: received "https://*.example.com"',
  );
  assertThrows(make("https://example.com"), TypeError, "must be a list");
  assertThrows(
    () =>
      Reflect.apply(crossOriginProtection, undefined, [
        () => new Response(),
        { origins: [] },
      ]),
    TypeError,
    `"origins"`,
  );
  for (
    const origin of [
      "https://example.com",
      "https://example.com:8443",
      "http://[::1]:8000",
      "chrome-extension://abcdefghijklmnop",
      "app://obsidian.md",
    ]
  ) make([origin])();
});
