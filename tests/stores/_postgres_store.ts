/**
 * What the tests of `PostgresStore` share.
 *
 * @module
 */

import {
  PostgresStore,
  type PostgresStoreOptions,
} from "@tessera/session/postgres";
import type { StoreCommit } from "@tessera/session";
import type postgres from "postgres";
import { PostgresServer } from "./_postgres.ts";

/** A store on a table, with a pool of its own. */
export interface OpenStore extends AsyncDisposable {
  readonly store: PostgresStore;
  readonly sql: postgres.Sql;
  /** The name of the table. */
  readonly table: string;
  /** Where the server is. */
  readonly url: string;
  /** The statements that were sent so far, oldest first. */
  readonly statements: string[];
  /** Opens another store on the same table, as another process would. */
  again(options?: OpenOptions): OpenStore;
}

/** How to open a store. */
export interface OpenOptions extends PostgresStoreOptions {
  /** Options of the driver. */
  readonly driver?: postgres.Options<Record<never, never>>;
}

/**
 * Starts a server for the tests of the file, and stops it after them.
 *
 * @returns Opens a store on a new table.
 */
export function usePostgres(): (options?: OpenOptions) => Promise<OpenStore> {
  let server: PostgresServer;
  let tables = 0;
  Deno.test.beforeAll(async () => {
    server = await PostgresServer.start({ fsync: false });
  });
  Deno.test.afterAll(() => server[Symbol.asyncDispose]());

  const connect = (table: string, options: OpenOptions): OpenStore => {
    const { driver, ...rest } = options;
    const statements: string[] = [];
    const sql = server.open({
      debug(_connection, statement) {
        // what the driver asks on each connection is its own affair
        if (!statement.includes("pg_type")) statements.push(statement);
      },
      ...driver,
    });
    return {
      store: new PostgresStore(sql, { table, ...rest }),
      sql,
      table,
      url: server.url,
      statements,
      again: (more = {}) => connect(more.table ?? table, more),
      [Symbol.asyncDispose]: () => sql.end({ timeout: 5 }),
    };
  };
  return async (options = {}) => {
    const opened = connect(`case_${++tables}`, options);
    await opened.store.createTable();
    opened.statements.splice(0);
    return opened;
  };
}

/** Makes a commit of some of its parts. */
export function toCommit(commit: Partial<StoreCommit>): StoreCommit {
  return { check: [], put: [], delete: [], ...commit };
}

/** Makes a put that outlasts the test. */
export function toPut(
  id: string,
  record: unknown = 1,
  subject?: string,
): StoreCommit["put"][number] {
  return {
    id,
    record,
    expireIn: 600_000,
    ...(subject === undefined ? {} : { subject }),
  };
}

/** Puts a record, and returns its version. */
export async function put(
  store: PostgresStore,
  ...args: Parameters<typeof toPut>
): Promise<string> {
  const result = await store.commit(toCommit({ put: [toPut(...args)] }));
  return result.ok ? result.version : "";
}

/** Lists the ids and the records. */
export async function all(
  store: PostgresStore,
): Promise<Record<string, unknown>> {
  const listed = await Array.fromAsync(store.list());
  return Object.fromEntries(listed.map(({ id, record }) => [id, record]));
}

/** Waits until a condition holds, for half a minute at most. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  what: string,
): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!await holds()) {
    if (performance.now() > deadline) throw new Error(`It never was: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Waits until so many statements wait for locks. */
export async function untilBlocked(
  sql: postgres.Sql,
  count = 1,
): Promise<void> {
  await until(async () => {
    const [row] = await sql`
      SELECT count(*)::int AS n FROM pg_stat_activity
      WHERE wait_event_type = 'Lock'`;
    return row?.n === count;
  }, `${count} statements wait for locks`);
}

/** A transaction of somebody else, which holds what it has touched until it ends. */
export interface Rival {
  /** Ends it. */
  commit(): Promise<void>;
}

/** Runs a statement in a transaction that stays open. */
export async function startRival(
  sql: postgres.Sql,
  statement: string,
): Promise<Rival> {
  const ran = Promise.withResolvers<void>();
  const ending = Promise.withResolvers<void>();
  const done = sql.begin(async (transaction) => {
    await transaction.unsafe(statement);
    ran.resolve();
    await ending.promise;
  });
  await Promise.race([ran.promise, done]);
  return {
    async commit() {
      ending.resolve();
      await done;
    },
  };
}
