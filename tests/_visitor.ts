/**
 * A browser whose requests do what the test says.
 *
 * @module
 */

import { assert } from "@std/assert";
import {
  type Session,
  type SessionEvent,
  SessionManager,
  type SessionOptions,
  type UntypedData,
} from "@tessera/session";
import { TestClient } from "@tessera/session/testing";
import { SpyStore } from "./_spy_store.ts";

const COOKIE = "__Host-session";

/** Visits an app whose handler is given with each visit. */
export class Visitor<
  Data extends object = UntypedData,
  Flash extends object = UntypedData,
> {
  /** The manager of the sessions. */
  readonly sessions: SessionManager<Data, Flash>;
  /** The browser. */
  readonly client: TestClient;
  /** The events of the manager, oldest first; none if it was given. */
  readonly events: SessionEvent[] = [];
  /** The response to the last visit that came to its end. */
  response = new Response();
  readonly #visits = new Map<
    string,
    (session: Session<Data, Flash>) => Promise<void>
  >();

  /** Takes options, or a manager, and with it the clock of the browser. */
  constructor(
    options: SessionOptions<Data> | SessionManager<Data, Flash> = {},
    clock = options instanceof SessionManager ? undefined : options.clock,
  ) {
    this.sessions = options instanceof SessionManager
      ? options
      : new SessionManager<Data, Flash>({
        store: new SpyStore(),
        onEvent: (event) => this.events.push(event),
        ...options,
      });
    this.client = new TestClient((request) => {
      const visit = this.#visits.get(new URL(request.url).pathname);
      assert(visit !== undefined);
      return this.sessions.handle(request, async (session) => {
        await visit(session);
        return new Response("visited");
      });
    }, clock === undefined ? {} : { clock });
  }

  /** The token that the browser has, the empty string if it has none. */
  get token(): string {
    return this.client.cookie(COOKIE)?.value ?? "";
  }

  /** Sends a request whose handler is `run`, and returns what that returned. */
  async visit<T>(
    run: (session: Session<Data, Flash>) => T | Promise<T>,
  ): Promise<T> {
    const path = `/${this.#visits.size}`;
    const results: T[] = [];
    this.#visits.set(path, async (session) => {
      results.push(await run(session));
    });
    this.response = await this.client.get(path);
    return results[0] as T;
  }

  /** Reads everything that the session holds, in a request of its own. */
  async read(): Promise<[string, unknown][]> {
    return await this.visit((session) =>
      [...session.entries()] as [string, unknown][]
    );
  }
}
