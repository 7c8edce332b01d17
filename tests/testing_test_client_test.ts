import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  TestClient,
  type TestClientOptions,
  TestClock,
} from "../src/testing/mod.ts";

/** A client whose handler sets the cookies that the test hands it. */
class Setter extends TestClient {
  readonly #lines: string[];

  constructor(options?: TestClientOptions) {
    const lines: string[] = [];
    super((request) => {
      const headers = new Headers({
        "x-cookie": request.headers.get("cookie") ?? "none",
      });
      for (const line of lines.splice(0)) headers.append("set-cookie", line);
      return new Response(null, { headers });
    }, options);
    this.#lines = lines;
  }

  /** Lets the handler set cookies. */
  async let(path: string, ...lines: string[]): Promise<void> {
    this.#lines.push(...lines);
    await this.get(path);
  }

  /** Tells what Cookie header a request has. */
  async sent(path: string): Promise<string | null> {
    return (await this.get(path)).headers.get("x-cookie");
  }

  /** The cookies, as `name=value`. */
  get pairs(): string[] {
    return this.cookies.map(({ name, value }) => `${name}=${value}`);
  }
}

/** What a new client keeps of some Set-Cookie lines. */
async function kept(path: string, ...lines: string[]): Promise<string[]> {
  const client = new Setter();
  await client.let(path, ...lines);
  return client.pairs;
}

Deno.test("TestClient keeps a cookie with all its attributes", async () => {
  const clock = new TestClock(1_000);
  const client = new Setter({ clock: clock.now });
  await client.let(
    "/a/b",
    "__Host-id=x; Secure; HttpOnly; Path=/; SameSite=lax; Max-Age=10; Partitioned",
    'b="quoted=2" ; Domain=EXAMPLE.com; samesite=odd',
  );
  assertEquals(client.cookies, [
    {
      name: "__Host-id",
      value: "x",
      domain: "example.com",
      hostOnly: true,
      path: "/",
      secure: true,
      httpOnly: true,
      sameSite: "Lax",
      partitioned: true,
      createdAt: 1_000,
      expiresAt: 11_000,
    },
    {
      name: "b",
      value: '"quoted=2"',
      domain: "example.com",
      hostOnly: false,
      path: "/a",
      secure: false,
      httpOnly: false,
      sameSite: undefined,
      partitioned: false,
      createdAt: 1_000,
      expiresAt: undefined,
    },
  ]);
  assertEquals(client.cookie("b"), client.cookies[1]);
  assertEquals(client.cookie("B"), undefined);
  assertEquals(await client.sent("/a/c"), 'b="quoted=2"; __Host-id=x');
});

Deno.test("TestClient takes names and values as they come", async () => {
  assertEquals(await kept("/", " \t a b \t= c d \t; x"), ["a b=c d"]);
  assertEquals(await kept("/", "a=1=2; Path=/"), ["a=1=2"]);
  assertEquals(await kept("/", "a=%20"), ["a=%20"]);
  assertEquals(await kept("/", "a=\xa0"), ["a=\xa0"]);
  assertEquals(await kept("/", "alone", "=value"), ["=value"]);
  assertEquals(await kept("/", "a="), ["a="]);
  assertEquals(await kept("/", "=", ";", "; Path=/", ""), []);
  assertEquals(await kept("/", "A=1", "a=2", "__proto__=3"), [
    "A=1",
    "a=2",
    "__proto__=3",
  ]);
});

Deno.test("TestClient sends a cookie without a name as its bare value", async () => {
  const client = new Setter();
  await client.let("/", "bare", "a=1");
  assertEquals(await client.sent("/"), "bare; a=1");
});

Deno.test("TestClient ignores cookies with control characters, or too large", async () => {
  assertEquals(
    await kept("/", "a=\x01", "b=\x7f", "c=1\t2", "d=1; Path=/\x1f"),
    [
      "c=1\t2",
    ],
  );
  const value = "x".repeat(4_095);
  assertEquals(await kept("/", `a=${value}`), [`a=${value}`]);
  assertEquals(await kept("/", `ab=${value}`), []);
  const path = `/${"x".repeat(1_023)}`;
  const client = new Setter();
  await client.let("/x/y", `a=1; Path=${path}`, `b=1; Path=${path}x`);
  assertEquals(client.cookies.map((cookie) => cookie.path), [path, "/x"]);
});

