/**
 * Where the demo keeps its sessions: in Deno KV, Redis or PostgreSQL.
 *
 * @module
 */

import { KvStore, type SessionStore } from "@tessera/session";
import type postgres from "postgres";
import type { createClient } from "redis";

/** How often expired rows are deleted where the engine does not do it itself. */
const SWEEP_INTERVAL_MS = 5 * 60_000;

/** How to open a store by the scheme of its address. */
const SCHEMES: Readonly<Record<string, typeof openKv>> = {
  redis: openRedis,
  rediss: openRedis,
  postgres: openPostgres,
  postgresql: openPostgres,
  http: openKv,
  https: openKv,
};

/**
 * Opens a store.
 *
 * @param address `redis://…`, `postgres://…`, `http(s)://…` (KV Connect, as on
 *   Deno Deploy; the access token is taken from `DENO_KV_ACCESS_TOKEN`), or the
 *   path of a Deno KV file.
 * @param stack Closes the connections.
 * @throws {TypeError} If it is the address of something else.
 */
export async function openStore(
  address: string,
  stack: AsyncDisposableStack,
): Promise<SessionStore> {
  const scheme = address.match(/^([a-z][a-z0-9+.-]*):\/\//i)?.[1];
  if (scheme === undefined) return await openKv(address, stack);
  const open = SCHEMES[scheme.toLowerCase()];
  if (open !== undefined) return await open(address, stack);
  // An address may hold a password: the rest of it is not repeated.
  throw new TypeError(
    `Cannot open store: want ${
      Object.keys(SCHEMES).map((name) => `${name}://`).join(", ")
    } or the path of a file: received ${scheme}://`,
  );
}

async function openKv(
  address: string,
  stack: AsyncDisposableStack,
): Promise<SessionStore> {
  // a function, so that it is opened again if another process is just opening the file
  const store = stack.use(new KvStore(() => Deno.openKv(address)));
  await store.get(""); // what cannot be opened is to be known now
  return store;
}

async function openRedis(
  address: string,
  stack: AsyncDisposableStack,
): Promise<SessionStore> {
  const driver: { createClient: typeof createClient } = await load("redis");
  const { RedisStore } = await import("@tessera/session/redis");
  let connected = false;
  const client = driver.createClient({
    url: address,
    disableOfflineQueue: true,
    commandsQueueMaxLength: 10_000,
    socket: {
      // whoever starts the demo is told at once that there is no server
      reconnectStrategy: (tries, cause) =>
        connected ? Math.min(100 * tries, 2_000) : cause,
    },
  });
  // without a listener, a lost connection would end the program
  client.on("error", () => {});
  await client.connect();
  connected = true;
  stack.defer(() => client.close());
  return new RedisStore(client);
}

async function openPostgres(
  address: string,
  stack: AsyncDisposableStack,
): Promise<SessionStore> {
  const driver: { default: typeof postgres } = await load("postgres");
  const { PostgresStore } = await import("@tessera/session/postgres");
  const sql = driver.default(address, {
    connect_timeout: 5, // seconds
    backoff: () => 0.5, // seconds between attempts to connect
    connection: { statement_timeout: 5_000 }, // milliseconds
  });
  stack.defer(() => sql.end({ timeout: 5 }));
  const store = new PostgresStore(sql);
  await store.createTable();
  const timer = setInterval(
    () => void store.sweep().catch(() => {}), // the next one makes up for it
    SWEEP_INTERVAL_MS,
  );
  stack.defer(() => clearInterval(timer));
  return store;
}

/**
 * Loads a driver. `import("redis")` would have Deno download it even where it is
 * never run; a name that is known only later is looked for only then.
 */
async function load<Driver>(name: string): Promise<Driver> {
  return await import(name);
}
