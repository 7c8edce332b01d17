/** In a file of its own: the first managers of a process are what it is about. */

import { assertEquals, assertRejects } from "@std/assert";
import { MemoryStore, SessionManager } from "@tessera/session";

Deno.test("two managers of one name are noticed though the second is made within the first request", async () => {
  const store = new MemoryStore();
  const outer = new SessionManager({ store });
  let inner: SessionManager | undefined;
  for (const round of [1, 2]) {
    const request = new Request("https://example.com/");
    await assertRejects(
      () =>
        outer.handle(request, () => {
          inner ??= new SessionManager({ store });
          return inner.handle(request, (session) => {
            session.set("round", round);
            return new Response();
          });
        }),
      TypeError,
      "different names",
    );
  }
  assertEquals(store.size, 0);
});