Deno.test("TestClient sends cookies to the path they are for, and below", async () => {
  const client = new Setter();
  await client.let(
    "/docs/web/index",
    "none=1",
    "rel=1; Path=docs",
    "empty=1; Path=",
  );
  await client.let(
    "/",
    "docs=1; Path=/docs",
    "slash=1; Path=/docs/",
    "root=1; Path=/",
  );
  assertEquals(
    client.cookies.map(({ name, path }) => [name, path]),
    [
      ["none", "/docs/web"],
      ["rel", "/docs/web"],
      ["empty", "/docs/web"],
      ["docs", "/docs"],
      ["slash", "/docs/"],
      ["root", "/"],
    ],
  );
  assertEquals(
    await client.sent("/docs/web/x?y#z"),
    "none=1; rel=1; empty=1; slash=1; docs=1; root=1",
  );
  assertEquals(await client.sent("/docs/"), "slash=1; docs=1; root=1");
  assertEquals(await client.sent("/docs"), "docs=1; root=1");
  assertEquals(await client.sent("/docsx"), "root=1");
  assertEquals(await client.sent("/Docs"), "root=1");
});

Deno.test("TestClient keeps one path for a page at the root", async () => {
  for (const path of ["/", "/page"]) {
    const client = new Setter();
    await client.let(path, "a=1");
    assertEquals(client.cookie("a")?.path, "/");
  }
});

Deno.test("TestClient sends cookies to the hosts they are for", async () => {
  const client = new Setter();
  await client.let(
    "https://www.example.com/",
    "host=1",
    "own=1; Domain=www.example.com",
    "parent=1; Domain=.example.com",
    "empty=1; Domain=",
    "sub=1; Domain=a.www.example.com",
    "other=1; Domain=example.org",
    "suffix=1; Domain=com",
    "part=1; Domain=ample.com",
  );
  assertEquals(client.pairs, ["host=1", "own=1", "parent=1", "empty=1"]);
  const to = (host: string) => client.sent(`https://${host}/`);
  assertEquals(await to("www.example.com"), "host=1; own=1; parent=1; empty=1");
  assertEquals(await to("a.www.example.com"), "own=1; parent=1");
  assertEquals(await to("example.com"), "parent=1");
  assertEquals(await to("badexample.com"), "none");
  assertEquals(
    await to("www.example.com:8443"),
    "host=1; own=1; parent=1; empty=1",
  );
});

Deno.test("TestClient keeps cookies of a host without a dot, and of an address", async () => {
  const local = new Setter({ origin: "http://localhost:8000" });
  await local.let("/", "a=1; Domain=localhost", "b=1; Secure");
  assertEquals(local.cookies.map(({ hostOnly }) => hostOnly), [true, true]);
  assertEquals(await local.sent("http://localhost:9000/"), "a=1; b=1");
  const address = new Setter({ origin: "http://127.0.0.1" });
  await address.let(
    "/",
    "a=1; Domain=0.0.1",
    "b=1; Domain=127.0.0.1",
    "c=1; Secure",
  );
  assertEquals(address.pairs, ["b=1", "c=1"]);
});

