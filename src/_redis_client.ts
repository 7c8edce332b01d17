/**
 * What `RedisStore` needs of a Redis client.
 *
 * @module
 */

import { createHash } from "node:crypto";

/** Keys and arguments of a script. */
export interface RedisEvalOptions {
  /** The keys that the script touches. */
  keys: string[];
  /** Its other arguments. */
  arguments: string[];
}

/**
 * What `RedisStore` needs of a client.
 *
 * Those of `npm:redis` have it, single (`createClient`), with Sentinel
 * (`createSentinel`) and of a cluster (`createCluster`).
 */
export interface RedisClient {
  /** Reads several keys. */
  mGet(keys: string[]): Promise<unknown>;
  /** Runs a script. */
  eval(script: string, options: RedisEvalOptions): Promise<unknown>;
  /** Runs a script that the server knows. */
  evalSha(sha1: string, options: RedisEvalOptions): Promise<unknown>;
  /** Makes a client of the same configuration, for `watch`. */
  duplicate?(): RedisSubscriber;
}

/** What `RedisStore` needs of a client that subscribes to channels. */
export interface RedisSubscriber {
  /** Opens the connection. */
  connect(): Promise<unknown>;
  /** Closes the connection at once. */
  destroy(): unknown;
  /** Listens to channels. */
  subscribe(
    channels: string[],
    listener: (message: string, channel: string) => void,
  ): Promise<unknown>;
  /** Listens to a channel no longer. */
  unsubscribe(channel: string): Promise<unknown>;
  /** Listens to events of the connection. */
  on(event: string, listener: () => void): unknown;
}

/**
 * Checks that a client is one, and asks the server whenever it is asked.
 *
 * @param client What was given as the client of a store.
 * @throws {TypeError} If it is none, or keeps what it has read.
 */
export function checkClient(client: unknown): void {
  const { mGet, eval: run, evalSha, clientSideCache } = (client ?? {}) as
    & Partial<RedisClient>
    & { clientSideCache?: unknown };
  if (![mGet, run, evalSha].every((method) => typeof method === "function")) {
    throw new TypeError(
      "Cannot create RedisStore: want a client of npm:redis, with mGet, eval and evalSha: received something else",
    );
  }
  // it would hear of another process's write, a revocation for example, some time after it
  if (clientSideCache !== undefined) {
    throw new TypeError(
      "Cannot create RedisStore: want a client that asks the server each time: received one with clientSideCache",
    );
  }
}

/** A script that runs on the server as one step. */
export class RedisScript {
  readonly #text: string;
  readonly #sha1: string;

  constructor(text: string) {
    this.#text = text;
    this.#sha1 = createHash("sha1").update(text).digest("hex");
  }

  /**
   * Runs the script; its text travels only if the server does not know it.
   *
   * @param client The client.
   * @param options Keys and arguments.
   * @returns What the script returned.
   */
  async run(client: RedisClient, options: RedisEvalOptions): Promise<unknown> {
    try {
      return await client.evalSha(this.#sha1, options);
    } catch (error) {
      // nothing has run: the server was restarted, or is another one
      if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) {
        throw error;
      }
      return await client.eval(this.#text, options);
    }
  }
}
