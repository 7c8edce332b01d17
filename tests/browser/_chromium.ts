/**
 * A headless Chromium for the browser tests.
 *
 * @module
 */

import { type Browser, chromium } from "playwright-core";

/** What Debian and others call it. */
const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** Nothing of its own to do on the network, and no sandbox: tests may run as root. */
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * Starts Chromium with a fresh profile, which goes with it.
 *
 * @throws {Error} If there is none on this machine.
 */
export async function launchChromium(): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) {
    throw new Error(
      `Cannot run the browser tests: want ${
        NAMES.join(" or ")
      } on the PATH: received none; on Debian or Ubuntu: apt-get install chromium`,
    );
  }
  return await chromium.launch({ executablePath, args: FLAGS });
}

function findChromium(): string | undefined {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  for (const name of NAMES) {
    for (const folder of [...folders, "/usr/bin"]) {
      const path = `${folder}/${name}`;
      try {
        if (Deno.statSync(path).isFile) return path;
      } catch {
        // not here
      }
    }
  }
  return undefined;
}
