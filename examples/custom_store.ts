// deno test -A tests/custom_store_test.ts

import { type SessionStore, SessionTooLargeError } from "@tessera/session";
import { Buffer } from "node:buffer";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { Deserializer, Serializer } from "node:v8";

/** A record as the file holds it; `value` is what V8 makes of it, in base64. */
type Row = { value: string; version: number; subject?: string; until: number };

const MAX_RECORD_BYTES = 1_000_000;

/** Keeps sessions in a Map, and the Map in a JSON file: for one process. */
export class JsonFileStore implements SessionStore {
  readonly #path: string;
  #rows = new Map<string, Row>();
  #version = 0;

  constructor(path: string) {
    this.#path = path;
    try {
      this.#rows = new Map(JSON.parse(readFileSync(path, "utf8")));
      const versions = [...this.#rows.values()].map(({ version }) => version);
      this.#version = Math.max(0, ...versions);
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOENT") throw error;
    }
  }

  get(id: string): ReturnType<SessionStore["get"]> {
    const row = this.#rows.get(id);
    return Promise.resolve(row && { id, ...read(row) });
  }

  // deno-lint-ignore require-await -- async, so that whatever throws rejects
  async commit(
    commit: Parameters<SessionStore["commit"]>[0],
  ): ReturnType<SessionStore["commit"]> {
    const now = Date.now();
    const rows = new Map([...this.#rows].filter(([, row]) => row.until > now));
    for (const { id, version } of commit.check) {
      const current = rows.get(id)?.version.toString() ?? null;
      if (current !== version) return { ok: false };
    }
    const version = this.#version + 1;
    for (const { id } of commit.delete) rows.delete(id);
    for (const { id, record, expireIn, subject } of commit.put) {
      const named = subject === undefined ? {} : { subject };
      const value = write(record);
      rows.set(id, { value, version, ...named, until: now + expireIn });
    }
    // readers of the file see all of it, or none: a rename is atomic
    writeFileSync(`${this.#path}.new`, JSON.stringify([...rows]));
    renameSync(`${this.#path}.new`, this.#path);
    this.#rows = rows;
    this.#version = version;
    return { ok: true, version: `${version}` };
  }

  async *list(
    { subject, before, limit = Infinity }:
      NonNullable<Parameters<SessionStore["list"]>[0]> = {},
  ): ReturnType<SessionStore["list"]> {
  }
}
