/**
 * Commits sessions of managers without a store: the token is the session.
 *
 * What another request of this process made of a session meanwhile is built upon, as
 * with a store; of other processes nothing is known.
 *
 * @module
 */

import { type Changes, isEmpty } from "./_changes.ts";
import { MAX_PAIR_BYTES } from "./_cookie_options.ts";
import { draft, signedIn } from "./_draft.ts";
import { cookieEndsEarly, MOMENT_MS, touchDue, touched } from "./_record.ts";
import type { RequestSession } from "./_request_session.ts";
import { settleFlash } from "./_session_flash.ts";
import type { LoadedState } from "./_session_io.ts";
import type { StoredSession } from "./_session_reader.ts";
import type { Settings } from "./_settings.ts";
import { type SessionCipher, versionOf } from "./_stateless_cipher.ts";
import type { Move, NamedToken } from "./_stateless_issued.ts";
import { findNewest } from "./_stateless_newest.ts";
import { checkLoaded } from "./_validation.ts";
import { SessionTooLargeError } from "./errors.ts";
import type { RefusalReason } from "./events.ts";
import type { SessionTransport } from "./session_transport.ts";

/** A commit under way. */
interface Job {
  readonly settings: Settings;
  readonly cipher: SessionCipher;
  readonly request: RequestSession;
  readonly transport: SessionTransport;
  readonly changes: Changes;
}

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
  const { loaded, origin: { transport, stale } } = request;
  if (transport === undefined) return;
  const job = { settings, cipher, request, transport, changes };
  if (loaded === undefined) {
    const { identity } = changes;
    if (!isEmpty(changes) && identity?.type !== "destroy") await seal(job);
  } else if (
    !isEmpty(changes) || stale ||
    touchDue(loaded.record, settings.now(), settings)
  ) await cipher.issued.inTurn(loaded.id, () => commitLoaded(job, loaded));
}

/**
 * Commits to the newest state of a session, which may have changed or ended since it was loaded.
 */
async function commitLoaded(job: Job, loaded: StoredSession): Promise<void> {
  const { settings, cipher, request, transport, changes } = job;
  const { identity } = changes;
  const { usedAt } = request;
  const found = findNewest(settings, cipher, transport.name, loaded, usedAt);
  if ("missing" in found) {
    return identity?.type === "login"
      ? await seal(job)
      : drop(job, loaded.id, found.missing);
  }
  const { id, record, token } = found;
  if (identity?.type === "destroy") {
    cipher.issued.end(id, "logout");
    settings.emit({ type: "ended", id, reason: "logout" });
    return request.clear();
  }
  const data = found.version === loaded.version
    ? loaded.data
    : await checkLoaded(settings, id, record.data);
  const base = { ...found, data };
  // somebody else has regenerated already: this request joins them
  const merged = id !== loaded.id && identity?.type === "regenerate"
    ? { ...job, changes: { ...changes, identity: undefined } }
    : job;
  const now = settings.now();
  if (
    !isEmpty(merged.changes) || touchDue(record, now, settings) ||
    token === undefined
  ) return await seal(merged, base);
  request.handle.settle(base);
  issue(job, base, { token, now });
}

/** Makes a token of what a request makes of a session, or of a blank one. */
async function seal(
  job: Job,
  base?: LoadedState & NamedToken,
): Promise<void> {
  const { settings, cipher, request, transport, changes } = job;
  const { handle } = request;
  const identity = changes.identity?.type === "destroy"
    ? undefined
    : changes.identity;
  const drafted = await draft(settings, request, changes, base);
  const { data, now } = drafted;
  let { record } = drafted;
  if (
    base === undefined && data.size === 0 && record.flash.length === 0 &&
    !identity
  ) return;
  if (identity?.type === "login") {
    record = signedIn(record, identity, now, settings);
  } else if (
    base !== undefined &&
    (touchDue(record, now, settings) || cookieEndsEarly(record, now, settings))
  ) record = touched(record, now, settings);
  const id = identity?.id ?? base?.id ?? handle.id;
  const token = cipher.seal(transport.name, { id, record });
  const size = transport.name.length + token.length;
  if (size > MAX_PAIR_BYTES) {
    throw new SessionTooLargeError(
      `Cannot commit stateless session: name and value must be at most ${MAX_PAIR_BYTES} bytes together: received ${size} bytes; keep larger sessions in a store, without "stateless"`,
      { size, limit: MAX_PAIR_BYTES },
    );
  }
  settleFlash(changes.taken);
  const state = { id, record, data, version: versionOf(token) };
  handle.settle(state);
  cipher.issued.issue(
    { id, version: state.version, token },
    base,
    identity && moveOf(identity, now + settings.rotationGrace),
  );
  issue(job, state, { token, now });
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

/** Says what becomes of the id that a login or `regenerate` replaces, as with a store. */
function moveOf(
  { type }: NonNullable<Changes["identity"]>,
  until: number,
): Move {
  return type === "login"
    ? { reason: "rotated", until: 0 }
    : { reason: "unknown", until };
}

/** Hands a token to the client; if there is a newer one when the response leaves, that. */
function issue(
  { settings, cipher, request, transport }: Job,
  state: LoadedState & NamedToken,
  { token, now }: { token: string; now: number },
): void {
  request.issue(token, state.record, now);
  request.renew = () => {
    const newest = findNewest(settings, cipher, transport.name, state);
    if ("missing" in newest) return false;
    const time = settings.now();
    if (newest.version !== state.version && newest.token !== undefined) {
      request.issue(newest.token, newest.record, time);
    } else if (time - now >= MOMENT_MS) {
      request.issue(token, state.record, time);
    }
    return true;
  };
}

/**
 * Drops the changes of a request whose session has ended; its response shows flash values all
 * the same.
 */
function drop(
  { settings, request, changes }: Job,
  id: string,
  reason: RefusalReason,
): void {
  request.drop();
  settleFlash(changes.taken);
  settings.emit({ type: "dropped", id, reason });
}
