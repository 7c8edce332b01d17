/**
 * The examples, run by the line on top of each and used over real HTTP.
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
} from "@std/assert";
import { ROOT } from "../tools/std.ts";
import {
  newClient,
  type Program,
  startProgram,
  temporaryDatabase,
} from "./_program.ts";

const COOKIE = "__Host-session";

/**
 * Runs an example with the flags of its run line, on a free port, and with a
 * database of its own in the place of the default one.
 */
async function startExample(path: string, database: string): Promise<Program> {
  const source = await Deno.readTextFile(new URL(path, ROOT));
  const flags = source.match(/^\/\/ deno run (.*) (\S+)\n/);
  assertEquals(flags?.[2], path, "The first line says how to run it");
  return await startProgram([
    ...flags?.[1]?.split(" ") ?? [],
    `--allow-read=${database}`,
    `--allow-write=${database}`,
    path,
  ], {
    DENO_SERVE_ADDRESS: "tcp:127.0.0.1:0",
    DENO_KV_DEFAULT_PATH: database,
  });
}

/** Posts a form as a page of another site would, and returns the status and cookies. */
async function postFromElsewhere(
  { url }: Program,
  path: string,
): Promise<[status: number, cookies: string[]]> {
  const { status, headers, body } = await fetch(url + path, {
    method: "POST",
    headers: {
      origin: "https://evil.example",
      "sec-fetch-site": "cross-site",
    },
    body: new URLSearchParams({ name: "mallory" }),
  });
  await body?.cancel();
  return [status, headers.getSetCookie()];
}

/** The attributes of a Set-Cookie line, sorted, and the pair in front of them. */
function parse(line: string): { pair: string; attributes: string[] } {
  const [pair = "", ...attributes] = line.split("; ");
  return { pair, attributes: attributes.sort() };
}

Deno.test("examples/*.ts have a run line on top and are short", async () => {
  let count = 0;
  for await (
    const { name, isFile } of Deno.readDir(new URL("examples", ROOT))
  ) {
    if (!isFile || !name.endsWith(".ts")) continue;
    const source = await Deno.readTextFile(new URL(`examples/${name}`, ROOT));
    const [first = "", ...rest] = source.split("\n");
    assert(
      first.startsWith("// ") && first.endsWith(` examples/${name}`),
      `examples/${name} does not begin with the command that runs it`,
    );
    const limit = name === "custom_store.ts" ? 65 : 60; // a whole store
    assert(rest.length < limit, `examples/${name} has ${limit} lines or more`);
    count++;
  }
  assert(count >= 2);
});

Deno.test("examples/counter.ts counts for each client, until it signs out", async () => {
  await using database = await temporaryDatabase();
  await using program = await startExample(
    "examples/counter.ts",
    database.path,
  );
  const ada = newClient(program);
  const bob = newClient(program);
  const count = async (client: typeof ada) => {
    const response = await client.get("/");
    assertEquals(response.status, 200);
    return (await response.json()).count;
  };

  assertEquals(await count(ada), 0);
  assertEquals(await count(ada), 1);
  assertEquals(await count(bob), 0);
  const icon = await ada.get("/favicon.ico"); // browsers ask unbidden
  assertEquals([icon.status, await icon.text()], [404, "Not found\n"]);
  assertEquals(await count(ada), 2);
  const before = ada.cookie(COOKIE)?.value;

  const signedOut = await ada.post("/logout");

  assertEquals([signedOut.status, await signedOut.text()], [
    200,
    "Signed out\n",
  ]);
  assertEquals(ada.cookies, []);
  assertEquals(await count(ada), 0);
  assertNotEquals(ada.cookie(COOKIE)?.value, before);
  assertEquals(await count(bob), 1);
  assertEquals(await postFromElsewhere(program, "/logout"), [403, []]);
});

Deno.test("examples/counter.ts sends the cookie once, on the first write", async () => {
  await using database = await temporaryDatabase();
  await using program = await startExample(
    "examples/counter.ts",
    database.path,
  );
  const { url } = program;

  const missing = await fetch(`${url}/elsewhere`);
  await missing.body?.cancel();
  const first = await fetch(url);
  assertEquals(await first.json(), { count: 0 });
  const lines = first.headers.getSetCookie();
  const { pair, attributes } = parse(lines[0] ?? "");
  const second = await fetch(url, { headers: { cookie: pair } });
  assertEquals(await second.json(), { count: 1 });
  const away = await fetch(`${url}/logout`, {
    method: "POST",
    headers: { cookie: pair },
  });
  await away.body?.cancel();
  const cleared = away.headers.getSetCookie();

  assertEquals(missing.headers.getSetCookie(), [], "nothing was stored");
  assertEquals(lines.length, 1);
  assertMatch(pair, /^__Host-session=[\w-]+\.[\w-]{43}$/);
  assertEquals(attributes.filter((name) => !name.startsWith("Max-Age=")), [
    "HttpOnly",
    "Path=/",
    "SameSite=Lax",
    "Secure",
  ]);
  const maxAges = attributes.flatMap((name) =>
    name.match(/^Max-Age=(\d+)$/)?.slice(1).map(Number) ?? []
  );
  assertEquals(maxAges.length, 1);
  const [maxAge = 0] = maxAges; // of 7 days; the request took a moment of them
  assert(maxAge <= 604_800 && maxAge > 604_790, `Max-Age=${maxAge}`);
  assertEquals(first.headers.get("cache-control"), "no-store");
  assertEquals(first.headers.get("vary"), "Cookie");
  assertEquals(second.headers.getSetCookie(), [], "a write in the throttle");
  assertEquals(second.headers.get("cache-control"), null);
  assertEquals(second.headers.get("vary"), "Cookie");
  assertEquals(cleared.length, 1);
  assertEquals(parse(cleared[0] ?? "").pair, "__Host-session=");
  assert(parse(cleared[0] ?? "").attributes.includes("Max-Age=0"));
});

