/**
 * Watching of records, by LISTEN and NOTIFY.
 *
 * A transaction that notifies holds a lock of the whole server until it is
 * flushed to the disk, so that all those that do come one after the other. So
 * commits do not notify: only changes of rows that are marked as watched are
 * told, in statements that follow the commits, many in one.
 *
 * @module
 */

import {
  leaveSlot,
  type PostgresSql,
  type PostgresTable,
  select,
  toArray,
} from "./_postgres_sql.ts";

/** One call of `watch` that has not been aborted. */
interface Watcher {
  readonly changed: () => void;
}

/** Tells of changes, and hears of them on one connection that all watchers share. */
export class PostgresWatch {
  readonly #sql: PostgresSql;
  readonly #channel: string;
  readonly #watchers = new Map<string, Set<Watcher>>();
  readonly #marks: Batches;
  readonly #news: Batches;
  #listening: Promise<() => PromiseLike<unknown>> | undefined;
  /** Whether the server has confirmed it. */
  #heard = false;

  constructor(sql: PostgresSql, table: PostgresTable) {
    this.#sql = sql;
    this.#channel = table.channel;
    const mark = markStatement(table);
    this.#marks = new Batches(async (marked) => {
      const ids = marked.filter((id) => this.has(id));
      if (ids.length === 0) return;
      // if it fails, there are the polls
      await select(sql, mark, [toArray(ids)]).catch(() => {});
      // they may have changed before they were marked
      for (const id of ids) this.#call(id);
    });
    this.#news = new Batches((ids) =>
      select(sql, TELL, [table.channel, toArray(ids)])
    );
  }

  /** Says whether this process watches a record. */
  has(id: string): boolean {
    return this.#watchers.has(id);
  }

  /** Tells everybody that a record has changed. */
  tell(id: string): void {
    this.#news.add(id);
  }

  /** Watches a record until the signal aborts. */
  add(id: string, changed: () => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    const watcher: Watcher = { changed };
    const watchers = this.#watchers.get(id) ?? new Set();
    this.#watchers.set(id, watchers.add(watcher));
    signal.addEventListener("abort", () => {
      watchers.delete(watcher);
      if (watchers.size > 0) return;
      this.#watchers.delete(id);
      if (this.#watchers.size === 0) this.#unlisten();
    }, { once: true });
    if (this.#heard) this.#marks.add(id);
    else this.#listen();
  }

  #listen(): void {
    if (this.#listening !== undefined) return;
    const listening = Promise.resolve(this.#sql.listen(
      this.#channel,
      (id) => this.#call(id),
      // also when a lost connection is there again: much may have happened
      () => {
        this.#heard = this.#listening === listening;
        for (const id of this.#watchers.keys()) this.#marks.add(id);
      },
    )).then(({ unlisten }) => unlisten);
    this.#listening = listening;
    // a failure is left to the driver, which goes on trying, and to the polls
    listening.catch(() => {});
  }

  #unlisten(): void {
    const listening = this.#listening;
    listening?.then(async (unlisten) => {
      if (this.#watchers.size > 0 || this.#listening !== listening) return;
      this.#listening = undefined;
      this.#heard = false;
      await unlisten();
    }).catch(() => {});
  }

  #call(id: string): void {
    for (const watcher of this.#watchers.get(id) ?? []) {
      // not in the middle of the driver: a callback may throw
      queueMicrotask(() => {
        if (this.#watchers.get(id)?.has(watcher)) watcher.changed();
      });
    }
  }
}

/** Marks rows as watched: in order, so that it never deadlocks with a commit. */
function markStatement({ sql }: PostgresTable): string {
  return `UPDATE ${sql} SET watched = true WHERE id = ANY (ARRAY(
  SELECT id FROM ${sql} WHERE id = ANY ($1::text[]) AND NOT watched
  ORDER BY id FOR UPDATE
))`;
}

/** Tells of changes; several of one id in one statement are one. */
const TELL =
  "SELECT pg_notify($1::text, id)::text FROM unnest($2::text[]) AS id";

/** Runs a function on ids, those together that come while it runs; a failure is none. */
class Batches {
  readonly #run: (ids: readonly string[]) => Promise<unknown>;
  #ids = new Set<string>();
  #running = false;

  constructor(run: (ids: readonly string[]) => Promise<unknown>) {
    this.#run = run;
  }

  add(id: string): void {
    this.#ids.add(id);
    if (this.#running) return;
    this.#running = true;
    queueMicrotask(() => void this.#drain());
  }

  async #drain(): Promise<void> {
    while (this.#ids.size > 0) {
      const ids = [...this.#ids];
      this.#ids = new Set();
      await leaveSlot(this.#run(ids).then(() => {}, () => {}));
    }
    this.#running = false;
  }
}
