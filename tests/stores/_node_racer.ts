/**
 * A process of the race on Node.js.
 *
 * Counts up in the session of a cookie, several requests at a time. Writes a line for
 * each count that was acknowledged; without a cookie it starts the session, and writes
 * the cookie.
 *
 * @module
 */

import { argv, stdout } from "node:process";
import { openKv } from "@deno/kv";
import { KvStore, type Session, SessionManager } from "@tessera/session";

const [database = "", cookie, counts = "0"] = argv.slice(2);
const kv = await openKv(database);
const sessions = new SessionManager({ store: new KvStore(kv) });

/** Makes a request. */
function visit(run: (session: Session) => unknown): Promise<Response> {
  const headers = cookie === undefined ? undefined : { cookie };
  const request = new Request("https://example.com/", headers && { headers });
  return sessions.handle(
    request,
    (session) => new Response(String(run(session))),
  );
}

function increment(session: Session): void {
  session.update<number>("count", (count = 0) => count + 1);
}

if (cookie === undefined) {
  const response = await visit((session) => session.set("count", 0));
  const [line = ""] = response.headers.getSetCookie();
  stdout.write(line.slice(0, line.indexOf(";")));
} else if (counts === "0") {
  const response = await visit((session) => session.get("count"));
  stdout.write(await response.text());
} else {
  let left = Number(counts);
  await Promise.all(Array.from({ length: 10 }, async () => {
    while (left-- > 0) {
      await visit(increment);
      stdout.write(".\n");
    }
  }));
}
kv.close();
