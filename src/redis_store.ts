/**
 * A store that keeps sessions in Redis.
 *
 * The client is yours, so this module depends on none: it takes those of
 * [`npm:redis`](https://www.npmjs.com/package/redis), the official one.
 *
 * ```ts ignore
 * import { createClient } from "npm:redis@^6";
 * import { withSession } from "@tessera/session";
 * import { RedisStore } from "@tessera/session/redis";
 *
 * const client = createClient({
 *   url: "redis://127.0.0.1:6379",
 *   disableOfflineQueue: true,
 *   commandsQueueMaxLength: 10_000,
 * });
 * client.on("error", (error) => console.error(error.message));
 * await client.connect();
 *
 * Deno.serve(withSession((_request, session) => {
 *   session.update<number>("count", (count = 0) => count + 1);
 *   return Response.json({ count: session.get("count") });
 * }, { store: new RedisStore(client) }));
 * ```
 *
 * A record is JSON; what JSON has no words for is a tag, as `{"$date":"2026-01-01T00:00:00.000Z"}`
 * or `{"$map":[[key,value],…]}`: docs/encoding.md in the repository lists them all.
 *
 * @module
 */

import { checkLimit, checkOptions, describeValue } from "./_check.ts";
import { nextNonce } from "./_nonce.ts";
import { checkClient, type RedisClient } from "./_redis_client.ts";
import { toCall } from "./_redis_commit.ts";
import { fromMember, RedisKeys, toMember } from "./_redis_keys.ts";
import { RedisReader } from "./_redis_reader.ts";
import { COMMIT_SCRIPT, LIST_SCRIPT } from "./_redis_scripts.ts";
import { RedisSubscriptions } from "./_redis_subscriptions.ts";
import { fromValue } from "./_redis_value.ts";
import type {
  ListedRecord,
  SessionStore,
  StoreCommit,
  StoreCommitResult,
  StoreListOptions,
  VersionedRecord,
} from "./session_store.ts";

export type {
  RedisClient,
  RedisEvalOptions,
  RedisSubscriber,
} from "./_redis_client.ts";

/** Largest string that Redis keeps, short of what surrounds a record in it. */
const LARGEST_RECORD_BYTES = 536_870_912 - 64;
/** A list asks for this many records first, then for so many characters. */
const FIRST_PAGE = 10;
const PAGE_LENGTH = 1_000_000;
const LARGEST_PAGE = 250;

/** Options of {@linkcode RedisStore}. */
export interface RedisStoreOptions {
  /**
   * What every key and channel starts with.
   *
   * What stands in braces is a hash tag: on a cluster, keys with the same one
   * are on the same node, as they must be to change together. Without one the
   * store works on a single server only.
   *
   * @default `"{sessions}"`
   */
  prefix?: string | undefined;
  /**
   * Largest record, in bytes of its encoding: a larger one is a
   * `SessionTooLargeError`. An integer from 1 to 536,870,848, what Redis takes
   * unless it is configured for less: then it closes the connection.
   *
   * @default {536_870_848}
   */
  maxRecordBytes?: number | undefined;
}

/**
 * Keeps session records in Redis 7 or Valkey.
 *
 * - A record is a string, `<prefix>:id:<id>`, of readable JSON, with `PEXPIRE`.
 * - The sorted set `<prefix>:ids` has the ids of all records, and
 *   `<prefix>:subject:<SHA-256 of the subject>` those of a subject. An index
 *   goes when the last of its records does; entries of records that went
 *   earlier are removed bit by bit, as others are added, and by lists.
 * - A commit is one script, which runs as one step, in one round trip. Reads of
 *   one turn of the event loop share an `MGET`, and what else happens in one
 *   turn is pipelined by the client.
 * - Commits publish on `<prefix>:changed:<id>`. `watch` listens through one
 *   connection for the whole store, a `duplicate()` of the client, which is
 *   open only while something is watched.
 *
 * The client is the caller's: to configure, to connect, to close. Its failures
 * are thrown as they are. Give it `disableOfflineQueue: true`: while the server
 * is away it then fails at once, rather than keep commands and carry them out
 * when nobody waits for them any more. And give it a `commandsQueueMaxLength`.
 * An answer that never comes is ended by the manager's `storeTimeout`.
 *
 * A client with `clientSideCache` is refused, for it hears late of what others
 * have written: a session that was revoked elsewhere would live on for a moment.
 * What a pool is made of, or the `nodeClientOptions` of Sentinel, cannot be seen:
 * leave it out there, too.
 *
 * What Redis forgets is gone: persist it (`appendonly yes`), and let it evict
 * nothing (`maxmemory-policy noeviction`).
 *
 * @example Sessions in Redis
 * ```ts ignore
 * import { createClient } from "npm:redis@^6";
 * import { SessionManager } from "@tessera/session";
 * import { RedisStore } from "@tessera/session/redis";
 *
 * const client = createClient({
 *   disableOfflineQueue: true,
 *   commandsQueueMaxLength: 10_000,
 * });
 * client.on("error", (error) => console.error(error.message));
 * await client.connect();
 * const sessions = new SessionManager({ store: new RedisStore(client) });
 * ```
 */
export class RedisStore implements SessionStore {
  readonly #client: RedisClient;
  readonly #keys: RedisKeys;
  readonly #reader: RedisReader;
  readonly #subscriptions: RedisSubscriptions;
  readonly #maxRecordBytes: number;

