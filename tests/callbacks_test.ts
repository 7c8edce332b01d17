/**
 * Listeners and tracers of an app: whatever they do, they break no request.
 */

import { assertEquals, assertRejects } from "@std/assert";
import { type SessionOptions, SessionStoreError } from "@tessera/session";
import { fails, SpyStore } from "./_spy_store.ts";
import { Visitor } from "./_visitor.ts";

const BROKEN: Record<string, Pick<SessionOptions, "onEvent" | "trace">> = {
  "an onEvent that throws": {
    onEvent: () => {
      throw new Error("listener");
    },
  },
  "an onEvent that rejects": {
    onEvent: () => Promise.reject(new Error("listener")),
  },
  "a trace that throws": {
    trace: () => {
      throw new Error("tracer");
    },
  },
  "a trace that rejects": {
    trace: async (_name, run) => {
      await run();
      throw new Error("tracer");
    },
  },
  "a trace that rejects before": {
    trace: () => Promise.reject(new Error("tracer")),
  },
  "a trace that never calls": {
    trace: () => Promise.resolve(undefined as never),
  },
  "a trace that returns something else": {
    trace: async (_name, run) => {
      await run();
      return "other" as never;
    },
  },
  "a trace that calls twice": {
    trace: async (_name, run) => {
      await run();
      return await run();
    },
  },
};

for (const [name, options] of Object.entries(BROKEN)) {
  Deno.test(`${name} never breaks a request`, async () => {
    const store = new SpyStore();
    const visitor = new Visitor({ store, ...options });
    await visitor.visit((session) => session.set("n", 1));
    await visitor.visit((session) =>
      session.update<number>("n", (n = 0) => n + 1)
    );
    assertEquals(await visitor.read(), [["n", 2]]);
    assertEquals(store.calls, { get: 2, commit: 2, list: 0 });
    store.onGet = fails;
    await assertRejects(() => visitor.read(), SessionStoreError);
  });
}
