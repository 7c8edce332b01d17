// deno run --allow-net --allow-read --allow-write examples/custom_store.ts
// deno-lint-ignore-file require-await -- a store answers with promises

import type * as store from "@tessera/session";
import { withSession } from "@tessera/session";
import { Buffer } from "node:buffer";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { Deserializer, Serializer } from "node:v8";

/** A record as the file holds it. */
type Row = { value: string; version: string; subject?: string; until: number };

/** Keeps sessions in a Map, and the Map as JSON in a file: for one process. */
export class FileStore implements store.SessionStore {
  #rows: Map<string, Row>;

  constructor(readonly path: string) {
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    this.#rows = new Map(JSON.parse(text || "[]"));
  }

  async get(id: string): Promise<store.VersionedRecord | undefined> {
    const row = this.#rows.get(id);
    return row && decode(row);
  }

  async commit(commit: store.StoreCommit): Promise<store.StoreCommitResult> {
    const now = Date.now();
    const rows = new Map([...this.#rows].filter(([, row]) => row.until > now));
    for (const { id, version } of commit.check) {
      if ((rows.get(id)?.version ?? null) !== version) return { ok: false };
    }
    const version = crypto.randomUUID();
    for (const { id } of commit.delete) rows.delete(id);
    for (const { id, record, expireIn, subject } of commit.put) {
      const row = { value: encode(record), version, until: now + expireIn };
      rows.set(id, subject === undefined ? row : { ...row, subject });
    }
    // whoever reads the file sees all of it or nothing: a rename is atomic
    writeFileSync(`${this.path}.new`, JSON.stringify([...rows]));
    renameSync(`${this.path}.new`, this.path);
    this.#rows = rows;
    return { ok: true, version };
  }

  async *list(
    { subject, before, limit = Infinity }: store.StoreListOptions = {},
  ): AsyncGenerator<store.ListedRecord> {
    for (const id of [...this.#rows.keys()].sort().reverse()) {
      if (limit < 1) return;
      const row = this.#rows.get(id);
      if (row === undefined || before !== undefined && id >= before) continue;
      if (subject !== undefined && row.subject !== subject) continue;
      limit--;
      yield { id, ...decode(row) };
    }
  }
}

/** Serialises as structured clone does: JSON alone would lose a Date, a Map, a bigint. */
function encode(value: unknown): string {
  const serializer = new Serializer();
  serializer.writeHeader();
  serializer.writeValue(value);
  return Buffer.from(serializer.releaseBuffer()).toString("base64");
}

function decode({ value, version }: Row): store.VersionedRecord {
  const deserializer = new Deserializer(Buffer.from(value, "base64"));
  deserializer.readHeader();
  return { record: deserializer.readValue(), version };
}

if (import.meta.main) {
  Deno.serve(withSession((_request, session) => {
    session.update<number>("count", (count = 0) => count + 1);
    return Response.json(session.get("count"));
  }, { store: new FileStore(Deno.args[0] ?? "sessions.json") }));
}
