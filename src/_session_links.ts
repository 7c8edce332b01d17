/**
 * What a request has tied to its session: its signal, and its sockets.
 *
 * @module
 */

import type { LoadedState } from "./_session_io.ts";
import type { SessionSocket } from "./_session_socket.ts";
import type { SessionWatcher, Watcher } from "./_session_watcher.ts";
import { SessionClosedError, SessionEndedError } from "./errors.ts";
import type { EndReason } from "./events.ts";

/** States of a socket (WHATWG WebSockets §3): not every runtime has the global constants. */
const CONNECTING = 0;
const OPEN = 1;

/** The close code of a socket whose session has ended: "Unauthorized" in IANA's registry. */
const SOCKET_CLOSE_CODE = 3000;

/** A session that is stored. */
type Stored = Pick<LoadedState, "id" | "record">;

/** A tie to the session, and how to let go of it, if it is watched yet. */
interface Link {
  readonly watcher: Watcher;
  release: (() => void) | undefined;
  /** Tells of an end that counts only if the request does not sign in after all. */
  pending: (() => void) | undefined;
}

/** What the ties of a request need of it. */
export interface LinksHost {
  /** Whether it is about to sign in, and so to have a session of its own. */
  readonly signsIn: boolean;
  /** Called when the session has got a new id from another request. */
  moved(id: string): void;
}

/** The ties of one request to its session. */
export class SessionLinks {
  readonly #watcher: SessionWatcher;
  readonly #host: LinksHost;
  /** The session that is watched; `undefined` until it is stored. */
  #stored: Stored | undefined;
  readonly #links = new Set<Link>();
  #signal:
    | { readonly controller: AbortController; readonly link: Link }
    | undefined;
  #closed = false;

  /**
   * Constructs the ties.
   *
   * @param watcher What watches.
   * @param stored The session; `undefined` until it is stored.
   * @param host What the ties are told of, and what they ask.
   */
  constructor(
    watcher: SessionWatcher,
    stored: Stored | undefined,
    host: LinksHost,
  ) {
    this.#watcher = watcher;
    this.#stored = stored;
    this.#host = host;
  }

  /** The signal that aborts when the session ends. */
  get signal(): AbortSignal {
    if (this.#signal !== undefined) return this.#signal.controller.signal;
    if (this.#closed) {
      throw new SessionClosedError(
        `Cannot get session signal: want it to be read before the response is returned: received a later first read`,
      );
    }
    const controller = new AbortController();
    const link = this.#link((reason) => controller.abort(endedError(reason)));
    this.#signal = { controller, link };
    return controller.signal;
  }

  /** Whether the signal is in use, so that the end of the response's body matters. */
  get signalled(): boolean {
    return this.#signal !== undefined &&
      !this.#signal.controller.signal.aborted;
  }

  /**
   * Closes a socket when the session ends; lets go when the socket closes.
   *
   * A handshake may fail without any event: until it has succeeded, nothing is held.
   *
   * @param socket The socket.
   */
  attach(socket: SessionSocket): void {
    if (socket.readyState === OPEN) this.#hold(socket);
    else if (socket.readyState === CONNECTING) {
      socket.addEventListener("open", () => this.#hold(socket), { once: true });
    }
  }

  /** Follows the session to the id under which it was stored. */
  follow({ id, record }: Stored): void {
    const isSame = this.#stored?.id === id;
    this.#stored = { id, record };
    if (isSame) return;
    for (const link of this.#links) {
      link.pending = undefined;
      link.release?.();
      link.release = this.#watcher.watch(id, record, link.watcher);
    }
  }

  /** Notes that the response is on its way: too late for a first read of the signal. */
  close(): void {
    this.#closed = true;
    this.#tellPending();
  }

  /** Lets go of the signal: the response is complete. */
  release(): void {
    this.#closed = true;
    if (this.#signal !== undefined) this.#unlink(this.#signal.link);
  }

  /** Lets go of everything: the request failed. */
  discard(): void {
    this.#closed = true;
    this.#tellPending();
    for (const link of this.#links) this.#unlink(link);
  }

  /** Tells of ends that count after all. */
  #tellPending(): void {
    for (const link of this.#links) {
      const { pending } = link;
      link.pending = undefined;
      pending?.();
    }
  }

  #hold(socket: SessionSocket): void {
    const link = this.#link((reason) =>
      socket.close(SOCKET_CLOSE_CODE, `session ended: ${reason}`)
    );
    socket.addEventListener("close", () => this.#unlink(link), { once: true });
  }

  #link(end: (reason: EndReason) => void): Link {
    const watcher = {
      ended: (reason: EndReason) => {
        // of the session that the sign-in is about to leave behind
        if (this.#host.signsIn) link.pending = () => end(reason);
        else end(reason);
      },
      moved: (id: string) => this.#move(id),
    };
    const link: Link = { watcher, release: undefined, pending: undefined };
    this.#links.add(link);
    if (this.#stored !== undefined) {
      const { id, record } = this.#stored;
      link.release = this.#watcher.watch(id, record, watcher);
    }
    return link;
  }

  #move(id: string): void {
    if (this.#stored === undefined || this.#stored.id === id) return;
    this.#stored = { ...this.#stored, id };
    this.#host.moved(id);
  }

  #unlink(link: Link): void {
    this.#links.delete(link);
    link.release?.();
  }
}

function endedError(reason: EndReason): SessionEndedError {
  return new SessionEndedError(
    `Cannot continue with session: it must not have ended: received ${reason}`,
    { reason },
  );
}
