/**
 * Watching of records by publish and subscribe.
 *
 * @module
 */

import type { RedisClient, RedisSubscriber } from "./_redis_client.ts";

/** One call of `watch`: the same function may be given twice. */
interface Listener {
  readonly changed: () => void;
}

/**
 * Listens to channels through one connection, which is there while anyone
 * listens.
 *
 * A failure is silent: what is heard is a hint, and polls stand behind it.
 */
export class RedisSubscriptions {
  readonly #client: RedisClient;
  readonly #listeners = new Map<string, Set<Listener>>();
  /** The channels that are being left, until the server has said so. */
  readonly #leaving = new Map<string, Promise<void>>();
  #connection: RedisSubscriber | undefined;
  #connected = false;

  constructor(client: RedisClient) {
    this.#client = client;
  }

  /**
   * Calls back for each message of a channel, and when one may have been
   * missed: once the subscription stands, and when a lost connection is back.
   *
   * @param channel The channel.
   * @param changed The callback.
   * @param signal Ends it.
   */
  listen(channel: string, changed: () => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    const listener: Listener = { changed };
    const known = this.#listeners.get(channel);
    const listeners = known ?? new Set();
    this.#listeners.set(channel, listeners.add(listener));
    signal.addEventListener("abort", () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#leave(channel);
    }, { once: true });
    if (this.#connection === undefined) void this.#connect();
    else if (known === undefined) void this.#subscribe([channel]);
  }

  async #connect(): Promise<void> {
    let connection: RedisSubscriber | undefined;
    try {
      connection = this.#client.duplicate?.();
      if (connection === undefined) return;
      this.#connection = connection;
      // without a listener, an error would end the process
      connection.on("error", () => {});
      connection.on("terminated", () => this.#forget(connection));
      await connection.connect();
    } catch {
      this.#forget(connection);
      return;
    }
    // nobody listens any more: what is closed while it connects may open yet
    if (this.#connection !== connection) return close(connection);
    this.#connected = true;
    connection.on("ready", () => this.#notify([...this.#listeners.keys()]));
    await this.#subscribe([...this.#listeners.keys()]);
  }

  /** Gives up a connection that has failed for good; the next watch makes another. */
  #forget(connection: RedisSubscriber | undefined): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#connected = false;
  }

  async #subscribe(channels: string[]): Promise<void> {
    // the answer to an earlier UNSUBSCRIBE would take the new listener with it
    for (const channel of channels) {
      for (
        let left = this.#leaving.get(channel);
        left !== undefined;
        left = this.#leaving.get(channel)
      ) await left;
    }
    const wanted = channels.filter((channel) => this.#listeners.has(channel));
    // until it is connected, the channels wait in the list of listeners
    if (this.#connection === undefined || !this.#connected) return;
    if (wanted.length === 0) return;
    try {
      await this.#connection.subscribe(
        wanted,
        (_message, channel) => this.#notify([channel]),
      );
      this.#notify(wanted);
    } catch {
      // see above
    }
  }

  #leave(channel: string): void {
    this.#listeners.delete(channel);
    const connection = this.#connection;
    if (connection === undefined) return;
    if (this.#listeners.size === 0) {
      this.#forget(connection);
      close(connection);
    } else if (this.#connected) {
      const left = connection.unsubscribe(channel).catch(() => {}).then(() => {
        if (this.#leaving.get(channel) === left) this.#leaving.delete(channel);
      });
      this.#leaving.set(channel, left);
    }
  }

  #notify(channels: readonly string[]): void {
    for (const channel of channels) {
      for (const { changed } of [...this.#listeners.get(channel) ?? []]) {
        changed();
      }
    }
  }
}

function close(connection: RedisSubscriber): void {
  try {
    connection.destroy();
  } catch {
    // it is closed already
  }
}
