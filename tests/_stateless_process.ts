/**
 * A process that serves stateless sessions.
 *
 * @module
 */

import {
  type Session,
  SessionManager,
  type SessionOptions,
} from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { Events, get, getWith, key, tokenOf } from "./_helpers.ts";

/** A day, after which a touch is due. */
export const DAY = { days: 1 };

/** A process, whose requests end when the test says so. */
export class Process {
  readonly clock: TestClock;
  readonly sessions: SessionManager;
  readonly #events = new Events();

  constructor(options: SessionOptions = {}, clock = new TestClock()) {
    this.clock = clock;
    this.sessions = new SessionManager({
      stateless: true,
      secrets: [key("a")],
      clock: clock.now,
      onEvent: this.#events.push,
      ...options,
    });
  }

  /** Begins a request. */
  begin(token = ""): Promise<Session> {
    return this.sessions.load(token === "" ? get() : getWith(token));
  }

  /** Ends a request; returns the token that its response brings, `"clear"`, or nothing. */
  async end(session: Session): Promise<string> {
    const response = await this.sessions.commit(session, new Response());
    const [line = ""] = response.headers.getSetCookie();
    return line.includes("Max-Age=0")
      ? "clear"
      : line === ""
      ? ""
      : tokenOf(response);
  }

  /** Sends a request that does something; returns the token that the client has then. */
  async visit(
    token: string,
    run: (session: Session) => void = () => {},
  ): Promise<string> {
    const session = await this.begin(token);
    run(session);
    return await this.end(session) || token;
  }

  /** Reads what a token leads to. */
  async read(token: string): Promise<unknown> {
    const session = await this.begin(token);
    return session.isNew ? undefined : Object.fromEntries(session.entries());
  }

  /** The events since it was asked last. */
  events(): string[] {
    return this.#events.take();
  }

  /** Signs in; returns the token. */
  async signIn(): Promise<string> {
    const token = await this.visit("", (session) => session.login("ada"));
    this.events();
    return token;
  }
}
