/**
 * Stateless sessions that travel by other ways than a cookie.
 */

import { assert, assertEquals } from "@std/assert";
import {
  cookieTransport,
  headerTransport,
  SessionManager,
} from "@tessera/session";
import { get, key } from "./_helpers.ts";

const STATELESS = { stateless: true, secrets: [key("a")] };

Deno.test("a stateless session goes by any transport, the first that yields one", async () => {
  const sessions = new SessionManager({
    ...STATELESS,
    transport: [cookieTransport(), headerTransport()],
  });
  const byHeader = new SessionManager({
    ...STATELESS,
    transport: headerTransport(),
  });
  const login = await byHeader.handle(get(), (session) => {
    session.login("ada");
    return new Response();
  });
  const token = login.headers.get("x-session") ?? "";
  assertEquals(login.headers.getSetCookie(), []);
  const headers = { cookie: "__Host-session=garbage", "x-session": token };
  const response = await sessions.handle(
    new Request("https://example.com/", { headers }),
    (session) => {
      session.set("n", 1);
      return new Response(session.subject);
    },
  );
  assertEquals(await response.text(), "ada");
  assertEquals(response.headers.getSetCookie(), []);
  assert((response.headers.get("x-session") ?? "").length > token.length);
});
