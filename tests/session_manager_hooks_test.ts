import { assert, assertEquals, assertRejects } from "@std/assert";
import { MemoryStore, type Session, withSession } from "@tessera/session";
import { TestClient } from "@tessera/session/testing";
import { SpyStore } from "./_spy_store.ts";
import { Visitor } from "./_visitor.ts";

const ORIGIN = "https://example.com/";

Deno.test("SessionManager survives an onEvent that throws or rejects", async () => {
  const listeners = [
    () => {
      throw new Error("from onEvent");
    },
    () => Promise.reject(new Error("from onEvent")),
    async () => {
      await Promise.resolve();
      throw new Error("from onEvent");
    },
  ];
  for (const onEvent of listeners) {
    let called = 0;
    const visitor = new Visitor({
      onEvent: () => {
        called++;
        return onEvent();
      },
    });
    await visitor.visit((session) => session.set("n", 1));
    await visitor.visit((session) => session.login("alice"));
    await visitor.visit((session) => session.logout());
    assert(called >= 4);
    assertEquals(await visitor.read(), []);
  }
});

Deno.test("SessionManager hands every event its time, whole and on its clock", async () => {
  const visitor = new Visitor({ clock: () => 1_234.9 });
  await visitor.visit((session) => session.login("alice"));
  assertEquals(visitor.events.map(({ at, type }) => [at, type]), [
    [1_234, "created"],
    [1_234, "login"],
  ]);
});

Deno.test("SessionManager traces loads and commits, once each", async () => {
  const names: string[] = [];
  const visitor = new Visitor({
    trace: async (name, run) => {
      names.push(`> ${name}`);
      const result = await run();
      names.push(`< ${name}`);
      return result;
    },
  });
  await visitor.visit((session) => {
    names.push("handler");
    session.set("n", 1);
  });
  const expected = [
    "> session.load",
    "< session.load",
    "handler",
    "> session.commit",
    "< session.commit",
  ];
  assertEquals(names.splice(0), expected);
  await visitor.visit((session) => {
    names.push("handler");
    session.get("n");
  });
  assertEquals(names, expected);
});

Deno.test("SessionManager survives a trace that throws, rejects, lies, or does not run", async () => {
  type Run = () => Promise<unknown>;
  const traces: Record<string, (name: string, run: Run) => unknown> = {
    throws: () => {
      throw new Error("from trace");
    },
    rejects: () => Promise.reject(new Error("from trace")),
    "does not run": () => Promise.resolve(undefined),
    "returns nothing": () => undefined,
    "runs and throws": async (_name, run) => {
      await run();
      throw new Error("from trace");
    },
    "runs twice": async (_name, run) => {
      await run();
      return await run();
    },
    "runs and lies": async (_name, run) => {
      await run();
      return "another result";
    },
    "does not wait": (_name, run) => {
      void run();
      return Promise.resolve();
    },
  };
  for (const [name, trace] of Object.entries(traces)) {
    const store = new SpyStore();
    const visitor = new Visitor({ store, trace: trace as never });
    for (let n = 1; n <= 3; n++) {
      await visitor.visit((session) =>
        session.update<number>("n", (n = 0) => n + 1)
      );
      assertEquals(store.calls.commit, n, name);
    }
    assertEquals(await visitor.read(), [["n", 3]], name);
  }
});

Deno.test("SessionManager reports the step's failure, not the trace's, and leaves nothing unhandled", async () => {
  const store = new SpyStore();
  const unhandled: unknown[] = [];
  const note = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    unhandled.push(event.reason);
  };
  addEventListener("unhandledrejection", note);
  try {
    const visitor = new Visitor({
      store,
      trace: async (_name, run) => {
        const running = run();
        await new Promise((resolve) => setTimeout(resolve, 5));
        return await running.catch(() => {
          throw new Error("from trace");
        });
      },
    });
    store.onCommit = () => Promise.reject(new Error("disk on fire"));
    await assertRejects(
      () => visitor.visit((session) => session.set("n", 1)),
      Error,
      "Cannot commit session: the store must answer",
    );
    assertEquals(unhandled, []);
  } finally {
    removeEventListener("unhandledrejection", note);
  }
});

Deno.test("SessionManager refuses a second manager with the same name on one request", async () => {
  const options = { store: new MemoryStore() };
  const inner = withSession((_request, session) => {
    session.set("inner", true);
    return new Response();
  }, options);
  const outer = withSession(async (request, session) => {
    session.set("outer", true);
    return await inner(request);
  }, options);
  await assertRejects(
    () => outer(new Request(ORIGIN)),
    TypeError,
    'must have different names: received "__Host-session" twice; set "cookie: { name }"',
  );
  assertEquals(options.store.size, 0);
  // one after the other is no conflict
  const request = new Request(ORIGIN);
  await inner(request);
  await withSession(() => new Response(), options)(request);
});

Deno.test("SessionManager nests with another name, and one that ends leaves the other", async () => {
  const [one, two] = [new MemoryStore(), new MemoryStore()];
  const inner = withSession((request, session, outer: Session) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/start") {
      session.set("is", "inner");
      outer.set("is", "outer");
    } else if (pathname === "/end/inner") session.destroy();
    else if (pathname === "/end/outer") outer.destroy();
    else return Response.json([outer.get("is"), session.get("is")]);
    return new Response();
  }, { store: one, cookie: { name: "__Host-inner" } });
  const handler = withSession(
    (request, outer) => inner(request, outer),
    { store: two },
  );
  const client = new TestClient(handler);
  const read = async () => await (await client.get("/")).json();
  const started = await client.get("/start");
  assertEquals(started.headers.getSetCookie().length, 2);
  assertEquals(started.headers.get("vary"), "Cookie");
  assertEquals([one.size, two.size], [1, 1]);
  assertEquals(await read(), ["outer", "inner"]);
  await client.get("/end/inner");
  assertEquals(await read(), ["outer", null]);
  await client.get("/start");
  await client.get("/end/outer");
  assertEquals(await read(), [null, "inner"]);
  assertEquals([one.size, two.size], [1, 0]);
});