Deno.test("TestClient keeps Secure cookies from insecure pages", async () => {
  const client = new Setter();
  const plain = "http://example.com/";
  await client.let(
    plain,
    "a=1; Secure",
    "b=1; SameSite=None",
    "c=1; Partitioned",
  );
  assertEquals(client.pairs, []);
  await client.let("/", "id=safe; Secure; Path=/x", "open=1");
  await client.let(plain, "open=2", "id=evil; Path=/x/y", "id=other; Path=/z");
  assertEquals(client.pairs, ["id=safe", "open=2", "id=other"]);
  assertEquals(await client.sent("http://example.com/x"), "open=2");
  assertEquals(await client.sent("/x"), "id=safe; open=2");
  for (const host of ["localhost", "x.localhost", "127.0.0.1", "[::1]"]) {
    assertEquals(await kept(`http://${host}/`, "a=1; Secure"), ["a=1"], host);
  }
  for (const host of ["xlocalhost", "localhost.example.com", "128.0.0.1"]) {
    assertEquals(await kept(`http://${host}/`, "a=1; Secure"), [], host);
  }
});

Deno.test("TestClient ignores SameSite=None and Partitioned without Secure", async () => {
  assertEquals(
    await kept(
      "/",
      "a=1; SameSite=None",
      "b=1; Partitioned",
      "c=1; SameSite=None; Secure",
      "d=1; SameSite=Strict",
    ),
    ["c=1", "d=1"],
  );
});

Deno.test("TestClient ignores cookies that break the promise of their prefix", async () => {
  const bad = [
    "__Host-a=1; Path=/",
    "__Host-a=1; Secure",
    "__Host-a=1; Secure; Path=/x",
    "__Host-a=1; Secure; Path=/; Domain=example.com",
    "__HOST-a=1; Path=/",
    "__Secure-a=1",
    "__secure-a=1",
    "=__Host-a=1; Secure; Path=/",
    "=__Secure-a=1; Secure",
    "__Host-a; Secure; Path=/",
  ];
  assertEquals(await kept("/", ...bad), []);
  const good = [
    "__Host-a=1; Secure; Path=/",
    "__Host-b=1; Secure; Path=/; Domain=",
    "__Secure-a=1; Secure; Domain=example.com; Path=/x",
  ];
  assertEquals((await kept("/", ...good)).length, 3);
});

Deno.test("TestClient lets cookies expire on its clock", async () => {
  const clock = new TestClock(Date.UTC(2030, 0, 1));
  const client = new Setter({ clock: clock.now });
  await client.let(
    "/",
    "age=1; Max-Age=10",
    "date=1; Expires=Tue, 01 Jan 2030 00:00:20 GMT",
    "both=1; Expires=Tue, 01 Jan 2030 00:00:01 GMT; Max-Age=30",
    "last=1; Max-Age=1; Max-Age=40",
    "session=1",
    "bad=1; Max-Age=1.5; Expires=soon",
  );
  const names = () => client.cookies.map(({ name }) => name).join(" ");
  assertEquals(names(), "age date both last session bad");
  clock.advance(9_999);
  assertEquals(names(), "age date both last session bad");
  clock.advance(1);
  assertEquals(names(), "date both last session bad");
  clock.advance({ seconds: 10 });
  assertEquals(await client.sent("/"), "both=1; last=1; session=1; bad=1");
  clock.advance({ seconds: 20 });
  assertEquals(names(), "session bad");
  clock.advance({ days: 1_000 });
  assertEquals(names(), "session bad");
});

Deno.test("TestClient keeps no cookie longer than 400 days", async () => {
  const clock = new TestClock(0);
  const client = new Setter({ clock: clock.now });
  await client.let(
    "/",
    "a=1; Max-Age=99999999999",
    "b=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT",
  );
  const times = client.cookies.map(({ expiresAt }) => expiresAt);
  assertEquals(times, [34_560_000_000, 34_560_000_000]);
});

