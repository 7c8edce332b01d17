/**
 * A store that keeps sessions in PostgreSQL.
 *
 * ```ts ignore
 * import postgres from "npm:postgres@^3";
 * import { withSession } from "@tessera/session";
 * import { PostgresStore } from "@tessera/session/postgres";
 *
 * const sql = postgres("postgres://localhost/app", {
 *   connect_timeout: 5, // seconds
 *   backoff: () => 0.5, // seconds between attempts to connect
 * });
 * const store = new PostgresStore(sql);
 * await store.createTable();
 * setInterval(() => store.sweep().catch(console.error), 300_000);
 *
 * Deno.serve(withSession((_request, session) => {
 *   const count = session.get<number>("count") ?? 0;
 *   session.set("count", count + 1);
 *   return Response.json({ count });
 * }, { store }));
 * ```
 *
 * A record is JSON; what JSON has no words for is a tag, as `{"$date":"2026-01-01T00:00:00.000Z"}`
 * or `{"$map":[[key,value],…]}`: docs/encoding.md in the repository lists them all.
 *
 * @module
 */

import { checkOptions, checkType, describeType } from "./_check.ts";
import { acceptsId } from "./_postgres_ids.ts";
import { listRecords } from "./_postgres_list.ts";
import { planCommit } from "./_postgres_plan.ts";
import { PostgresReader } from "./_postgres_reader.ts";
import {
  DEFAULT_TABLE,
  type PostgresSql,
  type PostgresTable,
  toTable,
} from "./_postgres_sql.ts";
import { createTable, sweepTable } from "./_postgres_table.ts";
import { PostgresWatch } from "./_postgres_watch.ts";
import { PostgresWriter } from "./_postgres_writer.ts";
import type {
  ListedRecord,
  SessionStore,
  StoreCommit,
  StoreCommitResult,
  StoreListOptions,
  VersionedRecord,
} from "./session_store.ts";

export type {
  PostgresQueries,
  PostgresQuery,
  PostgresSql,
} from "./_postgres_sql.ts";
export { postgresTable } from "./_postgres_table.ts";

/** Options of {@linkcode PostgresStore}. */
export interface PostgresStoreOptions {
  /**
   * The table: a name, or a schema, a dot and a name, of letters, digits and
   * `_`, 48 characters at most.
   *
   * @default {"tessera_sessions"}
   */
  table?: string | undefined;
  /**
   * Whether concurrent calls travel together. `false`: each call is a statement
   * of its own, which is slower under load and easier to follow.
   *
   * @default {true}
   */
  batch?: boolean | undefined;
  /**
   * Whether `watch` listens for changes, on a connection of its own. `false` for
   * connections through a pooler in transaction mode, which cannot `LISTEN`: the
   * manager's polls remain.
   *
   * @default {true}
   */
  listen?: boolean | undefined;
}

/**
 * Keeps session records in a table of PostgreSQL, through `npm:postgres`.
 *
 * - **One table**, which {@linkcode postgresTable} describes, with one row for
 *   each record. A record is JSON, also for what JSON has no words for.
 * - **One statement** for each commit, safe at `READ COMMITTED` and above, and
 *   sent again if the server reports a `serialization_failure` or a deadlock.
 *   Concurrent reads share statements, and so do concurrent commits, each with an
 *   outcome of its own. A call that comes alone goes out at once.
 * - **Expired rows** stay until {@linkcode PostgresStore.sweep} deletes them.
 *   Run it every few minutes, in as many processes as you like.
 * - **Ids** are any strings of up to 600 characters without NUL and surrogates,
 *   and a record takes at most 16 MiB.
 *
 * The pool is yours, to configure and to end. Its `transform` may rename columns
 * and replace `null`, but not rewrite other values, of which records are made. An
 * error of the driver reaches the manager as it is. Give the pool a
 * `connect_timeout` of a few seconds, and a `backoff` of less than one: the driver
 * waits up to 20 seconds before it looks for a server that was away. Up to 3.4.9
 * it may lose a connection for good that the server cuts off while small
 * statements wait to be sent: then calls get no answer until the pool is made
 * anew, which a health check tells.
 *
 * @example Sessions in PostgreSQL
 * ```ts ignore
 * import postgres from "npm:postgres@^3";
 * import { SessionManager } from "@tessera/session";
 * import { PostgresStore } from "@tessera/session/postgres";
 *
 * const sql = postgres("postgres://localhost/app", {
 *   connect_timeout: 5, // seconds
 *   backoff: () => 0.5, // seconds between attempts to connect
 *   connection: { statement_timeout: 5_000 }, // milliseconds
 * });
 * const store = new PostgresStore(sql);
 * await store.createTable();
 * const sessions = new SessionManager({ store });
 *
 * Deno.cron("sweep sessions", { minute: { every: 5 } }, async () => {
 *   await store.sweep();
 * });
 * ```
 */
export class PostgresStore implements SessionStore {
  readonly #sql: PostgresSql;
  readonly #table: PostgresTable;
  readonly #reader: PostgresReader;
  readonly #writer: PostgresWriter;
  readonly #watch: PostgresWatch;
  readonly #listen: boolean;

