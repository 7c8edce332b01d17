/**
 * Which managers are at work on which requests.
 *
 * Two managers that answer one request under the same name would overwrite each
 * other's tokens.
 *
 * @module
 */

import { noRequest } from "./_misuse.ts";
import type { Settings } from "./_settings.ts";
import { varyOf } from "./_transports.ts";

/** A manager's work on a request. */
export interface Visit {
  /** The settings of the manager. */
  readonly settings: Settings;
}

/** The names under which managers of this process answer. */
const names = new Set<string>();

/**
 * Whether two of them have a name in common.
 *
 * Before, there is nothing to look for, and hardly anything is noted: to do so would be a
 * good part of what a request without a session costs.
 */
let crowded = false;

/** The request that came last before, and its manager: the second one may be made within it. */
let latest: Request | undefined;
let latestSettings: Settings | undefined;

/** The work under way; weak, as what is loaded may never be committed. */
const visits = new WeakMap<Request, Visit[]>();

/** Notes that there is a manager. */
export function registerManager({ transports }: Settings): void {
  for (const { name } of transports) {
    crowded ||= names.has(name);
    names.add(name);
  }
  if (!crowded || latest === undefined || latestSettings === undefined) return;
  visits.set(latest, [{ settings: latestSettings }]);
  latest = latestSettings = undefined;
}

/**
 * Notes that a manager begins to work on a request.
 *
 * @returns What {@linkcode leaveRequest} wants to know.
 * @throws {TypeError} If another one does that answers under the same name.
 */
export function enterRequest(
  request: Request,
  settings: Settings,
): Visit | undefined {
  if (crowded) return enter(request, settings);
  latest = request;
  latestSettings = settings;
  return undefined;
}

function enter(request: Request, settings: Settings): Visit {
  if (typeof request !== "object" || request === null) throw noRequest(request);
  const visit = { settings };
  const others = visits.get(request);
  if (others === undefined) visits.set(request, [visit]);
  else {
    for (const other of others) assertCompatible(settings, other.settings);
    others.push(visit);
  }
  return visit;
}

/** Notes that a manager's work on a request is done. */
export function leaveRequest(
  request: Request,
  settings: Settings,
  visit: Visit | undefined,
): void {
  if (latest === request) latest = latestSettings = undefined;
  if (visit === undefined && !crowded) return;
  const others = visits.get(request)?.filter((other) =>
    // noted only when the second manager was made
    visit === undefined ? other.settings !== settings : other !== visit
  ) ?? [];
  if (others.length === 0) visits.delete(request);
  else visits.set(request, others);
}

function assertCompatible(own: Settings, other: Settings): void {
  if (own === other) return;
  for (const { name, vary } of other.transports) {
    if (own.transports.every((transport) => transport.name !== name)) continue;
    const remedy = varyOf({ vary }).includes("Cookie")
      ? `set "cookie: { name }"`
      : "give one another transport, as headerTransport({ name })";
    throw new TypeError(
      `Cannot load session: two managers of one request must have different names: received "${name}" twice; ${remedy}`,
    );
  }
}
