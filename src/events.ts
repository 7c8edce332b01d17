/**
 * What a session manager reports about the life of its sessions.
 *
 * @module
 */

import type { SessionValidationIssue } from "./errors.ts";

/**
 * Why a session ended.
 *
 * - `idle-timeout`, `absolute-timeout`: it expired.
 * - `logout`: its user ended it, by `logout` or `destroy`.
 * - `revoked`: it was ended by `revoke` or `revokeAll`, or elsewhere in a way
 *   that cannot be known here.
 * - `rotated`: a `login` replaced its id.
 * - `evicted`: it was the oldest when its subject had `maxSessionsPerSubject`.
 */
export type EndReason =
  | "idle-timeout"
  | "absolute-timeout"
  | "logout"
  | "revoked"
  | "rotated"
  | "evicted";

/**
 * Why a token that a request brought did not lead to a session.
 *
 * - `malformed`: no token of this package: wrong length or alphabet.
 * - `bad-signature`: not signed with one of the `secrets` for this transport.
 * - `unknown`: there is no such session; what ended it cannot be known here.
 * - `bad-secret`: there is such a session, but this is not its secret.
 * - `duplicate`: two different live sessions came under one name.
 * - `corrupt`: what the store holds is no record of this version.
 * - an {@linkcode EndReason}: the session ended, and it is known how.
 */
export type RefusalReason =
  | "malformed"
  | "bad-signature"
  | "unknown"
  | "bad-secret"
  | "duplicate"
  | "corrupt"
  | EndReason;

/** What every event carries. */
export interface SessionEventBase {
  /** When it happened, on the manager's clock, in epoch milliseconds. */
  readonly at: number;
  /** The public id of the session, where there is one; never a credential. */
  readonly id?: string;
}

/** A session was stored for the first time. */
export interface SessionCreatedEvent extends SessionEventBase {
  /** Discriminates the union. */
  readonly type: "created";
  /** The public id of the session. */
  readonly id: string;
}

/** A request brought a token that did not lead to a session: it is anonymous. */
export interface SessionRefusedEvent extends SessionEventBase {
  /** Discriminates the union. */
  readonly type: "refused";
  /** Why the token was refused. */
  readonly reason: RefusalReason;
}

/** A session got a new id. */
export interface SessionRegeneratedEvent extends SessionEventBase {
  /** Discriminates the union. */
  readonly type: "regenerated";
  /** The new public id of the session. */
  readonly id: string;
  /** The public id it replaces, which still leads here for `rotationGrace`. */
  readonly previousId: string;
}

/** A subject signed in. */
export interface SessionLoginEvent extends SessionEventBase {
  /** Discriminates the union. */
  readonly type: "login";
  /** The public id of the session, new with the login. */
  readonly id: string;
}

/** A session ended. */
export interface SessionEndedEvent extends SessionEventBase {
  /** Discriminates the union. */
  readonly type: "ended";
  /** The public id of the session. */
  readonly id: string;
  /** Why it ended. */
  readonly reason: EndReason;
}

/** The changes of a request were dropped: its session had ended meanwhile. */
export interface SessionDroppedEvent extends SessionEventBase {
  /** Discriminates the union. */
  readonly type: "dropped";
  /** The public id of the session. */
  readonly id: string;
  /** Why the session ended, `unknown` if another process ended it. */
  readonly reason: RefusalReason;
}

/** Another writer came first; the commit is tried again on the newest data. */
export interface SessionConflictEvent extends SessionEventBase {
  /** Discriminates the union. */
  readonly type: "conflict";
  /** The public id of the session. */
  readonly id: string;
  /** How many tries have failed so far: 1 or more. */
  readonly attempt: number;
}

/** Stored data did not fit the `schema`. */
export interface SessionInvalidEvent extends SessionEventBase {
  /** Discriminates the union. */
  readonly type: "invalid";
  /** The public id of the session. */
  readonly id: string;
  /** What the schema complained about. */
  readonly issues: readonly SessionValidationIssue[];
}

/** Something that the operator should know and change. */
export interface SessionWarningEvent extends SessionEventBase {
  /** Discriminates the union. */
  readonly type: "warning";
  /** What is wrong, what it leads to, and what to change. */
  readonly message: string;
}

/** The store failed, or took longer than `storeTimeout`. */
export interface SessionStoreErrorEvent extends SessionEventBase {
  /** Discriminates the union. */
  readonly type: "store-error";
  /** What the store threw; a {@linkcode SessionStoreError} if it took too long. */
  readonly error: unknown;
}

/** Everything that a manager reports to `onEvent`, discriminated by `type`. */
export type SessionEvent =
  | SessionCreatedEvent
  | SessionRefusedEvent
  | SessionRegeneratedEvent
  | SessionLoginEvent
  | SessionEndedEvent
  | SessionDroppedEvent
  | SessionConflictEvent
  | SessionInvalidEvent
  | SessionWarningEvent
  | SessionStoreErrorEvent;
