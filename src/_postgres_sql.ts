/**
 * The driver as `PostgresStore` sees it, and the table that it works on.
 *
 * @module
 */

import { describeValue } from "./_check.ts";

/** A value of a row: everything that is selected is text, or `null`. */
export type PostgresValue = string | null;

/** A query that was sent by {@linkcode PostgresQueries.unsafe}. */
export interface PostgresQuery extends PromiseLike<unknown> {
  /** Asks for rows as arrays of values. */
  values(): PromiseLike<ArrayLike<unknown>>;
}

/** What runs queries: the pool, or one connection that has a transaction open. */
export interface PostgresQueries {
  /**
   * Runs a query.
   *
   * @param query The text; every `$1` in it stands for a parameter.
   * @param parameters The parameters.
   * @param options `prepare`: whether the statement may be kept prepared.
   */
  unsafe(
    query: string,
    parameters?: string[],
    options?: { prepare?: boolean },
  ): PostgresQuery;
}

/**
 * The part of `npm:postgres` that `PostgresStore` uses.
 *
 * What `postgres(…)` returns fits.
 * A type of its own, so that the types of the driver are no dependency, and any
 * version of it will do that has these methods.
 */
export interface PostgresSql extends PostgresQueries {
  /** Runs queries in one transaction. */
  begin(run: (sql: PostgresQueries) => Promise<unknown>): PromiseLike<unknown>;
  /** Listens to a channel, on a connection of its own. */
  listen(
    channel: string,
    onnotify: (payload: string) => void,
    onlisten?: () => void,
  ): PromiseLike<{ unlisten(): PromiseLike<unknown> }>;
}

/** The name of the table, unless the option `table` says otherwise. */
export const DEFAULT_TABLE = "tessera_sessions";

/** A name, or a schema and a name; short enough for the names that are made of it. */
const TABLE_NAME = /^(?=.{1,48}$)[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)?$/i;

/** The table, as its names are written in SQL. */
export interface PostgresTable {
  /** The name of the table, as it was given. */
  readonly name: string;
  /** The name of the table, quoted. */
  readonly sql: string;
  /** The channel on which changes are told. */
  readonly channel: string;
}

/**
 * Makes the names.
 *
 * @param name The name of the table; may begin with a schema and a dot.
 * @throws {TypeError} If it is no such name.
 */
export function toTable(name: string): PostgresTable {
  if (typeof name !== "string" || !TABLE_NAME.test(name)) {
    throw new TypeError(
      `Cannot create PostgresStore: "table" must be a name, or a schema, a dot and a name, of letters, digits and "_", 48 characters at most: received ${
        describeValue(name)
      }`,
    );
  }
  const sql = name.split(".").map((part) => `"${part}"`).join(".");
  return { name, sql, channel: `tessera:${name}` };
}

/** Writes an array of texts as a parameter, whatever the driver knows of arrays. */
export function toArray(values: readonly PostgresValue[]): string {
  return `{${
    values.map((value) =>
      value === null ? "NULL" : `"${value.replace(/["\\]/g, "\\$&")}"`
    ).join()
  }}`;
}

/**
 * Runs a query, and reads its rows as they are, whatever the driver was told to
 * make of rows and columns.
 *
 * @param sql The pool, or a transaction.
 * @param query The text; selects only text.
 * @param parameters The parameters.
 * @returns The rows.
 */
export async function select(
  sql: PostgresQueries,
  query: string,
  parameters: string[],
): Promise<PostgresValue[][]> {
  const rows = await sql.unsafe(query, parameters, { prepare: true }).values();
  return Array.from(
    rows,
    // a transform may have made an object of it, with the same keys
    (row) => Array.isArray(row) ? row : Object.values(row as object),
  );
}

/** An error that the server reported. */
interface ServerError {
  /** The SQLSTATE. */
  readonly code: string;
}

/**
 * Says whether an error means that the statement was refused, and surely had no
 * effect; not so if the connection was lost.
 */
export function isRefusal(error: unknown): error is ServerError {
  const { code, severity, severity_local } = Object(error);
  return typeof code === "string" && (severity ?? severity_local) === "ERROR";
}

/** So long a statement keeps others waiting; a broken connection may take a quarter of an hour. */
const SLOT_MS = 5_000;

/**
 * Waits until a statement has settled, or has had its time.
 *
 * @param settled The statement; does not reject.
 */
export async function leaveSlot(settled: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, SLOT_MS);
  });
  await Promise.race([settled, late]);
  clearTimeout(timer);
}
