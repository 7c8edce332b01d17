/**
 * The conditions that a caller of the package may want to catch.
 *
 * Mistakes of the programmer are `TypeError`s and `RangeError`s instead, and
 * nothing that a client sends is ever an error.
 *
 * @module
 */

import type { EndReason } from "./events.ts";

/** Base class of every error that the package defines. */
export class SessionError extends Error {
  /** The name of the error's class. */
  override name = "SessionError";
}

/**
 * Reports that the store failed, or took longer than `storeTimeout`.
 *
 * The `cause` is what the store threw; there is none if it took too long. The
 * session is neither anonymous nor ended because of it, and the client keeps its
 * cookie.
 */
export class SessionStoreError extends SessionError {
  /** The name of the error's class. */
  override name = "SessionStoreError";
}

/**
 * Reports that other writers kept winning until the bounded retries ran out.
 *
 * Nothing of the commit was written.
 */
export class SessionConflictError extends SessionError {
  /** The name of the error's class. */
  override name = "SessionConflictError";
}

/**
 * Reports a use that came too late: a change after the commit or after the request
 * failed, any use of the data after `destroy`, a first `load` or `signal` after the
 * response.
 *
 * Use `await session.commit()` before a stream starts, and `manager.edit` from
 * sockets and queues.
 */
export class SessionClosedError extends SessionError {
  /** The name of the error's class. */
  override name = "SessionClosedError";
}

/** Reports a use of the session in a request for which `skip` returned `true`. */
export class SessionSkippedError extends SessionError {
  /** The name of the error's class. */
  override name = "SessionSkippedError";
}

/** Options of {@linkcode SessionTooLargeError}. */
export interface SessionTooLargeErrorOptions extends ErrorOptions {
  /** The measured size, in bytes. */
  size: number;
  /** The largest size that fits, in bytes. */
  limit: number;
}

/**
 * Reports that a session is larger than its store, or its cookie, can carry.
 *
 * Nothing of the commit was written; the old data is intact.
 */
export class SessionTooLargeError extends SessionError {
  /** The name of the error's class. */
  override name = "SessionTooLargeError";
  /** The measured size, in bytes. */
  readonly size: number;
  /** The largest size that fits, in bytes. */
  readonly limit: number;

  /**
   * Constructs the error.
   *
   * @param message What could not be done.
   * @param options The sizes, and the cause if there is one.
   */
  constructor(message: string, options: SessionTooLargeErrorOptions) {
    super(message, options);
    this.size = options.size;
    this.limit = options.limit;
  }
}

/** One complaint of a schema, in the shape of Standard Schema. */
export interface SessionValidationIssue {
  /** What is wrong, in the schema's words. */
  readonly message: string;
  /** Where it is wrong: keys from the outside in. */
  readonly path?:
    | ReadonlyArray<PropertyKey | { readonly key: PropertyKey }>
    | undefined;
}

/** Options of {@linkcode SessionValidationError}. */
export interface SessionValidationErrorOptions extends ErrorOptions {
  /** What the schema complained about. */
  issues: readonly SessionValidationIssue[];
}

/**
 * Reports that the data of a session does not fit the `schema`.
 *
 * Nothing of the commit was written; the old data is intact.
 */
export class SessionValidationError extends SessionError {
  /** The name of the error's class. */
  override name = "SessionValidationError";
  /** What the schema complained about. */
  readonly issues: readonly SessionValidationIssue[];

  /**
   * Constructs the error.
   *
   * @param message What could not be done.
   * @param options The issues, and the cause if there is one.
   */
  constructor(message: string, options: SessionValidationErrorOptions) {
    super(message, options);
    this.issues = options.issues;
  }
}

/** Options of {@linkcode SessionEndedError}. */
export interface SessionEndedErrorOptions extends ErrorOptions {
  /** Why the session ended. */
  reason: EndReason;
}

/** The `reason` of an aborted `session.signal`: the session has ended. */
export class SessionEndedError extends SessionError {
  /** The name of the error's class. */
  override name = "SessionEndedError";
  /** Why the session ended. */
  readonly reason: EndReason;

  /**
   * Constructs the error.
   *
   * @param message What happened.
   * @param options The reason, and the cause if there is one.
   */
  constructor(message: string, options: SessionEndedErrorOptions) {
    super(message, options);
    this.reason = options.reason;
  }
}
