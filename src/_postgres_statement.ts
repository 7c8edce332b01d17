/**
 * The one statement that commits.
 *
 * It carries any number of commits on disjoint ids, and each stands or falls by
 * its own checks. One statement is one transaction and one round trip.
 *
 * Safe under READ COMMITTED: `locked` takes the locks of all rows that exist, by
 * id, so that two statements never wait for each other, and returns them as they
 * are then, whatever the statement's snapshot says. A row that appears after the
 * snapshot is either overwritten (a put without a check of `null`), or violates
 * the primary key, and then nothing at all has happened. The verdict is a scalar
 * subquery, computed once: rows that are checked again after a wait see the same.
 *
 * @module
 */

import type { Plan } from "./_postgres_plan.ts";
import {
  type PostgresQueries,
  type PostgresSql,
  type PostgresTable,
  select,
  toArray,
} from "./_postgres_sql.ts";

/** SQLSTATE: somebody else created a row that must not exist. */
export const UNIQUE_VIOLATION = "23505";

/** What became of the commits of one statement. */
export interface Verdict {
  /** Which commits failed, by their place. */
  readonly failed: ReadonlySet<number>;
  /** Those of the ids that existed whose changes somebody wants to hear of. */
  readonly watched: readonly string[];
}

/** The texts of the statements for one table. */
export interface CommitStatements {
  /** Commits. */
  readonly commit: string;
  /** Locks rows, in the order of {@linkcode CommitStatements.commit}. */
  readonly lock: string;
  /** Puts rows where there are none. */
  readonly reserve: string;
  /** Takes them away again. */
  readonly release: string;
}

/** Writes the statements for a table. */
export function commitStatements(table: PostgresTable): CommitStatements {
  return {
    commit: commitStatement(table),
    lock: lockStatement(table),
    reserve: `INSERT INTO ${table.sql} (id, record, version, expires_at)
SELECT id, 'null', $2::uuid, now() FROM unnest($1::text[]) AS id
ORDER BY id COLLATE "C" ON CONFLICT DO NOTHING RETURNING id`,
    release: `DELETE FROM ${table.sql} WHERE id = ANY ($1::text[])`,
  };
}

function lockStatement({ sql }: PostgresTable): string {
  return `SELECT id FROM ${sql} WHERE id = ANY ($1::text[]) ORDER BY id FOR UPDATE`;
}

function commitStatement({ sql }: PostgresTable): string {
  return `WITH
checks AS (
  SELECT * FROM unnest($1::int[], $2::text[], $3::uuid[]) AS c (n, id, version)
),
locked AS (
  SELECT id, version, watched FROM ${sql}
  WHERE id = ANY ($4::text[]) ORDER BY id FOR UPDATE
),
verdict AS (
  SELECT coalesce(array_agg(DISTINCT c.n), '{}') AS failed
  FROM checks AS c LEFT JOIN locked AS l ON l.id = c.id
  WHERE l.version IS DISTINCT FROM c.version
),
puts AS (
  SELECT p.id, p.record, $5::uuid AS version, decode(p.subject, 'hex') AS subject,
    date_trunc('minute', now() + p.expire_in * interval '1 ms') + interval '1 min' AS expires_at,
    p.watched, p.created
  FROM unnest($6::int[], $7::text[], $8::text[], $9::text[], $10::float8[], $11::bool[], $12::bool[])
    AS p (n, id, record, subject, expire_in, watched, created)
  WHERE p.n <> ALL ((SELECT failed FROM verdict)::int[])
  ORDER BY p.id COLLATE "C"
),
created AS (
  INSERT INTO ${sql} (id, record, version, subject, expires_at, watched)
  SELECT id, record, version, subject, expires_at, watched FROM puts WHERE created
),
written AS (
  INSERT INTO ${sql} AS s (id, record, version, subject, expires_at, watched)
  SELECT id, record, version, subject, expires_at, watched FROM puts WHERE NOT created
  ON CONFLICT (id) DO UPDATE SET
    record = excluded.record, version = excluded.version,
    subject = excluded.subject, expires_at = excluded.expires_at,
    watched = s.watched OR excluded.watched
),
deleted AS (
  DELETE FROM ${sql} WHERE id = ANY (ARRAY(
    SELECT d.id FROM unnest($13::int[], $14::text[]) AS d (n, id)
    WHERE d.n <> ALL ((SELECT failed FROM verdict)::int[])
  ))
)
SELECT array_to_json(failed)::text,
  (SELECT json_agg(id)::text FROM locked WHERE watched)
FROM verdict`;
}

