/**
 * Reading of single records, many at a time.
 *
 * @module
 */

import { afterBurst } from "./_burst.ts";
import type { RedisClient } from "./_redis_client.ts";

/** Keys of one `MGET`. */
const BATCH = 100;

interface Read {
  readonly key: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Reads values; the reads of one turn of the event loop share `MGET`s. */
export class RedisReader {
  readonly #client: RedisClient;
  #queue: Read[] = [];

  constructor(client: RedisClient) {
    this.#client = client;
  }

  /** Reads the value of a key; `null` if there is none. */
  read(key: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ key, resolve, reject });
      if (this.#queue.length > 1) return;
      afterBurst(() => this.#queue.length, () => {
        const queue = this.#queue;
        this.#queue = [];
        for (let start = 0; start < queue.length; start += BATCH) {
          void this.#send(queue.slice(start, start + BATCH));
        }
      });
    });
  }

  /** Reads a batch and settles each of its reads; never rejects. */
  async #send(batch: Read[]): Promise<void> {
    try {
      const keys = batch.map(({ key }) => key);
      const values = await this.#client.mGet(keys) as unknown[];
      for (const [n, { resolve }] of batch.entries()) resolve(values[n]);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
