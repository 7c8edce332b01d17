/**
 * The demo in process, and what its page says.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { MemoryStore, SessionManager } from "@tessera/session";
import { TestClient } from "@tessera/session/testing";
import type { DemoData, DemoFlash } from "../examples/demo/actions.ts";
import { createApp } from "../examples/demo/app.ts";

/** The demo in this process. */
export function newDemo(): {
  client: () => TestClient;
  sessions: DemoSessions;
} {
  const sessions: DemoSessions = new SessionManager({
    store: new MemoryStore(),
  });
  const app = createApp(sessions);
  return { client: () => new TestClient(app), sessions };
}

/** The sessions of the demo. */
export type DemoSessions = SessionManager<DemoData, DemoFlash>;

/** The page as a client sees it now. */
export async function see(client: TestClient): Promise<string> {
  const response = await client.get("/");
  assertEquals(response.status, 200);
  return await response.text();
}

/** Posts a form, as a button of the page does, and resolves to where it leads. */
export async function press(
  client: TestClient,
  path: string,
  fields: Record<string, string> = {},
): Promise<string | null> {
  const response = await client.post(path, new URLSearchParams(fields));
  await response.body?.cancel();
  assertEquals(response.status, 303);
  return response.headers.get("location");
}

/** The visits that a page shows. */
export function visitsOn(page: string): number {
  return Number(page.match(/id="visits">(\d+)</)?.[1]);
}

/** The id that a page shows. */
export function idOn(page: string): string {
  return page.match(/id="session-id">(\w{26})</)?.[1] ?? "";
}

/** The quantities in the cart by the names of the products. */
export function cartOn(page: string): Record<string, number> {
  const lines = page.matchAll(/aria-label="(\w+): quantity">(\d+)</g);
  return Object.fromEntries(lines.map(([, name, n]) => [name, Number(n)]));
}

/** The notices on a page. */
export function noticesOn(page: string): string[] {
  return [...page.matchAll(/<p class="notice">(.*?)<\/p>/g)]
    .map(([, notice]) => notice ?? "");
}

/** The ids of the devices on a page. */
export function devicesOn(page: string): string[] {
  return [...page.matchAll(/data-session="(\w{26})"/g)].map(([, id]) =>
    id ?? ""
  );
}
