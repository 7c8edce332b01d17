/**
 * Which managers are at work on which requests.
 *
 * Two managers that answer one request under the same name would overwrite each
 * other's tokens.
 *
 * @module
 */

import type { Settings } from "./_settings.ts";

/** The names under which managers of this process answer. */
const names = new Set<string>();

/** Whether two of them have a name in common: before, no request has two at work on it. */
let crowded = false;

/** The managers at work on a request, by their settings: nearly always one. */
const busy = new WeakMap<Request, Settings | Set<Settings>>();

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
 * @throws {TypeError} If another one does that answers under the same name.
 */
export function enterRequest(request: Request, settings: Settings): void {
  if (!crowded) return void busy.set(request, settings);
  const others = busy.get(request);
  if (others === undefined) busy.set(request, settings);
  else if (others !== settings) {
    assertAlone(request, settings);
    busy.set(request, new Set([...listOf(others), settings]));
  }
}

/** Notes that a manager's work on a request is done. */
export function leaveRequest(request: Request, settings: Settings): void {
  if (!crowded) return void busy.delete(request);
  const managers = busy.get(request);
  if (managers === settings) busy.delete(request);
  else if (managers instanceof Set) managers.delete(settings);
}

/**
 * Makes sure that no other manager answers a request under the same name.
 *
 * @throws {TypeError} If one does.
 */
export function assertAlone(request: Request, settings: Settings): void {
  const managers = busy.get(request);
  if (managers === undefined || managers === settings) return;
  const names = settings.transports.map(({ name }) => name);
  for (const other of listOf(managers)) {
    if (other === settings) continue;
    const taken = other.transports.find(({ name }) => names.includes(name));
    if (taken !== undefined) {
      throw new TypeError(
        `Cannot load session: two managers of one request must have different names: received "${taken.name}" twice; set "cookie: { name }"`,
      );
    }
  }
}

function listOf(managers: Settings | Set<Settings>): Iterable<Settings> {
  return managers instanceof Set ? managers : [managers];
}
