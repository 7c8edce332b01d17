/**
 * Looks over a database file, entry by entry.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { KvStore } from "@tessera/session";
import { DatabaseSync } from "node:sqlite";
import { partsOf } from "../src/_kv_value.ts";

/** Throws unless all entries belong together, and each will go some day. */
export async function auditDatabase(kv: Deno.Kv, path: string): Promise<void> {
  const subjects = new Map<string, string | undefined>();
  for await (const { id, record } of new KvStore(kv).list()) {
    subjects.set(id, subjectOf(record));
  }
  const heads = await namesOf(kv, "id");
  assertEquals([...subjects.keys()].sort(), heads.map(String).sort());

  // records and index entries: one for each that has a subject, or had one when it was replaced
  const indexed = (await namesOf(kv, "subject")).map((name) => String(name[1]));
  assertEquals(new Set(indexed).size, indexed.length, "indexed twice");
  for (const id of indexed) assert(subjects.has(id), `${id} has no record`);
  for (const [id, subject] of subjects) {
    if (subject !== undefined) {
      assert(indexed.includes(id), `${id} is not indexed`);
    }
  }

  // pieces of large records: all that a record names, and no others
  const pieces = (await namesOf(kv, "part")).map((name) => name.join());
  const named: string[] = [];
  for await (const { key, value } of kv.list({ prefix: ["sessions", "id"] })) {
    const parts = partsOf(value);
    for (let n = 0; n < (parts?.count ?? 0); n++) {
      named.push([key.at(-1), parts?.generation, n].join());
    }
  }
  assertEquals(pieces.sort(), named.sort());

  using database = new DatabaseSync(path, { readOnly: true });
  const lasting = database.prepare(
    "SELECT count(*) AS count FROM kv WHERE expiration_ms < 0",
  ).get();
  assertEquals(lasting?.count, 0, "entries that never expire");
  const check = database.prepare("PRAGMA quick_check").get();
  assertEquals(check?.quick_check, "ok");
}

function subjectOf(record: unknown): string | undefined {
  return (record as { subject?: string }).subject;
}

/** The keys below one part of the store, without what they have in common. */
async function namesOf(kv: Deno.Kv, kind: string): Promise<Deno.KvKey[]> {
  const entries = await Array.fromAsync(
    kv.list({ prefix: ["sessions", kind] }),
  );
  return entries.map(({ key }) => key.slice(2));
}
