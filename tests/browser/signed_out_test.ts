/**
 * A session that ends while its user looks at the page, in Chromium.
 */

import { assert } from "@std/assert";
import type { Browser, Page } from "playwright-core";
import { startDemo, temporaryDatabase } from "../_program.ts";
import { launchChromium } from "./_chromium.ts";

/** What `pollInterval` is by default, which the demo leaves as it is. */
const POLL_INTERVAL_MS = 5_000;

/** For what comes after the poll: reading the file, the stream, and the page. */
const MARGIN_MS = 1_500;

/** Signs in, in a browser context of its own, and resolves to the page. */
async function signIn(
  browser: Browser,
  url: string,
  name: string,
): Promise<{ page: Page; id: string }> {
  const page = await (await browser.newContext()).newPage();
  await page.goto(url);
  await page.getByLabel("Your name").fill(name);
  const live = page.waitForResponse((response) =>
    new URL(response.url()).pathname === "/events"
  );
  await page.getByRole("button", { name: "Sign in" }).click();
  await live; // the page is listening
  const id = await page.locator("#session-id").textContent() ?? "";
  return { page, id };
}

/** Signs one device out on the page of another; resolves to when the button was pressed. */
async function signOut(page: Page, id: string): Promise<number> {
  await page.reload(); // it lists the other one, too
  const button = page.locator(`[data-session="${id}"]`).getByRole("button");
  const pressedAt = performance.now();
  await button.click();
  return pressedAt;
}

async function seeSignedOut(page: Page, timeout: number): Promise<void> {
  await page.getByRole("alert").getByText("You were signed out.")
    .waitFor({ timeout });
}

Deno.test({
  name: "demo tells an open page within a second that it was signed out",
  // playwright-core holds pipes, timers and sockets of its own for as long as it runs
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using database = await temporaryDatabase();
    await using program = await startDemo(database.path);
    await using browser = await launchChromium();
    const here = await signIn(browser, program.url, "Ada");
    const there = await signIn(browser, program.url, "Ada");

    const pressedAt = await signOut(here.page, there.id);
    await seeSignedOut(there.page, 10_000);

    const took = performance.now() - pressedAt;
    assert(took < 1_000, `It took ${took} ms`);
    await here.page.getByText("is signed out.").waitFor();
    await there.page.getByRole("link", { name: "Start again" }).click();
    await there.page.getByRole("heading", { name: "Sign in" }).waitFor();
  },
});

Deno.test({
  name: "demo signs out everywhere else, and each open page says so",
  // playwright-core holds pipes, timers and sockets of its own for as long as it runs
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using database = await temporaryDatabase();
    await using program = await startDemo(database.path);
    await using browser = await launchChromium();
    const others = [
      await signIn(browser, program.url, "Ada"),
      await signIn(browser, program.url, "Ada"),
    ];
    const stranger = await signIn(browser, program.url, "Bob");
    const here = await signIn(browser, program.url, "Ada");

    await here.page.getByRole("button", { name: "Sign out everywhere else" })
      .click();

    for (const { page } of others) await seeSignedOut(page, 10_000);
    await here.page.getByText("2 others are signed out.").waitFor();
    for (const { page } of [here, stranger]) {
      assert(await page.getByRole("alert").textContent() === "");
    }
  },
});

Deno.test({
  name: "demo tells an open page of another process within the poll interval",
  // playwright-core holds pipes, timers and sockets of its own for as long as it runs
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using database = await temporaryDatabase();
    await using first = await startDemo(database.path);
    await using second = await startDemo(database.path);
    await using browser = await launchChromium();
    const here = await signIn(browser, first.url, "Ada");
    const there = await signIn(browser, second.url, "Ada");

    const pressedAt = await signOut(here.page, there.id);
    await seeSignedOut(there.page, 3 * POLL_INTERVAL_MS);

    const took = performance.now() - pressedAt;
    assert(took < POLL_INTERVAL_MS + MARGIN_MS, `It took ${took} ms`);
  },
});
