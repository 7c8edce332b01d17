/**
 * Which managers are at work on which requests.
 *
 * Two managers that answer one request under the same name would overwrite each
 * other's tokens.
 *
 * @module
 */

import type { Settings } from "./_settings.ts";

/**
 * So many requests are noted, the latest: a second manager comes soon after the first.
 * In a WeakMap they would be a good part of what a request without a session costs.
 */
const SLOTS = 256;

/** The requests under way, in the order in which they came, round and round. */
const requests: (Request | undefined)[] = Array(SLOTS).fill(undefined);
/** The managers at work on them, by their settings. */
const managers: (Settings | undefined)[] = Array(SLOTS).fill(undefined);
let next = 0;

/** The names under which managers of this process answer. */
const names = new Set<string>();

/** Whether two of them have a name in common: before, there is nothing to look for. */
let crowded = false;

/** Notes that there is a manager. */
export function registerManager({ transports }: Settings): void {
  for (const { name } of transports) {
    crowded ||= names.has(name);
    names.add(name);
  }
}

/**
 * Notes that a manager begins to work on a request.
 *
 * @returns What {@linkcode leaveRequest} wants to know.
 * @throws {TypeError} If another one does that answers under the same name.
 */
export function enterRequest(request: Request, settings: Settings): number {
  assertAlone(request, settings);
  const slot = next;
  next = (next + 1) % SLOTS;
  requests[slot] = request;
  managers[slot] = settings;
  return slot;
}

/** Notes that a manager's work on a request is done. */
export function leaveRequest(request: Request, slot: number): void {
  if (requests[slot] !== request) return; // 256 others have come since
  requests[slot] = undefined;
  managers[slot] = undefined;
}

/**
 * Makes sure that no other manager answers a request under the same name.
 *
 * @throws {TypeError} If one does.
 */
export function assertAlone(request: Request, settings: Settings): void {
  if (!crowded) return;
  for (
    let slot = requests.indexOf(request);
    slot !== -1;
    slot = requests.indexOf(request, slot + 1)
  ) {
    const other = managers[slot];
    if (other === undefined || other === settings) continue;
    const own = settings.transports.map(({ name }) => name);
    const taken = other.transports.find(({ name }) => own.includes(name));
    if (taken !== undefined) {
      throw new TypeError(
        `Cannot load session: two managers of one request must have different names: received "${taken.name}" twice; set "cookie: { name }"`,
      );
    }
  }
}