  /**
   * Constructs a store; nothing is sent yet.
   *
   * @example A prefix of one's own, and a limit
   * ```ts ignore
   * import { RedisStore } from "@tessera/session/redis";
   *
   * const store = new RedisStore(client, {
   *   prefix: "{shop:sessions}",
   *   maxRecordBytes: 1_000_000,
   * });
   * ```
   *
   * @param client A client of `npm:redis`, without `clientSideCache`, which stays
   *   yours to connect and to close.
   * @param options The prefix of the keys, and the largest record.
   * @throws {TypeError} If an argument is not what it must be.
   * @throws {RangeError} If `maxRecordBytes` is out of its range.
   */
  constructor(client: RedisClient, options: RedisStoreOptions = {}) {
    const { prefix = "{sessions}", maxRecordBytes = LARGEST_RECORD_BYTES } =
      checkOptions("create RedisStore", options, ["prefix", "maxRecordBytes"]);
    checkClient(client);
    if (typeof prefix !== "string" || !prefix.isWellFormed()) {
      throw new TypeError(
        `Cannot create RedisStore: "prefix" must be a well-formed string: received ${
          describeValue(prefix)
        }`,
      );
    }
    if (
      !Number.isSafeInteger(maxRecordBytes) || maxRecordBytes < 1 ||
      maxRecordBytes > LARGEST_RECORD_BYTES
    ) {
      throw new RangeError(
        `Cannot create RedisStore: "maxRecordBytes" must be an integer from 1 to ${LARGEST_RECORD_BYTES}: received ${
          String(maxRecordBytes)
        }`,
      );
    }
    this.#client = client;
    this.#keys = new RedisKeys(prefix);
    this.#reader = new RedisReader(client);
    this.#subscriptions = new RedisSubscriptions(client);
    this.#maxRecordBytes = maxRecordBytes;
  }

  /**
   * Reads a record.
   *
   * @example Reading what a commit wrote
   * ```ts ignore
   * const found = await store.get(session.id);
   * console.log(found?.record); // { v: 1, data: Map(1) { "count" => 1 }, … }
   * console.log(await client.get(`{sessions}:id:${session.id}`));
   * // {"version":"…","record":{"v":1,"data":{"$map":[["count",1]]},…}}
   * ```
   *
   * @param id The id of the record; any string.
   * @returns The record and its version, or `undefined` if there is none. A
   *   damaged one is `undefined` with a version.
   */
  async get(id: string): Promise<VersionedRecord | undefined> {
    return fromValue(await this.#reader.read(this.#keys.record(toMember(id))));
  }

  /**
   * Changes records, all or nothing.
   *
   * @param commit What to check, put and delete.
   * @returns `ok: false` if a check did not hold, and then nothing was changed.
   * @throws {SessionTooLargeError} If a record is over `maxRecordBytes`; nothing
   *   was changed.
   * @throws {TypeError} If a record holds what structured clone cannot carry;
   *   nothing was changed.
   * @throws {RangeError} If an `expireIn` is not an integer of 1 or more;
   *   nothing was changed.
   */
  async commit(commit: StoreCommit): Promise<StoreCommitResult> {
    const version = nextNonce();
    // synchronous: the records are encoded before the caller can change them
    const call = toCall(commit, version, this.#keys, this.#maxRecordBytes);
    const done = await COMMIT_SCRIPT.run(this.#client, call);
    return Number(done) === 1 ? { ok: true, version } : { ok: false };
  }

  /**
   * Lists records, newest id first, some at a time.
   *
   * @example The newest record of a user
   * ```ts ignore
   * const [newest] = await Array.fromAsync(
   *   store.list({ subject: "ada", limit: 1 }),
   * );
   * ```
   *
   * @param options Which records; all if left out.
   * @returns The records, read as the caller iterates.
   * @throws {RangeError} If `limit` is not an integer of 1 or more, nor `Infinity`.
   */
  async *list(options: StoreListOptions = {}): AsyncGenerator<ListedRecord> {
    const { subject, before, limit = Infinity } = options;
    checkLimit(limit);
    const { ids } = this.#keys;
    const keys = [
      ids,
      subject === undefined ? ids : this.#keys.subject(subject),
    ];
    let below = before === undefined ? "+" : `(${toMember(before)}`;
    let page = FIRST_PAGE;
    for (let left = limit; left > 0;) {
      const [next, ...found] = await LIST_SCRIPT.run(this.#client, {
        keys,
        arguments: [below, String(Math.min(page, left))],
      }) as unknown[];
      let length = 0;
      for (let n = 0; n < found.length; n += 2) {
        const value = String(found[n + 1]);
        length += value.length;
        const record = fromValue(value);
        if (record === undefined) continue;
        left--;
        yield { id: fromMember(String(found[n])), ...record };
      }
      if (String(next) === "") return;
      below = `(${next}`;
      page = nextPage(found.length / 2, length);
    }
  }

  /**
   * Calls back when a record may have changed, in whatever process.
   *
   * Never an error: where subscribing is not possible, nothing is heard.
   *
   * @example Hearing of a change
   * ```ts ignore
   * const controller = new AbortController();
   * store.watch(session.id, () => console.log("changed"), controller.signal);
   * ```
   *
   * @param id The id of the record to watch.
   * @param changed Called after each change, deletion included, and when one
   *   may have been missed.
   * @param signal Ends the watch, and lets go of all it held.
   */
  watch(id: string, changed: () => void, signal: AbortSignal): void {
    const channel = this.#keys.channels + toMember(id);
    this.#subscriptions.listen(channel, changed, signal);
  }
}

/** Says how many records to ask for, by the size of those before. */
function nextPage(count: number, length: number): number {
  if (count === 0) return LARGEST_PAGE;
  const fitting = Math.floor(PAGE_LENGTH / (length / count));
  return Math.min(Math.max(fitting, 1), LARGEST_PAGE);
}
