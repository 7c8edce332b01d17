/**
 * The examples that stay connected, used over real connections.
 */

import { assert, assertEquals } from "@std/assert";
import { FileStore } from "../examples/custom_store.ts";
import { rawRequest } from "./_helpers.ts";
import {
  newClient,
  type Program,
  startProgram,
  temporaryDatabase,
} from "./_program.ts";

/**
 * Starts an example on a free port, with a database of its own, which fails while
 * there is a file beside it whose name ends in `.fails`.
 */
function startExample(name: string, database: string): Promise<Program> {
  return startProgram([
    "-A",
    "--unstable-kv",
    "--preload=tests/_failing_kv.ts",
    `examples/${name}.ts`,
  ], {
    DENO_SERVE_ADDRESS: "tcp:127.0.0.1:0",
    DENO_KV_DEFAULT_PATH: database,
    KV_FAILS: `${database}.fails`,
  });
}

/** Waits for a response, and returns its status. */
async function statusOf(response: Promise<Response>): Promise<number> {
  const { body, status } = await response;
  await body?.cancel();
  return status;
}

/** Opens `/`, and returns the cookie that came with it, as a header. */
async function visit(program: Program) {
  const client = newClient(program);
  const page = await client.get("/");
  assertEquals(page.status, 200);
  assert((await page.text()).includes("<!doctype html>"));
  const [cookie] = client.cookies;
  return { client, cookie: `${cookie?.name}=${cookie?.value}` };
}

Deno.test("examples/sse.ts tells the time until the session ends, and says how", async () => {
  await using database = await temporaryDatabase();
  await using program = await startExample("sse", database.path);
  assertEquals(await statusOf(newClient(program).get("/events")), 204);

  const { client } = await visit(program);
  const events = await client.get("/events");
  assertEquals(events.headers.get("content-type"), "text/event-stream");
  const reader = events.body?.pipeThrough(
    new TextDecoderStream() as ReadableWritablePair<
      string,
      Uint8Array<ArrayBuffer>
    >,
  ).getReader();
  assert((await reader?.read())?.value?.startsWith("data: "));
  // a second page, closed again: nothing of it is left to fail later
  const second = await client.get("/events");
  await second.body?.cancel();
  assertEquals(await statusOf(client.post("/logout")), 303);
  let last = "";
  for (let text; (text = (await reader?.read())?.value) !== undefined;) {
    last = text;
  }
  assertEquals(last, "event: end\ndata: logout\n\n");
  assertEquals(await statusOf(newClient(program).get("/nowhere")), 404);
});

Deno.test("examples/websocket.ts counts messages, and closes when the session ends", async () => {
  await using database = await temporaryDatabase();
  await using program = await startExample("websocket", database.path);
  const url = `${program.url.replace("http", "ws")}/socket`;
  const { client, cookie } = await visit(program);
  const socket = new WebSocket(url, { headers: { cookie } });
  const next = () =>
    new Promise<string>((resolve, reject) => {
      socket.addEventListener("message", ({ data }) => resolve(data), {
        once: true,
      });
      socket.addEventListener("error", () => reject(new Error("no socket")));
    });
  const closed = new Promise<CloseEvent>((resolve) => {
    socket.addEventListener("close", resolve);
  });
  await new Promise((resolve) => socket.addEventListener("open", resolve));
  for (const n of [1, 2]) {
    const answer = next();
    socket.send("hello");
    assertEquals(await answer, `message ${n}: hello`);
  }
  // messages that are under way when the session ends harm nobody
  for (let n = 0; n < 20; n++) socket.send("late");
  assertEquals(await statusOf(client.post("/logout")), 303);
  const { code, reason } = await closed;
  assertEquals([code, reason], [3000, "session ended: logout"]);
  assertEquals(await statusOf(newClient(program).get("/")), 200);

  const upgrade = [
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    `Cookie: ${cookie}`,
  ];
  const start = "GET /socket HTTP/1.1";
  const port = Number(new URL(program.url).port);
  const ended = await rawRequest(port, upgrade, start);
  assertEquals(ended.status, 400);
  const evil = [...upgrade, "Origin: https://evil.example"];
  assertEquals((await rawRequest(port, evil, start)).status, 403);
});

Deno.test("examples/websocket.ts closes a socket when the store fails, and goes on", async () => {
  await using database = await temporaryDatabase();
  await using program = await startExample("websocket", database.path);
  const { client, cookie } = await visit(program);
  const socket = new WebSocket(
    `${program.url.replace("http", "ws")}/socket`,
    { headers: { cookie } },
  );
  const closed = new Promise<CloseEvent>((resolve) => {
    socket.addEventListener("close", resolve);
  });
  await new Promise((resolve) => socket.addEventListener("open", resolve));

  await Deno.writeTextFile(`${database.path}.fails`, "");
  socket.send("hello");
  const { code } = await closed;
  await Deno.remove(`${database.path}.fails`);

  assertEquals(code, 1011, program.output);
  assertEquals(await statusOf(client.get("/")), 200);
});

Deno.test("examples/custom_store.ts counts, and goes on counting after a restart", async () => {
  await using database = await temporaryDatabase();
  let cookie = "";
  for (const expected of ["1", "2"]) {
    await using program = await startProgram(
      ["-A", "examples/custom_store.ts", database.path],
      { DENO_SERVE_ADDRESS: "tcp:127.0.0.1:0" },
    );
    const response = await fetch(program.url, { headers: { cookie } });
    assertEquals(await response.text(), expected);
    cookie = response.headers.getSetCookie()[0]?.split(";")[0] ?? cookie;
  }
  const rows = await Array.fromAsync(new FileStore(database.path).list());
  assertEquals(rows.length, 1);
});
