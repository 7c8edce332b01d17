/**
 * Commits changes of a session's identity: its first one, a login, a new id.
 *
 * Each is one atomic write, so that there are never two sessions, and never none.
 *
 * @module
 */

import type { Birth } from "./_births.ts";
import { applyOperations, type Changes } from "./_changes.ts";
import { draft, type Login, signedIn } from "./_draft.ts";
import { evict } from "./_eviction.ts";
import {
  dropJobs,
  expiredSince,
  findAgain,
  type Job,
  mergeJobs,
  noteTried,
} from "./_merge.ts";
import { succeedNonce } from "./_nonce.ts";
import {
  cookieEndsEarly,
  type ForwardRecord,
  NO_DATA,
  type SessionRecord,
  touchDue,
  touched,
} from "./_record.ts";
import type { RequestSession } from "./_request_session.ts";
import { settleFlash } from "./_session_flash.ts";
import type { Missing, StoredSession } from "./_session_reader.ts";
import { deletesOf, putOf, type StoreWriter } from "./_store_writer.ts";
import type { StorePut } from "./session_store.ts";
import { hashSecret, sealSecret } from "./token.ts";

/**
 * Stores a session for the first time; not, if there is nothing to store.
 *
 * @param writer What writes.
 * @param request The request.
 * @param changes What the request did to its blank session.
 */
export async function createSession(
  writer: StoreWriter,
  request: RequestSession,
  changes: Changes,
): Promise<void> {
  const { identity } = changes;
  if (identity?.type === "destroy") return;
  const empty = applyOperations(NO_DATA, changes.operations).size === 0 &&
    changes.flashed.length === 0;
  if (identity?.type === "login") {
    await signIn(writer, { request, changes, base: undefined }, identity);
  } else if (!empty) await storeNew(writer, request, changes);
}

async function storeNew(
  writer: StoreWriter,
  request: RequestSession,
  changes: Changes,
): Promise<void> {
  const { settings } = writer;
  const { id } = request.handle;
  const birth = request.births.next();
  let born = await request.births.find(id);
  if (born === undefined) {
    const { record, data, now } = await draft(
      settings,
      request,
      changes,
      undefined,
    );
    const stored = madeWith(birth, record);
    const commit = {
      check: [{ id, version: null }],
      put: [putOf(id, stored, now)],
      delete: [],
    };
    born = await writer.write(commit, { id, nonce: birth.nonce })
      ? { state: { id, record: stored, data }, birth, now }
      : await request.births.find(id);
  }
  if (born === undefined) {
    throw new TypeError(
      `Cannot create session: want an id that is free: received ${id}`,
    );
  }
  request.settle(born.state, born.birth.secret, born.now);
  settings.emit({ type: "created", id });
}

/** Makes the first record of a session, which remembers the one that it takes the place of. */
function madeWith(
  birth: Birth,
  record: SessionRecord,
  replaced?: SessionRecord,
): SessionRecord {
  const nonce = succeedNonce(birth.nonce, replaced?.nonce ?? "");
  return { ...record, secretHash: hashSecret(birth.secret), nonce };
}

/** What signs in: the commit of a request that brought a session, or none. */
type SignInJob = Pick<Job, "request" | "changes"> & {
  readonly base: StoredSession | undefined;
};

/**
 * Signs a subject in: the record moves to a new id, and the old id is dead.
 *
 * A session that has ended meanwhile is replaced by a blank one, for a login
 * must not be reported and then not be.
 *
 * @param writer What writes.
 * @param job The request's commit.
 * @param identity The login among its changes.
 * @param start The session to begin with, unless it is to be read first.
 */
