/**
 * Options that are `undefined` are options left out.
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  cookieTransport,
  MemoryStore,
  type SessionTransport,
  withSession,
} from "@tessera/session";
import { TestClient, type TestClientOptions } from "@tessera/session/testing";

Deno.test("SessionTransport.persistent is true when it is undefined", async () => {
  const cookie = cookieTransport();
  const transport: SessionTransport = {
    name: cookie.name,
    vary: cookie.vary,
    persistent: undefined,
    read: (request) => cookie.read(request),
    write: (...args) => cookie.write(...args),
    clear: (headers) => cookie.clear(headers),
  };
  const handler = withSession((_request, session) => {
    session.set("n", 1);
    return new Response();
  }, { transport, store: new MemoryStore() });
  const response = await handler(new Request("https://example.com/"));
  assertStringIncludes(response.headers.get("set-cookie") ?? "", "Max-Age=");
});

Deno.test("TestClient() takes undefined for an option left out", async () => {
  const options: TestClientOptions = { origin: undefined, clock: undefined };
  const client = new TestClient((request) => {
    const headers = { "set-cookie": "a=1; Max-Age=60" };
    return new Response(request.url, { headers });
  }, options);
  const response = await client.get("/page");
  assertEquals(await response.text(), "https://example.com/page");
  assertEquals(client.cookie("a")?.value, "1");
});