Deno.test("TestClient reads dates as browsers do", async () => {
  const table: [string, string | undefined][] = [
    ["Sun, 06 Nov 1994 08:49:37 GMT", undefined],
    ["Sun, 06 Nov 2094 08:49:37 GMT", undefined],
    ["Tue, 01 Jan 2030 00:00:20 GMT", "2030-01-01T00:00:20.000Z"],
    ["Tuesday, 01-Jan-30 00:00:20 GMT", "2030-01-01T00:00:20.000Z"],
    ["1 jan 2030 0:0:20", "2030-01-01T00:00:20.000Z"],
    ["1 jan 00 0:0:20", undefined],
    ["1 jan 69 0:0:20", "2031-01-05T00:00:00.000Z"],
    ["1 jan 70 0:0:20", undefined],
    ["1 jan 99 0:0:20", undefined],
    ["2030 January 01th 00:00:20x", "2030-01-01T00:00:20.000Z"],
    ["Tue Jan  1 00:00:20 2030", "2030-01-01T00:00:20.000Z"],
    ["Tue, 32 Jan 2030 00:00:20 GMT", "session"],
    ["Tue, 31 Feb 2030 00:00:20 GMT", "session"],
    ["Tue, 01 Jan 1600 00:00:20 GMT", "session"],
    ["Tue, 01 Jan 2030 24:00:00 GMT", "session"],
    ["Tue, 01 Jan 2030 00:60:00 GMT", "session"],
    ["Tue, 01 Jan 2030 00:00:60 GMT", "session"],
    ["Tue, 01 Jan 2030", "session"],
    ["01 2030 00:00:20", "session"],
    ["Jan 2030 00:00:20", "session"],
    ["01 Jan 00:00:20", "session"],
    ["0", "session"],
    ["", "session"],
  ];
  for (const [text, expected] of table) {
    const client = new Setter({ clock: () => Date.UTC(2029, 11, 1) });
    await client.let("/", `a=1; Expires=${text}`);
    const cookie = client.cookie("a");
    const time = cookie?.expiresAt;
    const actual = !cookie
      ? undefined
      : time === undefined
      ? "session"
      : new Date(time).toISOString();
    // What is over 400 days away is cut.
    const cut = text.includes("2094") ? "2031-01-05T00:00:00.000Z" : expected;
    assertEquals(actual, cut, text);
  }
});

