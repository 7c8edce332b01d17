/**
 * The table of a `PostgresStore`: how it is made, and kept small.
 *
 * @module
 */

import {
  DEFAULT_TABLE,
  type PostgresSql,
  type PostgresTable,
  select,
  toTable,
} from "./_postgres_sql.ts";

/** So many rows are deleted in one statement. */
const SWEEP_ROWS = 1_000;

/**
 * Returns the statements that create the table of a `PostgresStore`.
 *
 * For migrations; `createTable()` runs the same. Room is left in the pages of
 * the table (`fillfactor`), so that most updates touch no index.
 *
 * @example Writing a migration
 * ```ts
 * import { postgresTable } from "@tessera/session/postgres";
 * import { assertStringIncludes } from "@std/assert";
 *
 * const ddl = postgresTable("auth.sessions");
 * assertStringIncludes(ddl, `CREATE TABLE IF NOT EXISTS "auth"."sessions"`);
 * ```
 *
 * @param table The name of the table; may begin with a schema and a dot.
 * @returns Statements that create the table and its indexes if there are none.
 * @throws {TypeError} If it is no such name.
 */
export function postgresTable(table: string = DEFAULT_TABLE): string {
  const { name, sql } = toTable(table);
  const base = name.split(".").at(-1);
  return `CREATE TABLE IF NOT EXISTS ${sql} (
  id text COLLATE "C" PRIMARY KEY,     -- the public id of the session
  record text NOT NULL,                -- JSON; see "Stores" in the README
  version uuid NOT NULL,               -- another one with every write
  subject bytea,                       -- SHA-256 of who is signed in, UTF-16LE
  expires_at timestamptz NOT NULL,     -- when sweep() may delete the row
  watched boolean NOT NULL DEFAULT false -- whether changes are told by NOTIFY
) WITH (fillfactor = 80);
CREATE INDEX IF NOT EXISTS "${base}_subject" ON ${sql} (subject, id DESC)
  WHERE subject IS NOT NULL;
CREATE INDEX IF NOT EXISTS "${base}_expiry" ON ${sql} (expires_at);
`;
}

/** What PostgreSQL says of a column that a table does not have, and of no table. */
const UNDEFINED_COLUMN = "42703";
const UNDEFINED_TABLE = "42P01";

/**
 * Creates the table, unless it exists; many may call at the same time.
 *
 * @throws {TypeError} If there is a table of that name for something else.
 */
export async function createTable(
  sql: PostgresSql,
  { name, sql: quoted, channel }: PostgresTable,
): Promise<void> {
  // Who may not create tables may still have one. No NULL is selected: the
  // driver may be told to make something else of it.
  const [row] = await select(
    sql,
    "SELECT (to_regclass($1::text) IS NOT NULL)::text",
    [quoted],
  );
  if (row?.[0] === "true") return await assertColumns(sql, name, quoted);
  // Sent as one query, and so one transaction. Even IF NOT EXISTS fails when
  // two create at the same time, and it is noisy when there is nothing to do.
  await sql.unsafe(`
    SELECT set_config('client_min_messages', 'warning', true),
      pg_advisory_xact_lock(hashtextextended('${channel}', 0));
    ${postgresTable(name)}
  `);
}

async function assertColumns(
  sql: PostgresSql,
  name: string,
  quoted: string,
): Promise<void> {
  try {
    await select(
      sql,
      `SELECT id, record, version, subject, expires_at, watched FROM ${quoted} LIMIT 0`,
      [],
    );
  } catch (error) {
    const code = (error as { code?: unknown } | null)?.code;
    // somebody has just dropped it
    if (code === UNDEFINED_TABLE) throw error;
    // whatever else is wrong shows when the table is used
    if (code !== UNDEFINED_COLUMN) return;
    throw new TypeError(
      `Cannot create table ${name}: want a table with the columns of a PostgresStore, or none: received one for something else; choose another name with the option "table"`,
      { cause: error },
    );
  }
}

/** Deletes expired rows, unless somebody else is at it; returns how many. */
export async function sweepTable(
  sql: PostgresSql,
  { sql: quoted, channel }: PostgresTable,
): Promise<number> {
  const statement = `WITH
turn AS (
  SELECT pg_try_advisory_xact_lock(
    hashtextextended($1::text || to_regclass($2::text)::oid::text, 1)
  ) AS mine
),
expired AS (
  SELECT id FROM ${quoted}
  WHERE (SELECT mine FROM turn) AND expires_at <= now()
  ORDER BY expires_at LIMIT ${SWEEP_ROWS} FOR UPDATE SKIP LOCKED
),
deleted AS (
  DELETE FROM ${quoted} WHERE id = ANY (ARRAY(SELECT id FROM expired))
  RETURNING 1
)
SELECT count(*)::text FROM deleted`;
  let total = 0;
  for (;;) {
    const [row] = await select(sql, statement, [channel, quoted]);
    const count = Number(row?.[0]);
    total += count;
    if (count < SWEEP_ROWS) return total;
  }
}
