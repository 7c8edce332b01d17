/**
 * What the session of a request is made of, and what it has to tell.
 *
 * @module
 */

import type { Committer } from "./_committer.ts";
import type { Endings } from "./_endings.ts";
import type { RecentMap } from "./_recent.ts";
import type { StoredSession } from "./_session_reader.ts";
import type { SessionWatcher } from "./_session_watcher.ts";
import type { Settings } from "./_settings.ts";
import type { SessionTransport } from "./session_transport.ts";

/** Who a session is loaded for. */
export interface RequestOrigin {
  /** The transport that the answer goes out by; `undefined` outside of requests. */
  readonly transport: SessionTransport | undefined;
  /** The request headers that the transports which were asked for a token depend on. */
  readonly vary: readonly string[];
  /** Whether the token needs to be issued anew: an older key signed it. */
  readonly stale: boolean;
}

/** What the response tells the client. */
export type Answer =
  | {
    readonly type: "token";
    readonly token: string;
    readonly lifetime: number | undefined;
    /** The secret in the token. */
    readonly secret: string | undefined;
    /** When it was issued, in epoch milliseconds. */
    readonly issuedAt: number;
  }
  | { readonly type: "clear" };

/** The manager's parts that the session of a request works with. */
export interface SessionParts {
  /** The settings. */
  readonly settings: Settings;
  /** What commits it. */
  readonly committer: Committer;
  /** What watches for its end. */
  readonly watcher: SessionWatcher;
  /** What is known of the ends of sessions. */
  readonly endings: Endings;
  /** The ids that sessions have had, by those that requests have chosen for them. */
  readonly renamings: RecentMap<string, string>;
}

/** What a request brought. */
export interface LoadResult {
  /** Who the session is loaded for. */
  readonly origin: RequestOrigin;
  /** The session, if it brought a living one. */
  readonly loaded: StoredSession | undefined;
}
