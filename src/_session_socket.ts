/**
 * The sockets that a session can close.
 *
 * @module
 */

/**
 * What `attach` needs of a socket: a `WebSocket` of the web standard has it, and one of
 * `npm:ws`.
 */
export interface SessionSocket {
  /** Whether it is connecting (0), open (1), closing (2) or closed (3). */
  readonly readyState: number;
  /** Closes it. */
  close(code: number, reason: string): void;
  /** Calls back, once, when it has opened, and when it has closed. */
  addEventListener(
    type: "open" | "close",
    listener: () => void,
    options: { once: true },
  ): void;
}
