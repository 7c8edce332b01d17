/**
 * The demo in Chromium, as a visitor uses it.
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { startDemo, temporaryDatabase } from "../_program.ts";
import { launchChromium } from "./_chromium.ts";

const COOKIE = "__Host-session";

const DAY_S = 86_400;

/** What the browser kept of the session cookie. */
async function cookieOf(page: Page) {
  const cookies = await page.context().cookies();
  assertEquals(cookies.map(({ name }) => name), [COOKIE]);
  const [cookie] = cookies;
  assert(cookie !== undefined);
  return cookie;
}

async function visitsOn(page: Page): Promise<number> {
  return Number(await page.locator("#visits").textContent());
}

async function idOn(page: Page): Promise<string> {
  return await page.locator("#session-id").textContent() ?? "";
}

async function noticesOn(page: Page): Promise<string[]> {
  return await page.getByRole("status").locator(".notice").allTextContents();
}

/** The lines of the cart, as a screen reader tells them. */
async function cartOn(page: Page): Promise<string[]> {
  const quantities = page.getByRole("region", { name: "Cart" }).locator(
    "output",
  );
  return await quantities.evaluateAll((outputs) =>
    outputs.map((output) =>
      `${output.getAttribute("aria-label")} ${output.textContent}`
    )
  );
}

/** Presses a button, and waits for the page it leads to. */
async function press(page: Page, name: string | RegExp): Promise<void> {
  const loaded = page.waitForEvent("load");
  await page.getByRole("button", { name, exact: true }).click();
  await loaded;
}

/** Everything that the console of a page complains about, a blocked file for example. */
function listen(page: Page): string[] {
  const complaints: string[] = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  return complaints;
}

const SCREENS: Record<string, BrowserContextOptions> = {
  "desktop-light": {
    viewport: { width: 1280, height: 900 },
    colorScheme: "light",
  },
  "desktop-dark": {
    viewport: { width: 1280, height: 900 },
    colorScheme: "dark",
  },
  "phone-light": {
    viewport: { width: 360, height: 740 },
    colorScheme: "light",
    deviceScaleFactor: 2,
  },
  "phone-dark": {
    viewport: { width: 360, height: 740 },
    colorScheme: "dark",
    deviceScaleFactor: 2,
  },
};

/** Takes a picture of the page with something in it; it must fit its screen. */
async function photograph(
  browser: Browser,
  url: string,
  { screen, path }: { screen: BrowserContextOptions; path: string },
): Promise<void> {
  const context = await browser.newContext(screen);
  const page = await context.newPage();
  await page.goto(url);
  await press(page, /^Apples €/);
  await press(page, /^Coffee €/);
  await page.getByLabel("Your name").fill("Ada Lovelace");
  await press(page, "Sign in");
  const [content, width] = await page.evaluate(
    "[" +
      "document.documentElement.scrollWidth, window.innerWidth]",
  ) as number[];
  assertEquals(content, width, `${path}: nothing sticks out at the side`);
  await page.screenshot({ path, fullPage: true });
  await context.close();
}

Deno.test({
  name: "demo counts, keeps, renews and forgets in Chromium",
  // playwright-core holds pipes, timers and sockets of its own for as long as it runs
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using database = await temporaryDatabase();
    await using program = await startDemo(database.path);
    await using browser = await launchChromium();
    const page = await (await browser.newContext()).newPage();
    const complaints = listen(page);

    await t.step("the counter goes up across reloads", async () => {
      await page.goto(program.url);
      assertEquals(await visitsOn(page), 1);
      await page.reload();
      assertEquals(await visitsOn(page), 2);
      await page.reload();
      assertEquals(await visitsOn(page), 3);
    });

    await t.step("the cookie is stored with all its flags", async () => {
      const { value, expires, ...flags } = await cookieOf(page);
      assertEquals({ ...flags }, {
        name: COOKIE,
        domain: "localhost", // without a dot in front: this host alone
        path: "/",
        httpOnly: true,
        secure: true,
        sameSite: "Lax",
      });
      assert(value.startsWith(`${await idOn(page)}.`));
      const seconds = expires - Date.now() / 1_000;
      assert(Math.abs(seconds - 7 * DAY_S) < 600, `${seconds} s`);
      assertEquals(await page.evaluate("document.cookie"), "");
    });

    await t.step("the cart is changed in place", async () => {
      await press(page, /^Apples €/);
      await press(page, /^Bread €/);
      await press(page, "Apples: one more");
      await press(page, "Apples: one more");
      assertEquals(await cartOn(page), [
        "Apples: quantity 3",
        "Bread: quantity 1",
      ]);
      assertEquals(await page.locator("#total").textContent(), "€11.10");
      await press(page, "Apples: one less");
      await press(page, "Bread: remove");
      assertEquals(await cartOn(page), ["Apples: quantity 2"]);
    });

    await t.step("a notice is shown once", async () => {
      assertEquals(await noticesOn(page), ["Bread: removed from your cart."]);
      await page.reload(); // a GET: the redirect came between
      assertEquals(await noticesOn(page), []);
      assertEquals(await cartOn(page), ["Apples: quantity 2"]);
    });

    await t.step("a new id keeps the data", async () => {
      const [id, visits] = [await idOn(page), await visitsOn(page)];
      const { value } = await cookieOf(page);
      await press(page, "New id");
      assertNotEquals(await idOn(page), id);
      assertNotEquals((await cookieOf(page)).value, value);
      assertEquals(await visitsOn(page), visits + 1);
      assertEquals(await cartOn(page), ["Apples: quantity 2"]);
      assertEquals(await noticesOn(page), [
        "This session has a new id. All else stayed.",
      ]);
    });

    await t.step("forget me clears", async () => {
      const id = await idOn(page);
      await press(page, "Forget me");
      assertNotEquals(await idOn(page), id);
      assertEquals(await visitsOn(page), 1);
      assertEquals(await cartOn(page), []);
    });

    await t.step("signing in takes a new id and lists the device", async () => {
      const id = await idOn(page);
      await page.getByLabel("Your name").fill("Ada");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Hello, Ada" }).waitFor();
      assertNotEquals(await idOn(page), id);
      const devices = page.getByRole("region", { name: "Your devices" });
      assertEquals(await devices.getByRole("listitem").count(), 1);
      await devices.getByText("This one").waitFor();
      await press(page, "Sign out here");
      assertEquals(await visitsOn(page), 1);
    });

    await t.step("the page fits every screen", async () => {
      const folder = await Deno.makeTempDir({ prefix: "tessera_screens_" });
      for (const [name, screen] of Object.entries(SCREENS)) {
        const path = `${folder}/${name}.png`;
        await photograph(browser, program.url, { screen, path });
      }
      // deno-lint-ignore no-console -- somebody should look at them
      console.log(`Screenshots: ${folder}`);
    });

    assertEquals(complaints, []);
  },
});
