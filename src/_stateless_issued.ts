/**
 * What a process knows of the stateless sessions that it has changed itself.
 *
 * @module
 */

import { RecentMap } from "./_recent.ts";
import type { Missing } from "./_session_reader.ts";
import type { RefusalReason } from "./events.ts";

/** So many sessions changed last are remembered, or twice that: a token each, of 4 KB at most. */
const MAX_SESSIONS = 1_000;

/** So many tokens, and ends of sessions, are: some bytes each. */
const MAX_NAMES = 10_000;

/** A token, told from all others by its version. */
export interface NamedToken {
  /** The public id of its session. */
  readonly id: string;
  /** What no two tokens share. */
  readonly version: string;
}

/** A token that this process has issued. */
export interface IssuedToken extends NamedToken {
  /** Its text. */
  readonly token: string;
}

/** What becomes of the id that a session had before. */
export interface Move {
  /** Why it is refused. */
  readonly reason: RefusalReason;
  /** Until when it leads to the session all the same, in epoch milliseconds. */
  readonly until: number;
}

/** A session, under whatever id. */
interface Line {
  newest: IssuedToken | undefined;
  /** Settled when nobody commits to it. */
  idle: Promise<unknown>;
}

/** Why an id is dead; and where it leads until then, if it was replaced. */
interface Gone extends Move {
  readonly to: string | undefined;
}

/**
 * Remembers the newest token of each session, and which sessions have ended.
 *
 * Nobody else could say which of two tokens is newer: both verify. It is bounded, and
 * ends with the process.
 */
export class IssuedTokens {
  readonly #lines = new RecentMap<string, Line>(MAX_SESSIONS);
  readonly #versions = new RecentMap<string, true>(MAX_NAMES);
  readonly #gone = new RecentMap<string, Gone>(MAX_NAMES);

  /**
   * Finds the newest token of the session that a token carries.
   *
   * @param carried The token.
   * @param now The time, in epoch milliseconds.
   * @param isLoaded Whether it was brought in time: then a replaced id leads on for ever; no by
   *   default.
   * @returns The newest token, which may be this one, or why the session has ended;
   *   `undefined` if nothing is known of the token, as where another process issued it.
   */
  newestFor(
    { id, version }: NamedToken,
    now: number,
    isLoaded = false,
  ): IssuedToken | Missing | undefined {
    let isInTime = true;
    for (let at = id;;) {
      const gone = this.#gone.get(at);
      if (gone === undefined) {
        const newest = this.#lines.get(at)?.newest;
        // with the newest one forgotten, what is brought in time is still the session
        if (at !== id) {
          return newest ??
            (isInTime ? undefined : { missing: "unknown", id: at });
        }
        return this.#versions.get(version) && newest;
      }
      const { to, until, reason } = gone;
      isInTime &&= now < until;
      if (to === undefined || !isInTime && !isLoaded) {
        return { missing: reason, id: at };
      }
      at = to;
    }
  }

  /**
   * Runs the commits to a session one after the other.
   *
   * @param id The id that it was loaded under.
   * @param commit Commits.
   * @returns What that returns.
   */
  inTurn<T>(id: string, commit: () => Promise<T>): Promise<T> {
    const line = this.#lineOf(id);
    const result = line.idle.then(commit);
    line.idle = result.then(() => {}, () => {});
    return result;
  }

  /**
   * Notes that a token was issued.
   *
   * @param issued The token.
   * @param base The one that it was made from, if there was one.
   * @param move What becomes of that one's id, if it is another.
   */
  issue(issued: IssuedToken, base?: NamedToken, move?: Move): void {
    const line = this.#lineOf(base?.id ?? issued.id);
    line.newest = issued;
    this.#lines.set(issued.id, line);
    this.#versions.set(issued.version, true);
    if (base === undefined) return;
    this.#versions.set(base.version, true);
    if (move === undefined) return;
    const to = move.reason === "rotated" ? undefined : issued.id;
    this.#gone.set(base.id, { ...move, to });
  }

  /** Notes that a session has ended. */
  end(id: string, reason: RefusalReason): void {
    this.#gone.set(id, { reason, until: 0, to: undefined });
  }

  #lineOf(id: string): Line {
    let line = this.#lines.get(id);
    if (line === undefined) {
      line = { newest: undefined, idle: Promise.resolve() };
      this.#lines.set(id, line);
    }
    return line;
  }
}