Deno.test("TestClient deletes a cookie that is set anew in the past", async () => {
  const client = new Setter();
  for (
    const past of [
      "Max-Age=0",
      "Max-Age=-1",
      "Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    ]
  ) {
    await client.let("/x/", "a=1; Path=/", "a=2", "b=3; Path=/");
    await client.let("/x/", `a=; Path=/; ${past}`);
    assertEquals(client.pairs, ["a=2", "b=3"]);
    await client.let("/", `b=; Path=/; Domain=example.com; ${past}`);
    assertEquals(client.pairs, ["a=2", "b=3"]);
    client.clear();
    assertEquals(client.pairs, []);
  }
});

Deno.test("TestClient keeps the place of a cookie that is replaced", async () => {
  const clock = new TestClock(0);
  const client = new Setter({ clock: clock.now });
  await client.let("/", "a=1", "b=1", "c=1; Max-Age=5");
  clock.advance(1);
  await client.let("/", "a=2", "d=1");
  assertEquals(await client.sent("/"), "a=2; b=1; c=1; d=1");
  assertEquals(client.cookies.map(({ createdAt }) => createdAt), [0, 0, 0, 1]);
  clock.advance({ seconds: 5 });
  await client.let("/", "c=2");
  assertEquals(await client.sent("/"), "a=2; b=1; d=1; c=2");
  assertEquals(client.cookie("c")?.createdAt, 5_001);
});

Deno.test("TestClient.restart() forgets what ends with the browser", async () => {
  const client = new Setter();
  await client.let("/", "a=1", "b=1; Max-Age=60");
  client.restart();
  assertEquals(client.pairs, ["b=1"]);
});

Deno.test("TestClient sends a Cookie header that is given in place of its own", async () => {
  const client = new Setter();
  await client.let("/", "a=1");
  const headers = { cookie: "forged" };
  const response = await client.get("/", { headers });
  assertEquals(response.headers.get("x-cookie"), "forged");
  const request = new Request("https://example.com/", { headers });
  assertEquals((await client.fetch(request)).headers.get("x-cookie"), "forged");
  assertEquals(await client.sent("/"), "a=1");
});

Deno.test("TestClient.fetch() takes paths, URLs and requests", async () => {
  const client = new TestClient(
    async (request) =>
      Response.json([request.method, request.url, await request.text()]),
    { origin: "http://localhost:8000" },
  );
  const url = "http://localhost:8000/a?b";
  const json = async (response: Promise<Response>) =>
    await (await response).json();
  assertEquals(await json(client.fetch("/a?b")), ["GET", url, ""]);
  assertEquals(await json(client.fetch(new URL(url))), ["GET", url, ""]);
  assertEquals(
    await json(client.fetch(new Request(url, { method: "PUT", body: "x" }))),
    ["PUT", url, "x"],
  );
  assertEquals(
    await json(client.fetch("/a?b", { method: "PUT", body: "x" })),
    ["PUT", url, "x"],
  );
  assertEquals(await json(client.post("/a?b")), ["POST", url, ""]);
  assertEquals(await json(client.post("/a?b", "x")), ["POST", url, "x"]);
});

Deno.test("TestClient runs parallel requests, storing cookies as they arrive", async () => {
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const seen: (string | null)[] = [];
  const client = new TestClient(async (request) => {
    const n = Number(new URL(request.url).pathname.slice(1));
    seen.push(request.headers.get("cookie"));
    await gates[n]?.promise;
    return new Response(null, { headers: { "set-cookie": `a=${n}` } });
  });
  const first = client.get("/0");
  const second = client.get("/1");
  gates[1]?.resolve();
  await second;
  assertEquals(client.cookie("a")?.value, "1");
  gates[0]?.resolve();
  await first;
  assertEquals(client.cookie("a")?.value, "0");
  assertEquals(seen, [null, null]);
});

Deno.test("TestClient passes on what the handler throws, and keeps its cookies", async () => {
  const client = new TestClient(({ url }) => {
    if (url.endsWith("/bad")) throw new Error("from the handler");
    return new Response(null, { headers: { "set-cookie": "a=1" } });
  });
  await client.get("/");
  await assertRejects(() => client.get("/bad"), Error, "from the handler");
  assertEquals(client.cookies.length, 1);
});

/** Redirects from `/<status>` to `/end`, which tells what it was sent. */
async function redirecting(request: Request): Promise<Response> {
  const status = Number(new URL(request.url).pathname.slice(1));
  if (status) {
    return new Response(status === 304 ? null : "moved", {
      status,
      headers: { location: "end?x", "set-cookie": "seen=1" },
    });
  }
  const { method, url, headers } = request;
  const body = await request.text();
  const names = ["cookie", "content-type", "authorization"];
  const sent = names.map((name) => headers.get(name));
  return Response.json({ method, url, body, sent });
}

Deno.test("TestClient returns redirects unless asked to follow them", async () => {
  const client = new TestClient(redirecting);
  const response = await client.post("/303", "x");
  assertEquals(response.status, 303);
  assertEquals(await response.text(), "moved");
  const followed = await client.post("/303", "x", { redirect: "follow" });
  assertEquals(followed.status, 200);
  await assertRejects(
    () => client.get("/303", { redirect: "error" }),
    TypeError,
    "Cannot fetch https://example.com/303: want no redirect: received one",
  );
});

Deno.test("TestClient follows redirects as browsers do", async () => {
  const url = "https://example.com/end?x";
  const authorization = "Bearer x";
  const sent = ["seen=1", null, authorization];
  const sentAll = ["seen=1", "text/plain;charset=UTF-8", authorization];
  const table: [number, string, object][] = [
    [301, "POST", { method: "GET", url, body: "", sent }],
    [302, "POST", { method: "GET", url, body: "", sent }],
    [303, "POST", { method: "GET", url, body: "", sent }],
    [303, "PUT", { method: "GET", url, body: "", sent }],
    [302, "PUT", { method: "PUT", url, body: "x", sent: sentAll }],
    [307, "POST", { method: "POST", url, body: "x", sent: sentAll }],
    [308, "POST", { method: "POST", url, body: "x", sent: sentAll }],
    [307, "GET", { method: "GET", url, body: "", sent }],
    [303, "GET", { method: "GET", url, body: "", sent }],
    [303, "HEAD", { method: "HEAD", url, body: "", sent }],
  ];
  for (const [status, method, expected] of table) {
    const client = new TestClient(redirecting);
    const response = await client.fetch(`/${status}`, {
      method,
      redirect: "follow",
      headers: { authorization },
      ...(method !== "GET" && method !== "HEAD" && { body: "x" }),
    });
    assertEquals(await response.json(), expected, `${status} ${method}`);
  }
});

Deno.test("TestClient follows a redirect to another origin without credentials", async () => {
  const client = new TestClient(({ url, headers }) =>
    url.startsWith("https://example.com/")
      ? new Response(null, {
        status: 302,
        headers: { location: "https://other.example/", "set-cookie": "a=1" },
      })
      : Response.json([headers.get("cookie"), headers.get("authorization")])
  );
  const response = await client.get("/", {
    redirect: "follow",
    headers: { authorization: "Bearer x", cookie: "given=1" },
  });
  assertEquals(await response.json(), [null, null]);
});

Deno.test("TestClient follows redirects though nobody reads the bodies", async () => {
  for (const status of [303, 307]) {
    const client = new TestClient(({ url }) =>
      url.endsWith("/end") ? new Response("end") : new Response(
        new Blob(["moved"]).stream().tee()[0],
        { status, headers: { location: "/end" } },
      )
    );
    const body = new Blob(["x".repeat(100_000)]).stream();
    const response = await client.post("/", body, {
      redirect: "follow",
      ...{ duplex: "half" },
    });
    assertEquals(await response.text(), "end");
  }
});

Deno.test("TestClient gives up after 20 redirects", async () => {
  let requests = 0;
  const client = new TestClient(() => {
    requests++;
    return new Response(null, { status: 302, headers: { location: "/" } });
  });
  await assertRejects(
    () => client.get("/", { redirect: "follow" }),
    TypeError,
    "want at most 20 redirects",
  );
  assertEquals(requests, 21);
});

Deno.test("TestClient follows nothing without a Location, nor a 304", async () => {
  const client = new TestClient(({ url }) =>
    new Response(null, {
      status: url.endsWith("/304") ? 304 : 302,
      headers: url.endsWith("/304") ? { location: "/" } : {},
    })
  );
  assertEquals(
    (await client.post("/", "x", { redirect: "follow" })).status,
    302,
  );
  assertEquals((await client.get("/304", { redirect: "follow" })).status, 304);
});

Deno.test("TestClient() takes an origin however it is written", async () => {
  for (const origin of ["https://a.b", "https://a.b/", "HTTPS://A.B:443"]) {
    const client = new TestClient(({ url }) => new Response(url), { origin });
    assertEquals(await (await client.get("/x")).text(), "https://a.b/x");
  }
});

Deno.test("TestClient() refuses bad arguments", () => {
  const handler = () => new Response();
  assertThrows(
    () => Reflect.construct(TestClient, []),
    TypeError,
    "want functions as handler and clock: received undefined and function",
  );
  assertThrows(
    () => Reflect.construct(TestClient, [handler, { clock: 1 }]),
    TypeError,
    "received function and number",
  );
  assertThrows(
    () => Reflect.construct(TestClient, [handler, { orign: "https://a.test" }]),
    TypeError,
    'Cannot create TestClient: want an option of origin, clock: received "orign"',
  );
  assertThrows(
    () => Reflect.construct(TestClient, [handler, "https://a.test"]),
    TypeError,
    "want a plain object of options: received string",
  );
  const origins = ["", "example.com", "/", "ftp://example.com", "data:,"];
  // what has more than an origin
  const longer = ["/app", "//", "?a=1", "#a"].map((end) => `https://a.b${end}`);
  for (const origin of [...origins, ...longer, "https://ada:pw@a.b"]) {
    assertThrows(
      () => new TestClient(handler, { origin }),
      TypeError,
      `want an http or https origin without a path: received ${
        JSON.stringify(origin)
      }`,
    );
  }
});
