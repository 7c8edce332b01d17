/**
 * `KvStore` on Node.js, with `npm:@deno/kv`.
 */

import { assertEquals, assertMatch } from "@std/assert";
import { TestClient } from "@tessera/session/testing";
import { type NodeFolder, nodeFolder, run, startNode } from "./_node.ts";

let folder: NodeFolder | undefined;
let failure: unknown;

Deno.test.beforeAll(async () => {
  try {
    folder = await nodeFolder();
  } catch (error) {
    failure = error;
  }
});

Deno.test.afterAll(async () => {
  await folder?.[Symbol.asyncDispose]();
});

function installed(): NodeFolder {
  if (folder === undefined) throw failure;
  return folder;
}

/** Starts a bundled server; resolves to where it listens, and how to end it. */
async function serve(
  file: string,
  database: string,
): Promise<AsyncDisposable & { readonly url: string }> {
  const child = startNode([file], { PORT: "0", KV_PATH: database });
  const reader = child.stdout.pipeThrough(
    new TextDecoderStream() as ReadableWritablePair<
      string,
      Uint8Array<ArrayBuffer>
    >,
  ).getReader();
  const stop = async () => {
    try {
      child.kill("SIGTERM");
    } catch {
      // It has ended by itself.
    }
    await child.status;
    await reader.cancel();
  };
  let output = "";
  while (!output.includes("\n")) {
    const { done, value } = await reader.read();
    if (done) {
      await stop();
      throw new Error(`${file} ended before it listened`);
    }
    output += value;
  }
  assertMatch(output, /^Listening on http:\/\/localhost:\d+\n$/);
  const url = output.replace("Listening on ", "").trim();
  return { url, [Symbol.asyncDispose]: stop };
}

/** A client of its own, with cookies as a browser keeps them. */
function newClient(url: string): TestClient {
  return new TestClient(
    (request) => fetch(request, { redirect: "manual" }),
    { origin: url },
  );
}

async function count(client: TestClient): Promise<number> {
  const response = await client.get("/");
  assertEquals(response.status, 200);
  return (await response.json()).count;
}

Deno.test("KvStore on Node.js passes the conformance suite", async () => {
  const { path, bundle } = installed();
  const file = await bundle("tests/stores/_node_conformance.ts");
  const output = await run("node", [
    ...["--test", "--test-reporter=tap", file],
  ], path);
  const summary = Object.fromEntries(
    [...output.matchAll(/^# (tests|pass|fail|cancelled|skipped) (\d+)$/gm)]
      .map(([, name, count]) => [name, Number(count)]),
  );
  const { tests } = summary;
  assertEquals(summary, {
    tests,
    pass: tests,
    fail: 0,
    cancelled: 0,
    skipped: 0,
  });
  assertEquals(tests > 50, true, output);
});

Deno.test("examples/node.ts counts for each client on Node.js, across a restart too", async () => {
  const { path, bundle } = installed();
  const file = await bundle("examples/node.ts");
  const database = `${path}/sessions.db`;
  const clients: TestClient[] = [];
  let cookies = 0;
  {
    await using server = await serve(file, database);
    const [ada, bob] = [newClient(server.url), newClient(server.url)];
    clients.push(ada);
    assertEquals(await count(ada), 0);
    assertEquals(await count(ada), 1);
    assertEquals(await count(bob), 0);

    const first = await fetch(server.url);
    assertEquals(await first.json(), { count: 0 });
    cookies = first.headers.getSetCookie().length;
    assertMatch(
      first.headers.getSetCookie()[0] ?? "",
      /^__Host-session=[\w-]+\.[\w-]{43}; Secure; HttpOnly; Max-Age=\d+; SameSite=Lax; Path=\/$/,
    );
    assertEquals(first.headers.get("vary"), "Cookie");
    const missing = await fetch(`${server.url}/missing`, { method: "POST" });
    assertEquals([missing.status, await missing.text()], [404, "Not found\n"]);
  }
  assertEquals(cookies, 1);

  const [ada] = clients;
  const cookie = `__Host-session=${ada?.cookie("__Host-session")?.value}`;
  await using server = await serve(file, database);
  const again = await fetch(server.url, { headers: { cookie } });
  assertEquals(await again.json(), { count: 2 });
  const foreign = await fetch(`${server.url}/logout`, {
    method: "POST",
    headers: { cookie, "sec-fetch-site": "cross-site" },
  });
  await foreign.body?.cancel();
  assertEquals(foreign.status, 403);
  const out = await fetch(`${server.url}/logout`, {
    method: "POST",
    headers: { cookie },
    body: "ignored",
  });
  assertEquals(await out.text(), "Signed out\n");
  assertMatch(out.headers.getSetCookie()[0] ?? "", /^__Host-session=; /);
  const after = await fetch(server.url, { headers: { cookie } });
  assertEquals(await after.json(), { count: 0 });
});

Deno.test("4 processes × 250 increments on Node.js = 1,000", async () => {
  const { path, bundle } = installed();
  const file = await bundle("tests/stores/_node_racer.ts");
  const database = `${path}/race.db`;
  const race = (...args: string[]) =>
    run("node", [file, database, ...args], path);
  const cookie = await race();
  const outputs = await Promise.all(
    Array.from({ length: 4 }, () => race(cookie, "250")),
  );
  assertEquals(outputs.map((output) => output.split("\n").length - 1), [
    ...Array(4).fill(250),
  ]);
  assertEquals(await race(cookie), "1000");
});

Deno.test("a process on Node.js that is killed loses nothing that it acknowledged", async () => {
  const { path, bundle } = installed();
  const file = await bundle("tests/stores/_node_racer.ts");
  const database = `${path}/kill.db`;
  const cookie = await run("node", [file, database], path);
  let acknowledged = 0;
  for (let round = 0; round < 3; round++) {
    const child = startNode([file, database, cookie, "100000"], {});
    const enough = acknowledged + 100;
    let killed = false;
    for await (const chunk of child.stdout) {
      acknowledged += chunk.filter((byte) => byte === ".".charCodeAt(0)).length;
      if (killed || acknowledged < enough) continue;
      killed = true;
      child.kill("SIGKILL");
    }
    await child.status;
  }
  const count = Number(await run("node", [file, database, cookie], path));
  // what was under way when it was killed may have been written: ten requests at a time
  assertEquals(
    count >= acknowledged && count <= acknowledged + 30,
    true,
    `${count} of ${acknowledged}`,
  );
});
