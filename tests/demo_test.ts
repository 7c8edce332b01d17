/**
 * The demo without a browser: as a program over real HTTP, and in process.
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { MemoryStore, SessionManager } from "@tessera/session";
import { TestClient } from "@tessera/session/testing";
import type { DemoData, DemoFlash } from "../examples/demo/actions.ts";
import { createApp } from "../examples/demo/app.ts";
import { describeDevice } from "../examples/demo/device.ts";
import { ago, inWords } from "../examples/demo/words.ts";
import { newClient, startDemo, temporaryDatabase } from "./_program.ts";

const COOKIE = "__Host-session";

/** The demo in this process. */
function newDemo(): { client: () => TestClient; sessions: DemoSessions } {
  const sessions: DemoSessions = new SessionManager({
    store: new MemoryStore(),
  });
  const app = createApp(sessions);
  return { client: () => new TestClient(app), sessions };
}

type DemoSessions = SessionManager<DemoData, DemoFlash>;

/** The page as a client sees it now. */
async function see(client: TestClient): Promise<string> {
  const response = await client.get("/");
  assertEquals(response.status, 200);
  return await response.text();
}

/** Posts a form, as a button of the page does, and resolves to where it leads. */
async function press(
  client: TestClient,
  path: string,
  fields: Record<string, string> = {},
): Promise<string | null> {
  const response = await client.post(path, new URLSearchParams(fields));
  await response.body?.cancel();
  assertEquals(response.status, 303);
  return response.headers.get("location");
}

function visitsOn(page: string): number {
  return Number(page.match(/id="visits">(\d+)</)?.[1]);
}

function idOn(page: string): string {
  return page.match(/id="session-id">(\w{26})</)?.[1] ?? "";
}

/** The quantities in the cart by the names of the products. */
function cartOn(page: string): Record<string, number> {
  const lines = page.matchAll(/aria-label="(\w+): quantity">(\d+)</g);
  return Object.fromEntries(lines.map(([, name, n]) => [name, Number(n)]));
}

function noticesOn(page: string): string[] {
  return [...page.matchAll(/<p class="notice">(.*?)<\/p>/g)]
    .map(([, notice]) => notice ?? "");
}

function devicesOn(page: string): string[] {
  return [...page.matchAll(/data-session="(\w{26})"/g)].map(([, id]) =>
    id ?? ""
  );
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`demo says where it listens, and ${signal} ends it with code 0`, async () => {
    await using database = await temporaryDatabase();
    await using program = await startDemo(database.path);
    const client = newClient(program);
    const page = await see(client);
    await press(client, "/sign-in", { name: "Ada" });
    const stream = await client.get("/events"); // must not keep it from ending

    const code = await program.stop(signal);

    assertEquals(code, 0);
    assertStringIncludes(
      program.output,
      `Open ${program.url} (Ctrl-C stops)\n`,
    );
    assert(!/error|warning/i.test(program.output), program.output);
    assertStringIncludes(page, "<!doctype html>");
    await stream.body?.cancel().catch(() => {});
  });
}

Deno.test("demo keeps its sessions when it is run again", async () => {
  await using database = await temporaryDatabase();
  let client: TestClient;
  let token = "";
  {
    await using program = await startDemo(database.path);
    client = newClient(program);
    assertEquals(visitsOn(await see(client)), 1);
    await press(client, "/cart/add", { product: "bread" });
    token = client.cookie(COOKIE)?.value ?? "";
    assertEquals(await program.stop("SIGINT"), 0);
  }

  await using program = await startDemo(database.path);
  const response = await fetch(program.url, {
    headers: { cookie: `${COOKIE}=${token}` },
  });
  const page = await response.text();

  assertEquals(visitsOn(page), 2);
  assertEquals(cartOn(page), { Bread: 1 });
  assertEquals(noticesOn(page), ["Bread: added to your cart."]);
  assertEquals(response.headers.getSetCookie(), []);
});

Deno.test("demo counts visits, and changes the cart in place", async () => {
  const client = newDemo().client();

  assertEquals(visitsOn(await see(client)), 1);
  const location = await press(client, "/cart/add", { product: "apples" });
  await press(client, "/cart/add", { product: "bread" });
  await press(client, "/cart/add", { product: "apples" });
  const full = await see(client);
  await press(client, "/cart/less", { product: "apples" });
  await press(client, "/cart/less", { product: "bread" });
  await press(client, "/cart/add", { product: "gold" });
  const less = await see(client);
  await press(client, "/cart/remove", { product: "apples" });
  const empty = await see(client);

  assertEquals(location, "/#cart");
  assertEquals(visitsOn(full), 2);
  assertEquals(cartOn(full), { Apples: 2, Bread: 1 });
  assertStringIncludes(full, `id="total">€8.70<`);
  assertEquals(cartOn(less), { Apples: 1 });
  assertEquals(cartOn(empty), {});
  assertStringIncludes(empty, "There is nothing in it yet.");
});

