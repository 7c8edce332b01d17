/**
 * Lists of records, page by page.
 *
 * @module
 */

import { checkLimit } from "./_check.ts";
import { hashSubject, toBound } from "./_postgres_ids.ts";
import { toVersioned } from "./_postgres_reader.ts";
import {
  type PostgresSql,
  type PostgresTable,
  select,
} from "./_postgres_sql.ts";
import type { ListedRecord, StoreListOptions } from "./session_store.ts";

/** Rows of the first page. */
const FIRST_PAGE = 20;
/** Most rows of a page. */
const LARGEST_PAGE = 500;
/** What a page should take, in characters: large records make for small pages. */
const PAGE_LENGTH = 1_048_576;

/**
 * Lists records, newest id first.
 *
 * @param sql The pool.
 * @param table The table.
 * @param options Which records.
 * @returns The records, read as the caller iterates.
 * @throws {RangeError} If the limit is not an integer of 1 or more, nor `Infinity`.
 */
export async function* listRecords(
  sql: PostgresSql,
  table: PostgresTable,
  { subject, before, limit = Infinity }: StoreListOptions,
): AsyncGenerator<ListedRecord> {
  checkLimit(limit);
  const hash = subject === undefined ? undefined : hashSubject(subject);
  let bound = before === undefined ? undefined : toBound(before);
  let page = FIRST_PAGE;
  for (let left = limit; left > 0;) {
    const wanted = Math.min(left, page);
    const rows = await readPage(sql, table, { hash, bound, limit: wanted });
    let length = 0;
    for (const [id = "", text = "", version = ""] of rows as string[][]) {
      yield { id, ...toVersioned(text, version) };
      bound = id;
      length += text.length;
    }
    if (rows.length < wanted) return;
    left -= rows.length;
    const average = Math.ceil(length / rows.length) + 1;
    page = Math.min(Math.ceil(PAGE_LENGTH / average), LARGEST_PAGE);
  }
}

function readPage(
  sql: PostgresSql,
  table: PostgresTable,
  { hash, bound, limit }: {
    hash: string | undefined;
    bound: string | undefined;
    limit: number;
  },
): ReturnType<typeof select> {
  const parameters = [String(limit)];
  const conditions: string[] = [];
  if (hash !== undefined) {
    parameters.push(hash);
    conditions.push(`subject = decode($${parameters.length}::text, 'hex')`);
  }
  if (bound !== undefined) {
    parameters.push(bound);
    conditions.push(`id < $${parameters.length}::text`);
  }
  const where = conditions.length === 0
    ? ""
    : `WHERE ${conditions.join(" AND ")}`;
  return select(
    sql,
    `SELECT id, record, version::text FROM ${table.sql} ${where}
ORDER BY id DESC LIMIT $1::int`,
    parameters,
  );
}
