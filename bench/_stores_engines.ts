/**
 * The engines: how each is started, and how large it is.
 *
 * All of them wait for the disk before they say that something is kept: SQLite
 * does by default, as PostgreSQL does; Redis is told to (`appendfsync always`).
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { Denokv, DENOKV_ENV } from "../tests/stores/_denokv.ts";
import { PostgresServer } from "../tests/stores/_postgres.ts";
import { RedisServer } from "../tests/stores/_redis.ts";

/** An engine that runs. */
export interface Engine {
  /** What the demo would take as `DEMO_STORE`. */
  readonly address: string;
  /** What else a process needs in its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** How many bytes the sessions take now: on disk, of Redis in memory. */
  bytes(): Promise<number>;
}

/** An engine that may be there. */
export interface EngineSpec {
  /** Its name. */
  readonly name: string;
  /** What the server does with what it keeps. */
  readonly where: "file" | "memory";
  /**
   * Starts it: private, on the loopback interface.
   *
   * @param folder A temporary folder.
   * @param stack What stops it.
   * @throws {Error} If it is missing, saying how to get it.
   */
  start(folder: string, stack: AsyncDisposableStack): Promise<Engine>;
}

/** The engines, in the order of the table. */
export const ENGINES: readonly EngineSpec[] = [
  { name: "KV file", where: "file", start: startKv },
  { name: "denokv", where: "file", start: startDenokv },
  { name: "Redis", where: "memory", start: startRedis },
  { name: "PostgreSQL", where: "file", start: startPostgres },
];

function startKv(folder: string): Promise<Engine> {
  const address = `${folder}/sessions.db`;
  return Promise.resolve({
    address,
    env: {},
    bytes: () => sqliteSize(address),
  });
}

async function startDenokv(
  _folder: string,
  stack: AsyncDisposableStack,
): Promise<Engine> {
  const server = stack.use(await Denokv.start());
  return {
    address: server.url,
    env: DENOKV_ENV,
    bytes: () => sqliteSize(server.path),
  };
}

async function startRedis(
  _folder: string,
  stack: AsyncDisposableStack,
): Promise<Engine> {
  const server = stack.use(await RedisServer.start());
  const client = await server.connect();
  stack.defer(() => client.close());
  return {
    address: server.url,
    env: {},
    bytes: async () => {
      const info = await client.info("memory");
      return Number(info.match(/^used_memory:(\d+)/m)?.[1]);
    },
  };
}

async function startPostgres(
  _folder: string,
  stack: AsyncDisposableStack,
): Promise<Engine> {
  const server = stack.use(await PostgresServer.start());
  const sql = server.open({ max: 1 });
  stack.defer(() => sql.end());
  return {
    address: server.url,
    env: {},
    bytes: async () => {
      const [row] = await sql`
        SELECT pg_total_relation_size('tessera_sessions') AS bytes`;
      return Number(row?.bytes);
    },
  };
}

/** The size of a database once its log is worked in. */
async function sqliteSize(path: string): Promise<number> {
  using database = new DatabaseSync(path);
  database.exec("PRAGMA busy_timeout = 5000; PRAGMA wal_checkpoint(TRUNCATE)");
  return (await Deno.stat(path)).size;
}
