/** In a file of its own: the first managers of a process are what it is about. */

import { assertEquals, assertRejects } from "@std/assert";
import { MemoryStore, SessionManager } from "@tessera/session";
import { fails, SpyStore } from "./_spy_store.ts";

const NOTICED = "two managers of one request must have different names";

function newRequest(): Request {
  return new Request("https://example.com/");
}

Deno.test("two managers of one name are noticed though the second is made within the very first request", async () => {
  const store = new MemoryStore();
  const outer = new SessionManager({ store });
  let inner: SessionManager | undefined;
  const serve = () => {
    const request = newRequest();
    return outer.handle(request, () => {
      inner ??= new SessionManager({ store });
      return inner.handle(request, (session) => {
        session.set("n", 1);
        return new Response();
      });
    });
  };
  for (let round = 0; round < 3; round++) {
    await assertRejects(serve, TypeError, NOTICED);
  }
  assertEquals(store.size, 0);
});

Deno.test("two managers of one name are noticed however many requests are under way", async () => {
  const outer = new SessionManager({ store: new MemoryStore() });
  const inner = new SessionManager({ store: new MemoryStore() });
  const requests = Array.from({ length: 600 }, newRequest);
  const gate = Promise.withResolvers<void>();
  let started = 0;
  const outcomes = await Promise.allSettled(
    requests.map((request) =>
      outer.handle(request, async () => {
        if (++started === requests.length) gate.resolve();
        await gate.promise;
        return await inner.handle(request, () => new Response());
      })
    ),
  );
  for (const outcome of outcomes) {
    assertEquals(outcome.status, "rejected");
  }
  for (const request of requests) {
    await inner.handle(request, () => new Response());
  }
});

Deno.test("SessionManager.load() is noticed by other managers of its name until its commit", async () => {
  const a = new SessionManager({ store: new MemoryStore() });
  const b = new SessionManager({ store: new MemoryStore() });
  const request = newRequest();
  const session = await a.load(request);
  const again = await a.load(request);
  for (let count = 0; count < 2; count++) {
    await assertRejects(() => b.load(request), TypeError, NOTICED);
    await assertRejects(
      () => b.handle(request, () => new Response()),
      TypeError,
      NOTICED,
    );
    await assertRejects(
      () => b.handleLazily(request, () => new Response()),
      TypeError,
      NOTICED,
    );
    await a.handle(request, () => new Response());
  }
  await a.commit(session, new Response());
  await a.commit(session, new Response());
  await assertRejects(() => b.load(request), TypeError, NOTICED);
  await a.commit(again, new Response());
  await b.commit(await b.load(request), new Response());
  await a.handle(request, () => new Response());
});

Deno.test("SessionManager.load() that fails leaves the request to other managers of its name", async () => {
  const store = new SpyStore();
  const a = new SessionManager({ store });
  const b = new SessionManager({ store });
  const first = await a.handle(newRequest(), (session) => {
    session.set("n", 1);
    return new Response();
  });
  const [cookie = ""] = first.headers.getSetCookie()[0]?.split(";") ?? [];
  const request = new Request("https://example.com/", { headers: { cookie } });
  store.onGet = fails;
  await assertRejects(() => a.load(request));
  store.onGet = undefined;
  const session = await b.load(request);
  session.set("n", 2);
  store.onCommit = fails;
  await assertRejects(() => b.commit(session, new Response()));
  store.onCommit = undefined;
  const response = await a.handle(
    request,
    (session) => Response.json(session.get("n")),
  );
  assertEquals(await response.json(), 1);
});

Deno.test("a manager gets along with itself, and with others of other names, on one request", async () => {
  const a = new SessionManager({ store: new MemoryStore() });
  const b = new SessionManager({
    store: new MemoryStore(),
    cookie: { name: "sid" },
  });
  const request = newRequest();
  const session = await a.load(request);
  const response = await a.handle(request, () =>
    b.handle(request, async () => {
      await b.load(request);
      return new Response();
    }));
  await a.commit(session, response);
});
