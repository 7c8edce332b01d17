/**
 * Helpers for tests: of programs that use sessions, and of session stores.
 *
 * - {@linkcode TestClient} sends requests to a handler, without sockets, and
 *   keeps its cookies as a browser would.
 * - {@linkcode TestClock} is a clock that the test moves by hand.
 * - {@linkcode testSessionStore} is the conformance suite for stores:
 *   `testSessionStore("MyStore", () => new MyStore());`
 *
 * @example A visitor who comes back tomorrow
 * ```ts
 * import { MemoryStore, withSession } from "@tessera/session";
 * import { TestClient, TestClock } from "@tessera/session/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const clock = new TestClock();
 * const handler = withSession((_request, session) => {
 *   const count = session.get<number>("count") ?? 0;
 *   session.set("count", count + 1);
 *   return Response.json({ count });
 * }, { store: new MemoryStore(), clock: clock.now });
 *
 * const client = new TestClient(handler, { clock: clock.now });
 * await client.get("/");
 * clock.advance({ days: 1 });
 *
 * const response = await client.get("/");
 * assertEquals(await response.json(), { count: 1 });
 * ```
 *
 * @module
 */

export type { Duration } from "../duration.ts";
export type { TestCookie } from "./_cookie_jar.ts";
export {
  TestClient,
  type TestClientOptions,
  type TestHandler,
} from "./test_client.ts";
export { TestClock } from "./test_clock.ts";
export {
  type TestRegistrar,
  testSessionStore,
  type TestSessionStoreOptions,
} from "./test_session_store.ts";
