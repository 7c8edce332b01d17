/**
 * What is handed over in place of a request, a handler, or a module.
 */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  MemoryStore,
  openTelemetryEvents,
  SessionManager,
  withLazySession,
  withSession,
} from "@tessera/session";

const OTHERS: [unknown, string][] = [
  [undefined, "undefined"],
  [null, "null"],
  ["https://example.com/", "string"],
  [{ req: {} }, "object"],
  [new URL("https://example.com/"), "URL"],
];

for (const [other, name] of OTHERS) {
  Deno.test(`what is no Request is told so: ${name}`, async () => {
    const store = new MemoryStore();
    const sessions = new SessionManager({ store });
    const traced = new SessionManager({ store, trace: (_, run) => run() });
    const request = other as Request;
    const handled = withSession((_, session) => {
      session.get("a");
      return new Response();
    }, sessions);
    const loaded = withLazySession(async (_, lazy) => {
      await lazy.load();
      return new Response();
    }, sessions);
    const want = `Cannot load session: "request" must be a Request: received`;
    for (
      const call of [
        () => handled(request),
        () => loaded(request),
        () => sessions.load(request),
        () => traced.load(request),
      ]
    ) await assertRejects(async () => await call(), TypeError, want);
  });
}

Deno.test("a transport that fails is not taken for a request that is none", async () => {
  const sessions = new SessionManager({
    store: new MemoryStore(),
    transport: {
      name: "mine",
      vary: [],
      read: () => {
        throw new Error("mine");
      },
      write: () => {},
      clear: () => {},
    },
  });
  await assertRejects(
    () =>
      sessions.handle(
        new Request("https://example.com/"),
        () => new Response(),
      ),
    Error,
    "mine",
  );
});

Deno.test("SessionManager.edit() without a function is a TypeError, whatever the id is", async () => {
  const sessions = new SessionManager({ store: new MemoryStore() });
  await assertRejects(
    () => sessions.edit("unknown", undefined as unknown as () => void),
    TypeError,
    '"edit" must be a function',
  );
  assertEquals(await sessions.edit("unknown", () => 1), undefined);
});

Deno.test("openTelemetryEvents() without the API, or half of it, is a TypeError", () => {
  const trace = { getTracer: () => {} };
  const metrics = { getMeter: () => {} };
  const cases: [api: unknown, received: string][] = [
    [undefined, "undefined"],
    [null, "null"],
    [{}, "an object without trace.getTracer and metrics.getMeter"],
    [{ trace: {}, metrics }, "an object without trace.getTracer"],
    [{ trace }, "an object without metrics.getMeter"],
    [{ trace, metrics: {} }, "an object without metrics.getMeter"],
  ];
  for (const [api, received] of cases) {
    assertThrows(
      () =>
        openTelemetryEvents(api as Parameters<typeof openTelemetryEvents>[0]),
      TypeError,
      `Cannot create openTelemetryEvents: "api" must be the @opentelemetry/api module: received ${received}`,
    );
  }
});