export async function signIn(
  writer: StoreWriter,
  job: SignInJob,
  identity: Login,
  start?: StoredSession,
): Promise<void> {
  const { request, changes, base: loaded } = job;
  const { id, subject } = identity;
  const { settings } = writer;
  const birth = request.births.next();
  const read = async () => {
    if (loaded === undefined) return undefined;
    const found = await findAgain(writer, request, loaded);
    return "missing" in found ? undefined : found;
  };
  const expired = start && expiredSince(writer, request, start);
  let base = start === undefined || expired ? await read() : start;
  for (let attempt = 1;; attempt++) {
    let born = await request.births.find(id);
    if (born === undefined) {
      birth.base = base;
      const { record, data, now } = await draft(
        settings,
        request,
        changes,
        base,
      );
      const signed = signedIn(record, identity, now, settings);
      const stored = madeWith(birth, signed, base?.record);
      const commit = {
        check: base === undefined
          ? [{ id, version: null }]
          : [{ id: base.id, version: base.version }, { id, version: null }],
        put: [putOf(id, stored, now)],
        delete: base === undefined
          ? []
          : deletesOf([base.id, ...base.hops], base.record.subject),
      };
      if (await writer.write(commit, { id, nonce: birth.nonce })) {
        born = { state: { id, record: stored, data }, birth, now };
      }
    }
    if (born !== undefined) {
      settleFlash(changes.taken);
      request.settle(born.state, born.birth.secret, born.now);
      const replaced = born.birth.base;
      if (replaced === undefined) settings.emit({ type: "created", id });
      else writer.reader.ended(replaced.id, "rotated", replaced.hops);
      settings.emit({ type: "login", id });
      request.signedIn = true;
      return await evict(writer, subject);
    }
    await writer.conflict(id, attempt);
    base = await read();
  }
}

/**
 * Gives a session a new id; the old one forwards for the grace.
 *
 * @param writer What writes.
 * @param job The request's commit.
 * @param start The session to begin with, unless it is to be read first.
 */
export async function regenerate(
  writer: StoreWriter,
  job: Job,
  start?: StoredSession,
): Promise<void> {
  const { request, base: loaded, changes } = job;
  const { settings } = writer;
  const id = changes.identity?.type === "regenerate"
    ? changes.identity.id
    : request.nextId();
  const { secret, nonce } = request.births.rotation;
  noteTried([job], nonce);
  let base: StoredSession | Missing = start ??
    await findAgain(writer, request, loaded);
  for (let attempt = 1;; attempt++) {
    if ("missing" in base) return dropJobs(writer, [job], base);
    // somebody else has rotated already: this request joins them
    const joins = loaded.hops.length > 0 || base.hops.length > 0;
    if (joins) {
      return await mergeJobs(writer, [{
        ...job,
        changes: { ...changes, identity: undefined },
      }]);
    }
    const { record, data, now } = await draft(
      writer.settings,
      request,
      changes,
      base,
    );
    const stored = {
      ...(touchDue(record, now, settings) ||
          cookieEndsEarly(record, now, settings)
        ? touched(record, now, settings)
        : record),
      secretHash: hashSecret(secret),
      nonce: settings.nonces.remember(nonce, record.nonce),
    };
    // not by `expiresAt`: that may still be put off
    const grace = Math.min(settings.rotationGrace, stored.endsAt - now);
    const forward = forwardPut(grace, base, { id, secret }, now);
    const commit = {
      check: [{ id: base.id, version: base.version }, { id, version: null }],
      put: forward === undefined
        ? [putOf(id, stored, now)]
        : [putOf(id, stored, now), forward],
      delete: forward === undefined
        ? deletesOf([base.id], base.record.subject)
        : [],
    };
    if (await writer.write(commit, { id, nonce })) {
      settleFlash(changes.taken);
      request.settle({ id, record: stored, data }, secret, now);
      settings.emit({ type: "regenerated", id, previousId: base.id });
      if (forward === undefined) writer.reader.endings.stay([base.id]);
      writer.reader.endings.moved(base.id, id);
      return job.resolve();
    }
    await writer.conflict(base.id, attempt);
    base = await findAgain(writer, request, loaded);
  }
}

/** Makes what a replaced id leaves behind; nothing, if it is to leave nothing. */
function forwardPut(
  grace: number,
  base: StoredSession,
  to: { id: string; secret: string },
  now: number,
): StorePut | undefined {
  if (grace < 1 || base.secret === undefined) return undefined;
  const record: ForwardRecord = {
    v: 1,
    forward: to.id,
    secretHash: base.record.secretHash,
    sealed: sealSecret(to.secret, base.secret),
    expiresAt: now + grace,
  };
  const { subject } = base.record;
  const put = { id: base.id, record, expireIn: grace };
  return subject === undefined ? put : { ...put, subject };
}
