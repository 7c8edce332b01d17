/**
 * What the handle of a session is made of, and what it needs from outside.
 *
 * @module
 */

import type { Lifetimes, SessionRecord } from "./_record.ts";
import type { SessionSocket } from "./_session_socket.ts";

/** What a handle needs from outside. */
export interface SessionIo {
  /** When the request began to use the session, in epoch milliseconds. */
  readonly usedAt: number;
  /** The lifetimes in force. */
  readonly lifetimes: Lifetimes;
  /** Why nothing that the client has to be told must change here, if so. */
  readonly fixedToken: string | undefined;
  /** Whether the request brought a token that was replaced, and led to the session. */
  readonly isForwarded: boolean;
  /** Makes a new public id. */
  nextId(): string;
  /** Commits the session now. */
  commit(): Promise<void>;
  /** Aborts when the session ends. */
  readonly signal: AbortSignal;
  /** Closes a socket when the session ends. */
  attach(socket: SessionSocket): void;
}

/** A session as loaded: its id, its record, and its data as the schema sees it. */
export interface LoadedState {
  /** The public id. */
  readonly id: string;
  /** The record. */
  readonly record: SessionRecord;
  /** The data: the record's, or what the schema made of it. */
  readonly data: ReadonlyMap<string, unknown>;
}