/** How to run the statement. */
export interface CommitOptions {
  /** The statements. */
  readonly statements: CommitStatements;
  /** The version of all records that are put. */
  readonly version: string;
  /** Says whether this process watches a record. */
  readonly watches: (id: string) => boolean;
}

/**
 * Runs the statement.
 *
 * @param sql The pool, or a transaction.
 * @param plans The commits, on disjoint ids.
 * @param options How to run it.
 * @returns What became of each commit.
 */
export async function commitAll(
  sql: PostgresQueries,
  plans: readonly Plan[],
  { statements, version, watches }: CommitOptions,
): Promise<Verdict> {
  const checks = plans.flatMap((plan, n) =>
    [...plan.checks].map(([id, version]) => ({ n, id, version }))
  );
  const puts = plans.flatMap((plan, n) =>
    [...plan.puts.values()].map((put) => ({
      n,
      ...put,
      created: plan.checks.get(put.id) === null,
    }))
  );
  const deletes = plans.flatMap((plan, n) =>
    [...plan.deletes].map((id) => ({ n, id }))
  );
  const [row] = await select(sql, statements.commit, [
    column(checks, ({ n }) => String(n)),
    column(checks, ({ id }) => id),
    column(checks, ({ version }) => version),
    toArray(plans.flatMap(({ ids }) => [...ids])),
    version,
    column(puts, ({ n }) => String(n)),
    column(puts, ({ id }) => id),
    column(puts, ({ record }) => record),
    column(puts, ({ subject }) => subject),
    column(puts, ({ expireIn }) => String(expireIn)),
    column(puts, ({ id }) => String(watches(id))),
    column(puts, ({ created }) => String(created)),
    column(deletes, ({ n }) => String(n)),
    column(deletes, ({ id }) => id),
  ]);
  return {
    failed: new Set(JSON.parse(row?.[0] ?? "[]")),
    watched: JSON.parse(row?.[1] ?? "[]"),
  };
}

function column<T>(
  rows: readonly T[],
  valueOf: (row: T) => string | null,
): string {
  return toArray(rows.map(valueOf));
}

/** Thrown inside a transaction to undo it. */
const FAILED = Symbol("failed");

/**
 * Commits a plan that wants nothing under ids that it does not put.
 *
 * There is no row to lock, so rows are put there for the time of the commit:
 * nobody sees them, and who creates the same ones waits. With them come those
 * that the commit itself creates, all in order, so that nobody waits in a circle.
 *
 * @param sql The pool.
 * @param plan The commit.
 * @param options How to run it.
 * @returns What became of it.
 */
export async function commitReserved(
  sql: PostgresSql,
  plan: Plan,
  options: CommitOptions,
): Promise<Verdict> {
  const { statements, version } = options;
  const isNull = ([, version]: [string, string | null]) => version === null;
  const absent = [...plan.checks].filter(isNull).map(([id]) => id);
  const checks = new Map([...plan.checks].filter((check) => !isNull(check)));
  const ids = toArray([...new Set([...absent, ...plan.puts.keys()])]);
  let verdict: Verdict = { failed: new Set([0]), watched: [] };
  try {
    await sql.begin(async (transaction) => {
      // as ever, locks come before new rows
      await select(transaction, statements.lock, [toArray([...plan.ids])]);
      const rows = await select(transaction, statements.reserve, [
        ids,
        version,
      ]);
      const reserved = new Set(rows.map(([id]) => id));
      if (!absent.every((id) => reserved.has(id))) throw FAILED;
      verdict = await commitAll(transaction, [{ ...plan, checks }], options);
      if (verdict.failed.size > 0) throw FAILED;
      await select(transaction, statements.release, [toArray(plan.vacant)]);
    });
  } catch (error) {
    if (error !== FAILED) throw error;
  }
  return verdict;
}
