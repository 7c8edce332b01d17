/**
 * What a request has tied to its session: its signal, and its sockets.
 *
 * @module
 */

import type { SessionWatcher, Watcher } from "./_session_watcher.ts";
import { SessionClosedError, SessionEndedError } from "./errors.ts";
import type { EndReason } from "./events.ts";

/** The close code of a socket whose session has ended: "Unauthorized" in IANA's registry. */
const SOCKET_CLOSE_CODE = 3000;

/** A tie to the session, and how to let go of it, if it is watched yet. */
interface Link {
  readonly watcher: Watcher;
  release: (() => void) | undefined;
}

/** The ties of one request to its session. */
export class SessionLinks {
  readonly #watcher: SessionWatcher;
  /** The id that is watched; `undefined` until the session is stored. */
  #id: string | undefined;
  readonly #links = new Set<Link>();
  #signal:
    | { readonly controller: AbortController; readonly link: Link }
    | undefined;
  #responded = false;

  /**
   * Constructs the ties.
   *
   * @param watcher What watches.
   * @param id The id of the session; `undefined` until it is stored.
   */
  constructor(watcher: SessionWatcher, id: string | undefined) {
    this.#watcher = watcher;
    this.#id = id;
  }

  /** The signal that aborts when the session ends. */
  get signal(): AbortSignal {
    if (this.#signal !== undefined) return this.#signal.controller.signal;
    if (this.#responded) {
      throw new SessionClosedError(
        `Cannot get session signal: want it to be read before the response is returned: received a later first read`,
      );
    }
    const controller = new AbortController();
    const link = this.#link({
      ended: (reason) => controller.abort(endedError(reason)),
    });
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
   * @param socket The socket.
   */
  attach(socket: WebSocket): void {
    if (socket.readyState === WebSocket.CLOSED) return;
    const link = this.#link({ ended: (reason) => closeSocket(socket, reason) });
    socket.addEventListener("close", () => this.#unlink(link), { once: true });
  }

  /** Follows the session to the id under which it was stored. */
  follow(id: string): void {
    if (this.#id === id) return;
    this.#id = id;
    for (const link of this.#links) {
      link.release?.();
      link.release = this.#watcher.watch(id, link.watcher);
    }
  }

  /** Notes that the response is complete, or will never have a body: the signal is let go. */
  respond(): void {
    this.#responded = true;
    if (this.#signal !== undefined) this.#unlink(this.#signal.link);
  }

  /** Lets go of everything: the request failed. */
  discard(): void {
    this.#responded = true;
    for (const link of this.#links) this.#unlink(link);
  }

  #link(watcher: Watcher): Link {
    const link: Link = { watcher, release: undefined };
    this.#links.add(link);
    if (this.#id !== undefined) {
      link.release = this.#watcher.watch(this.#id, watcher);
    }
    return link;
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

/** A socket that is still connecting can be closed only once it is open. */
function closeSocket(socket: WebSocket, reason: EndReason): void {
  const close = () =>
    socket.close(SOCKET_CLOSE_CODE, `session ended: ${reason}`);
  if (socket.readyState === WebSocket.CONNECTING) {
    socket.addEventListener("open", close, { once: true });
  } else if (socket.readyState === WebSocket.OPEN) close();
}