Deno.test("examples/counter.ts keeps its sessions when it is run again", async () => {
  await using database = await temporaryDatabase();
  const start = () => startExample("examples/counter.ts", database.path);
  let cookie = "";
  {
    await using program = await start();
    const response = await fetch(program.url);
    assertEquals(await response.json(), { count: 0 });
    cookie = parse(response.headers.getSetCookie()[0] ?? "").pair;
  }

  await using program = await start();
  const response = await fetch(program.url, { headers: { cookie } });

  assertEquals(await response.json(), { count: 1 });
  assertEquals(response.headers.getSetCookie(), []);
});

Deno.test("examples/login.ts signs in by form, shows who it is, and signs out", async () => {
  await using database = await temporaryDatabase();
  await using program = await startExample("examples/login.ts", database.path);
  const client = newClient(program);
  const signIn = (name: string) =>
    client.post("/login", new URLSearchParams({ name }));
  const see = async () => {
    const response = await client.get("/");
    assertEquals(response.status, 200);
    assertEquals(
      response.headers.get("content-type"),
      "text/html; charset=utf-8",
    );
    return await response.text();
  };

  assertMatch(await see(), /<form method="post" action="\/login">/);
  assertEquals(client.cookies, [], "a look stores nothing");

  const nobody = await signIn("  ");
  assertEquals(nobody.status, 422);
  assertMatch(await nobody.text(), /Who are you\?.*action="\/login"/s);
  assertEquals(client.cookies, []);

  const entered = await signIn(` <b>Ada</b> & "Bob" `);
  assertEquals([entered.status, entered.headers.get("location")], [303, "/"]);
  await entered.body?.cancel();
  const first = client.cookie(COOKIE)?.value;
  const page = await see();
  assert(
    page.includes(
      "You are <b>&#60;b&#62;Ada&#60;/b&#62; &#38; &#34;Bob&#34;</b>",
    ),
    page,
  );
  assertMatch(page, /action="\/logout"/);

  await (await signIn("Bob")).body?.cancel();
  assertMatch(await see(), /You are <b>Bob<\/b>/);
  assertNotEquals(client.cookie(COOKIE)?.value, first, "a new id each time");

  const left = await client.post("/logout");
  assertEquals([left.status, left.headers.get("location")], [303, "/"]);
  await left.body?.cancel();
  assertEquals(client.cookies, []);
  assertMatch(await see(), /action="\/login"/);

  for (const path of ["/login", "/logout"]) {
    assertEquals(await postFromElsewhere(program, path), [403, []]);
  }
  const missing = await client.get("/elsewhere");
  assertEquals(missing.status, 404);
  await missing.body?.cancel();
});

Deno.test("examples/sse.ts ends its stream when the session ends", async () => {
  await using database = await temporaryDatabase();
  await using program = await startExample("examples/sse.ts", database.path);
  const client = newClient(program);
  const anonymous = await client.get("/events");
  await anonymous.body?.cancel();
  await (await client.get("/")).body?.cancel();
  const stream = await client.get("/events");
  const events = stream.body?.pipeThrough(
    new TextDecoderStream() as ReadableWritablePair<
      string,
      Uint8Array<ArrayBuffer>
    >,
  );
  const reader = events?.getReader();
  const first = await reader?.read();

  const signedOut = await client.post("/logout");
  await signedOut.body?.cancel();

  let rest = "";
  while (reader !== undefined) {
    const { done, value } = await reader.read();
    if (done) break;
    rest += value;
  }
  assertEquals(anonymous.status, 204);
  assertEquals(stream.headers.get("content-type"), "text/event-stream");
  assertMatch(first?.value ?? "", /^data: .+\n\n$/);
  assertEquals(signedOut.status, 303);
  assertMatch(rest, /event: end\ndata: logout\n\n$/);
  assertEquals(await postFromElsewhere(program, "/logout"), [403, []]);
});

Deno.test("examples/websocket.ts counts messages, and closes when the session ends", async () => {
  await using database = await temporaryDatabase();
  await using program = await startExample(
    "examples/websocket.ts",
    database.path,
  );
  const client = newClient(program);
  await (await client.get("/")).body?.cancel();
  const cookie = `${COOKIE}=${client.cookie(COOKIE)?.value}`;
  const socket = new WebSocket(`${program.url.replace("http", "ws")}/socket`, {
    headers: { cookie, origin: program.url },
  });
  const next = <Type extends "open" | "message" | "close">(type: Type) =>
    new Promise<WebSocketEventMap[Type]>((resolve, reject) => {
      socket.addEventListener(type, resolve, { once: true });
      socket.addEventListener("error", reject, { once: true });
    });

  await next("open");
  socket.send("hello");
  const { data: hello } = await next("message");
  socket.send("again");
  const { data: again } = await next("message");
  const closing = next("close");
  await (await client.post("/logout")).body?.cancel();
  const timer = setTimeout(() => program.stop(), 10_000); // closes it otherwise
  const { code } = await closing;
  clearTimeout(timer);

  assertEquals([hello, again], ["message 1: hello", "message 2: again"]);
  assertEquals(code, 3000);
  assertEquals(await postFromElsewhere(program, "/logout"), [403, []]);
});
