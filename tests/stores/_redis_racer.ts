/**
 * One of the processes of a race: adds one to the count of a session, many
 * times at once.
 *
 * Run with the URL of the server, the prefix of the store, the token, how many
 * times, and how many processes start together.
 *
 * @module
 */

import { SessionManager } from "@tessera/session";
import { RedisStore } from "@tessera/session/redis";
import { getWith } from "../_helpers.ts";
import { connectTo } from "./_redis.ts";

const [url = "", prefix = "", token = "", times = "", processes = ""] =
  Deno.args;

const client = await connectTo(url);
const sessions = new SessionManager({
  store: new RedisStore(client, { prefix }),
});

// Nobody starts before all are here.
await client.incr(`${prefix}:started`);
while (Number(await client.get(`${prefix}:started`)) < Number(processes)) {
  await new Promise((resolve) => setTimeout(resolve, 5));
}

const responses = await Promise.all(
  Array.from(
    { length: Number(times) },
    () =>
      sessions.handle(getWith(token), (session) => {
        session.update("count", (count = 0) => (count as number) + 1);
        return new Response();
      }),
  ),
);
await client.close();
Deno.exit(responses.length === Number(times) ? 0 : 1);
