/**
 * A process that counts in a session in PostgreSQL: as many requests at once as
 * it is told, with `URL`, `TABLE`, `TOKEN` and `COUNT` in the environment.
 *
 * @module
 */

import { SessionManager } from "@tessera/session";
import { PostgresStore } from "@tessera/session/postgres";
import postgres from "postgres";
import { times, together } from "../_races.ts";

const { URL = "", TABLE = "", TOKEN = "", COUNT = "" } = Deno.env.toObject();
const sql = postgres(URL, { max: 4 });
const manager = new SessionManager({
  store: new PostgresStore(sql, { table: TABLE }),
  storeTimeout: 30_000,
});
// all begin at once: when the test gives up its lock
await sql`SELECT pg_advisory_xact_lock_shared(7)`;
await together(times(Number(COUNT), manager, TOKEN, (session) => {
  session.update<number>("count", (count = 0) => count + 1);
}));
await sql.end();
