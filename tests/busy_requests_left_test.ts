/** In a file of its own: the first managers of a process are what it is about. */

import { assert } from "@std/assert";
import { MemoryStore, SessionManager } from "@tessera/session";

Deno.test("a request is left to other managers when the first is done, whenever they were made", async () => {
  const request = new Request("https://example.com/");
  const first = new SessionManager({ store: new MemoryStore() });
  let second: SessionManager | undefined;
  await first.handle(request, () => {
    second = new SessionManager({ store: new MemoryStore() });
    return new Response();
  });
  assert(second !== undefined);
  await second.handle(request, () => new Response());
});
