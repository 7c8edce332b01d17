/**
 * Which flash values requests of this process are showing, or have shown.
 *
 * Racing requests have all loaded the same values; who claims one first shows it.
 *
 * @module
 */

/** So many shown values are remembered, for the racing requests that had loaded them. */
const MAX_CLAIMS = 10_000;

/** The claimed values by id; held weakly by requests under way, for good once shown. */
const claims = new Map<string, WeakRef<object> | "shown">();

/**
 * Claims a value for a request.
 *
 * @param id The id of the flash value.
 * @param owner The session handle of the request.
 * @returns Whether no other request of this process has it.
 */
export function claimFlash(id: string, owner: object): boolean {
  const claim = claims.get(id);
  if (claim === "shown") return false;
  const holder = claim?.deref();
  if (holder !== undefined && holder !== owner) return false;
  claims.set(id, new WeakRef(owner));
  return true;
}

/** Gives values back: the request that claimed them did not show them. */
export function releaseFlash(ids: Iterable<string>): void {
  for (const id of ids) if (claims.get(id) !== "shown") claims.delete(id);
}

/** Settles claims: the values were shown, and are gone from the record. */
export function settleFlash(ids: Iterable<string>): void {
  for (const id of ids) {
    claims.delete(id);
    claims.set(id, "shown");
  }
  for (const [id, claim] of claims) {
    if (claims.size <= MAX_CLAIMS) break;
    if (claim === "shown" || claim.deref() === undefined) claims.delete(id);
  }
}