Deno.test("demo shows a notice once, after the redirect", async () => {
  const client = newDemo().client();
  await press(client, "/cart/add", { product: "coffee" });
  await press(client, "/cart/remove", { product: "coffee" });

  assertEquals(noticesOn(await see(client)), [
    "Coffee: added to your cart.",
    "Coffee: removed from your cart.",
  ]);
  assertEquals(noticesOn(await see(client)), []);
});

Deno.test("demo gives a new id and keeps the rest, or forgets everything", async () => {
  const { client: newClient, sessions } = newDemo();
  const client = newClient();
  await press(client, "/cart/add", { product: "cheese" });
  const first = idOn(await see(client));

  await press(client, "/session/new-id");
  const renewed = await see(client);
  await press(client, "/session/forget");
  const forgotten = await see(client);

  assertNotEquals(idOn(renewed), first);
  assertEquals(cartOn(renewed), { Cheese: 1 });
  assertEquals(visitsOn(renewed), 2);
  assertEquals(cartOn(forgotten), {});
  assertEquals(visitsOn(forgotten), 1);
  assertEquals(await sessions.get(idOn(renewed)), undefined);
});

Deno.test("demo signs in with a new id, and lists the devices", async () => {
  const { client } = newDemo();
  const [laptop, phone, stranger] = [client(), client(), client()];
  const before = idOn(await see(laptop));
  await laptop.post("/sign-in", new URLSearchParams({ name: " Ada " }), {
    headers: { "user-agent": "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0" },
  });
  await press(phone, "/sign-in", { name: "Ada" });
  await press(stranger, "/sign-in", { name: "ada" });

  const page = await see(laptop);

  assertNotEquals(idOn(page), before);
  assertStringIncludes(page, "Hello, Ada");
  assertEquals(
    devicesOn(page).sort(),
    [idOn(page), idOn(await see(phone))].sort(),
  );
  assertStringIncludes(page, "Firefox on Windows");
  assertEquals(page.match(/>This one</g)?.length, 1);
  await press(laptop, "/sign-out");
  assertEquals(devicesOn(await see(phone)), [idOn(await see(phone))]);
});

Deno.test("demo takes no empty or endless name, and escapes what it takes", async () => {
  const client = newDemo().client();
  for (const name of ["", "   ", "x".repeat(41)]) {
    await press(client, "/sign-in", { name });
    const page = await see(client);
    assertEquals(noticesOn(page), [
      "Please enter a name of 1 to 40 characters.",
    ]);
    assertEquals(devicesOn(page), []);
  }

  await press(client, "/sign-in", { name: `<script>'"&` });

  const page = await see(client);
  assertStringIncludes(page, "Hello, &#60;script&#62;&#39;&#34;&#38;");
  assert(!page.includes("<script>"));
});

Deno.test("demo signs out one device, or all others, and only one's own", async () => {
  const { client, sessions } = newDemo();
  const [ada, phone, tablet, bob] = [client(), client(), client(), client()];
  for (const device of [ada, phone, tablet]) {
    await press(device, "/sign-in", { name: "Ada" });
  }
  await press(bob, "/sign-in", { name: "Bob" });
  const [phoneId, bobId] = [idOn(await see(phone)), idOn(await see(bob))];

  await press(ada, "/devices/sign-out", { id: bobId });
  await press(bob, "/devices/sign-out", { id: phoneId });
  await press(client(), "/devices/sign-out", { id: phoneId });
  await press(client(), "/devices/sign-out-others");
  await press(ada, "/devices/sign-out", { id: "nonsense" });
  const all = devicesOn(await see(ada));
  await press(ada, "/devices/sign-out", { id: phoneId });
  const two = devicesOn(await see(ada));
  await press(ada, "/devices/sign-out-others");
  const last = await see(ada);

  assertEquals(all.length, 3);
  assertEquals(two.length, 2);
  assert(!two.includes(phoneId));
  assertEquals(devicesOn(last), [idOn(last)]);
  assertEquals(noticesOn(last), ["1 other device is signed out."]);
  assertEquals((await sessions.get(bobId))?.subject, "Bob");
  assertStringIncludes(await see(phone), "Sign in");
});

