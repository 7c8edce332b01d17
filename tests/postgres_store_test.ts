import { PostgresStore } from "@tessera/session/postgres";
import { testSessionStore } from "@tessera/session/testing";
import { PostgresServer } from "./_postgres.ts";

let server: PostgresServer;
let tables = 0;
Deno.test.beforeAll(async () => {
  server = await PostgresServer.start({ fsync: false });
});
Deno.test.afterAll(() => server[Symbol.asyncDispose]());

testSessionStore("PostgresStore", async () => {
  const sql = server.open();
  const store = new PostgresStore(sql, { table: `case_${++tables}` });
  await store.createTable();
  return Object.assign(store, { [Symbol.asyncDispose]: () => sql.end() });
});