  /**
   * Constructs a store; nothing is connected or read yet.
   *
   * @param sql What `postgres(…)` of `npm:postgres` returned; it stays yours to
   *   end.
   * @param options The table, and whether to batch and to listen.
   * @throws {TypeError} If an argument is not what it must be.
   */
  constructor(sql: PostgresSql, options: PostgresStoreOptions = {}) {
    const action = "create PostgresStore";
    const { table = DEFAULT_TABLE, batch = true, listen = true } = checkOptions(
      action,
      options,
      ["table", "batch", "listen"],
    );
    checkType(action, "batch", batch, "boolean");
    checkType(action, "listen", listen, "boolean");
    checkSql(action, sql);
    this.#sql = sql;
    this.#listen = listen;
    this.#table = toTable(table);
    this.#watch = new PostgresWatch(sql, this.#table);
    this.#reader = new PostgresReader(sql, this.#table, { batch });
    this.#writer = new PostgresWriter(sql, this.#table, {
      batch,
      watch: this.#watch,
    });
  }

  /**
   * Creates the table and its indexes, unless there is such a table.
   *
   * Several processes may do so at the same time. Where the app's own user may
   * not create tables, run what {@linkcode postgresTable} returns as a migration.
   *
   * @throws {TypeError} If there is a table of that name for something else.
   * @throws What the driver throws.
   */
  async createTable(): Promise<void> {
    await createTable(this.#sql, this.#table);
  }

  /**
   * Deletes the rows that have expired, a thousand at a time.
   *
   * One process at a time does so; in another one, and in a second call
   * meanwhile, it does nothing. Run it every few minutes.
   *
   * @example Sweeping every five minutes, without `Deno.cron`
   * ```ts ignore
   * import postgres from "npm:postgres@^3";
   * import { PostgresStore } from "@tessera/session/postgres";
   *
   * const store = new PostgresStore(postgres("postgres://localhost/app"));
   * setInterval(() => store.sweep().catch(console.error), 300_000);
   * ```
   *
   * @returns How many rows this call has deleted.
   * @throws What the driver throws.
   */
  async sweep(): Promise<number> {
    return await sweepTable(this.#sql, this.#table);
  }

  /**
   * Reads a record.
   *
   * @param id The id of the record; any string.
   * @returns The record and its version, or `undefined` if there is none. May be
   *   a record that has expired and has not been swept. A row that something else
   *   has damaged has the record `undefined`.
   * @throws What the driver throws.
   */
  async get(id: string): Promise<VersionedRecord | undefined> {
    return acceptsId(id) ? await this.#reader.read(id) : undefined;
  }

  /**
   * Changes records, all or nothing.
   *
   * @param commit What to check, put and delete.
   * @returns `ok: false` if a check did not hold, and then nothing was changed.
   * @throws {SessionTooLargeError} If a record is over 16 MiB; nothing was
   *   changed.
   * @throws {TypeError} If a record holds what structured clone cannot carry, or
   *   Postgres cannot hold an id; nothing was changed.
   * @throws {RangeError} If an `expireIn` is not an integer of 1 or more;
   *   nothing was changed.
   * @throws What the driver throws. If the connection was lost, the commit may
   *   have taken place.
   */
  async commit(commit: StoreCommit): Promise<StoreCommitResult> {
    // synchronous: the records are copied before the caller can change them
    const plan = planCommit(commit);
    return plan === undefined ? { ok: false } : await this.#writer.write(plan);
  }

  /**
   * Lists records, newest id first.
   *
   * Reads page by page; between pages, no transaction and no connection is held.
   *
   * @param options Which records; all if left out.
   * @returns The records, read as the caller iterates.
   * @throws {RangeError} If `limit` is not an integer of 1 or more, nor
   *   `Infinity`.
   * @throws What the driver throws.
   */
  async *list(options: StoreListOptions = {}): AsyncGenerator<ListedRecord> {
    yield* listRecords(this.#sql, this.#table, options);
  }

  /**
   * Calls back when a record has changed, through any process.
   *
   * Listens (`LISTEN`) on one connection for all that is watched, until nothing
   * is. Only changes of rows that are marked as watched are told (`NOTIFY`),
   * right after their commits, so that commits of other rows pay nothing. Calls
   * back once when the mark is set, or the connection is there again, for the
   * record may have changed by then.
   *
   * @param id The id of the record to watch.
   * @param changed Called after each change, deletion included.
   * @param signal Ends the watch, and lets go of all it held.
   */
  watch(id: string, changed: () => void, signal: AbortSignal): void {
    if (this.#listen && acceptsId(id)) this.#watch.add(id, changed, signal);
  }
}

function checkSql(action: string, sql: Partial<PostgresSql> | null): void {
  const fits = [sql?.unsafe, sql?.begin, sql?.listen].every((method) =>
    typeof method === "function"
  );
  if (!fits) {
    throw new TypeError(
      `Cannot ${action}: want what postgres(…) of npm:postgres returns: received ${
        describeType(sql)
      }`,
    );
  }
}
