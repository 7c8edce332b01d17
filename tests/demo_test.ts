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
import type { TestClient } from "@tessera/session/testing";
import { ago, inWords } from "../examples/demo/words.ts";
import {
  cartOn,
  idOn,
  newDemo,
  noticesOn,
  press,
  see,
  visitsOn,
} from "./_demo.ts";
import { newClient, startDemo, temporaryDatabase } from "./_program.ts";

const COOKIE = "__Host-session";

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
