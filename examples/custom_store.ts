// deno run --allow-net --allow-read --allow-write examples/custom_store.ts
// deno-lint-ignore-file require-await -- a store answers with promises

import type * as store from "@tessera/session";
import { withSession } from "@tessera/session";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { Deserializer, Serializer } from "node:v8";

/** A record, the subject that it is indexed under, and until when it is kept. */
type Row = store.VersionedRecord & { subject?: string; until: number };

/** Keeps sessions in a Map, and the Map in a file: for one process. */
export class FileStore implements store.SessionStore {
  #rows = new Map<string, Row>();

  constructor(readonly path: string) {
    if (!existsSync(path)) return;
    const file = new Deserializer(readFileSync(path));
    file.readHeader();
    this.#rows = file.readValue();
  }

  async get(id: string): Promise<store.VersionedRecord | undefined> {
    return structuredClone(this.#rows.get(id)); // copies: callers may change them
  }

  async commit(commit: store.StoreCommit): Promise<store.StoreCommitResult> {
    const now = Date.now();
    const rows = new Map([...this.#rows].filter(([, row]) => row.until > now));
    for (const { id, version } of commit.check) {
      if ((rows.get(id)?.version ?? null) !== version) return { ok: false };
    }
    const version = crypto.randomUUID();
    for (const { id } of commit.delete) rows.delete(id);
    for (const { id, expireIn, ...put } of commit.put) {
      rows.set(id, structuredClone({ ...put, version, until: now + expireIn }));
    }
    const file = new Serializer(); // what structured clone carries: JSON does not
    file.writeHeader();
    file.writeValue(rows);
    // whoever reads the file sees all of it or nothing: a rename is atomic
    writeFileSync(`${this.path}.new`, file.releaseBuffer());
    renameSync(`${this.path}.new`, this.path);
    this.#rows = rows;
    return { ok: true, version };
  }

  async *list(
    { subject, before, limit }: store.StoreListOptions = {},
  ): AsyncGenerator<store.ListedRecord> {
    const rows = [...this.#rows].map(([id, row]) => ({ id, ...row }))
      .filter(({ id }) => before === undefined || id < before)
      .filter((row) => subject === undefined || row.subject === subject)
      .sort((a, b) => a.id < b.id ? 1 : -1);
    yield* structuredClone(rows.slice(0, limit));
  }
}

if (import.meta.main) {
  Deno.serve(withSession((_request, session) => {
    session.update<number>("count", (count = 0) => count + 1);
    return Response.json(session.get("count"));
  }, { store: new FileStore(Deno.args[0] ?? "sessions.bin") }));
}
