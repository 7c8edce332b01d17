/**
 * Commits sessions of managers without a store: the token is the session.
 *
 * @module
 */

import { type Changes, isEmpty } from "./_changes.ts";
import { draft, signedIn } from "./_draft.ts";
import { settleFlash } from "./_flash_claims.ts";
import { expiredBy, touchDue, touched } from "./_record.ts";
import type { RequestSession } from "./_request_session.ts";
import type { SessionCipher } from "./_stateless_cipher.ts";
import type { Settings } from "./_settings.ts";
import { SessionTooLargeError } from "./errors.ts";

/** Browsers ignore cookies whose name and value are longer together (RFC 6265bis §5.6). */
const MAX_PAIR_BYTES = 4_096;

/**
 * Makes the token that carries what a request did to its session, if it did anything.
 *
 * @param settings The manager's settings.
 * @param cipher What encrypts.
 * @param request The request.
 * @param changes What it did.
 * @throws {SessionTooLargeError} If no cookie can carry it.
 * @throws {SessionValidationError} If the data does not fit the schema.
 */
export async function commitSealed(
  settings: Settings,
  cipher: SessionCipher,
  request: RequestSession,
  changes: Changes,
): Promise<void> {
  const { loaded, origin, handle } = request;
  const { identity } = changes;
  const { transport } = origin;
  if (transport === undefined) return;
  const expired = loaded &&
    expiredBy(loaded.record, settings.now(), request.usedAt, settings);
  if (
    loaded !== undefined && expired !== undefined && identity?.type !== "login"
  ) {
    request.dropped = true;
    return settings.emit({ type: "dropped", id: loaded.id, reason: expired });
  }
  if (identity?.type === "destroy") {
    if (loaded === undefined) return;
    settings.emit({ type: "ended", id: loaded.id, reason: "logout" });
    return request.clear();
  }
  const touch = loaded !== undefined &&
    touchDue(loaded.record, settings.now(), settings);
  if (isEmpty(changes) && !touch && !origin.stale) return;

  const base = expired === undefined ? loaded : undefined;
  const drafted = await draft(settings, request, changes, base);
  const { data, now } = drafted;
  let { record } = drafted;
  if (
    base === undefined && data.size === 0 && record.flash.length === 0 &&
    !identity
  ) return;
  if (identity?.type === "login") {
    record = signedIn(record, identity, now, settings);
  } else if (touch) record = touched(record, now, settings);
  const id = identity?.id ?? handle.id;
  const token = cipher.seal(transport.name, { id, record });
  const size = transport.name.length + token.length;
  if (size > MAX_PAIR_BYTES) {
    throw new SessionTooLargeError(
      `Cannot commit stateless session: name and value must be at most ${MAX_PAIR_BYTES} bytes together: received ${size} bytes; keep larger sessions in a store, without "stateless"`,
      { size, limit: MAX_PAIR_BYTES },
    );
  }
  settleFlash(changes.taken);
  handle.settle({ id, record, data });
  request.issue(token, record, now);
  if (base === undefined) settings.emit({ type: "created", id });
  if (identity?.type === "login") {
    if (base !== undefined) {
      settings.emit({ type: "ended", id: base.id, reason: "rotated" });
    }
    settings.emit({ type: "login", id });
  } else if (identity?.type === "regenerate" && base !== undefined) {
    settings.emit({ type: "regenerated", id, previousId: base.id });
  }
}