Deno.test("demo signs itself out when its own device is chosen", async () => {
  const client = newDemo().client();
  await press(client, "/sign-in", { name: "Ada" });

  await press(client, "/devices/sign-out", { id: idOn(await see(client)) });

  assertEquals(client.cookies, []);
});

Deno.test("demo tells an open page that it was signed out", async () => {
  const { client } = newDemo();
  const [here, there] = [client(), client()];
  for (const device of [here, there]) {
    await press(device, "/sign-in", { name: "Ada" });
  }
  const stream = await there.get("/events");
  const id = idOn(await see(there));

  await press(here, "/devices/sign-out", { id });

  assertEquals(stream.headers.get("content-type"), "text/event-stream");
  assertEquals(
    await stream.text(),
    ": open\n\nevent: signed-out\ndata:\n\n",
  );
  // whoever comes back to a stream after that is told at once
  const again = await there.get("/events");
  assertMatch(await again.text(), /^event: signed-out$/m);
});

Deno.test("demo lets go of the session when the page is closed", async () => {
  const client = newDemo().client();
  await press(client, "/sign-in", { name: "Ada" });
  const stream = await client.get("/events");

  await stream.body?.cancel(); // or else a timer is left, and the sanitizer says so

  assertEquals(stream.bodyUsed, true);
});

Deno.test("demo refuses what it does not know", async () => {
  const client = newDemo().client();
  const status = async (response: Promise<Response>) => {
    const { body, status } = await response;
    await body?.cancel();
    return status;
  };
  const json = new Blob(["{}"], { type: "application/json" });

  assertEquals(await status(client.get("/elsewhere")), 404);
  assertEquals(await status(client.get("/cart/add")), 405);
  assertEquals(await status(client.post("/")), 405);
  assertEquals(await status(client.post("/events")), 405);
  assertEquals(await status(client.post("/sign-in", json)), 400);
  const foreign = { headers: { "sec-fetch-site": "cross-site" } };
  assertEquals(
    await status(client.post("/cart/add", undefined, foreign)),
    403,
  );
  assertEquals(client.cookies, []);
});

Deno.test("demo sends a strict policy, and its own files without a session", async () => {
  const client = newDemo().client();
  const page = await client.get("/");
  const files = [...(await page.text()).matchAll(/(?:href|src)="(\/\w[^"]*)"/g)]
    .map(([, path]) => path ?? "");

  assertMatch(
    page.headers.get("content-security-policy") ?? "",
    /^default-src 'none'; style-src 'self'; script-src 'self'; /,
  );
  assertEquals(page.headers.get("x-content-type-options"), "nosniff");
  assert(files.includes("/style.css"));
  for (const path of new Set([...files, "/live.js"])) {
    const file = await client.get(path);
    await file.body?.cancel();
    assertEquals(file.status, 200);
    assertEquals(file.headers.get("vary"), null);
    assertEquals(file.headers.getSetCookie(), []);
  }
});

Deno.test("describeDevice() names browser and system", () => {
  const chrome = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0";
  const cases = {
    [`Mozilla/5.0 (X11; Linux x86_64) ${chrome} Safari/537.36`]:
      "Chrome on Linux",
    [`Mozilla/5.0 (Windows NT 10.0) ${chrome} Safari/537.36 Edg/140.0`]:
      "Edge on Windows",
    [`Mozilla/5.0 (Linux; Android 10; K) ${chrome} Mobile Safari/537.36`]:
      "Chrome on Android",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1":
      "Safari on iPhone",
    "curl/8.5.0": "curl",
    "": "Some browser",
  };
  for (const [userAgent, device] of Object.entries(cases)) {
    assertEquals(describeDevice(userAgent), device);
  }
});

Deno.test("inWords() and ago() round to the largest unit", () => {
  assertEquals(inWords(-1), "0 seconds");
  assertEquals(inWords(1_000), "1 second");
  assertEquals(inWords(59_400), "59 seconds");
  assertEquals(inWords(59_600), "1 minute");
  assertEquals(inWords(7 * 86_400_000 - 20), "7 days");
  assertEquals(inWords(3 * 3_600_000), "3 hours");
  assertEquals(ago(1_000, 2_000), "just now");
  assertEquals(ago(0, 120_000), "2 minutes ago");
});
