import { assert, assertEquals, assertRejects } from "@std/assert";
import * as api from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import {
  MemoryStore,
  openTelemetryEvents,
  type SessionEvent,
  SessionManager,
  type SessionOptions,
  SessionStoreError,
} from "@tessera/session";
import { get } from "./_helpers.ts";
import { fails, SpyStore } from "./_spy_store.ts";
import { Visitor } from "./_visitor.ts";

/** The real SDK, in memory, and registered as an app would do it. */
async function withSdk(
  run: (sdk: {
    spans: InMemorySpanExporter;
    counts: () => Promise<Record<string, unknown>>;
    register: () => void;
  }) => Promise<void>,
): Promise<void> {
  const spans = new InMemorySpanExporter();
  const tracers = new TracerProvider({
    spanProcessors: [new SimpleSpanProcessor({ exporter: spans })],
  });
  const metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({
    exporter: metrics,
    exportIntervalMillis: 3_600_000,
  });
  const meters = new MeterProvider({ readers: [reader] });
  const contexts = new AsyncLocalStorageContextManager().enable();
  const register = () => {
    api.context.setGlobalContextManager(contexts);
    api.trace.setGlobalTracerProvider(tracers);
    api.metrics.setGlobalMeterProvider(meters);
  };
  const counts = async () => {
    metrics.reset();
    await reader.forceFlush();
    const [resource] = metrics.getMetrics();
    const [metric] = (resource?.scopeMetrics ?? [])
      .filter(({ scope }) => scope.name === "@tessera/session")
      .flatMap((scope) => scope.metrics);
    assertEquals(metric?.descriptor.name, "session.events");
    return Object.fromEntries(
      (metric?.dataPoints ?? []).map(({ attributes, value }) => [
        [attributes["session.event"], attributes["session.reason"]]
          .filter(Boolean).join(" "),
        value,
      ]),
    );
  };
  try {
    await run({ spans, counts, register });
  } finally {
    api.trace.disable();
    api.metrics.disable();
    api.context.disable();
    contexts.disable();
    await tracers.shutdown();
    await meters.shutdown();
  }
}

Deno.test("openTelemetryEvents() traces session.load and session.commit as children of the request", () =>
  withSdk(async ({ spans, register }) => {
    register();
    const sessions = new SessionManager({
      store: new MemoryStore(),
      ...openTelemetryEvents(api),
    });
    const visitor = new Visitor(sessions);
    await visitor.visit((session) => session.set("n", 1));
    spans.reset();

    const tracer = api.trace.getTracer("app");
    await tracer.startActiveSpan("request", async (span) => {
      await visitor.visit((session) => {
        tracer.startActiveSpan("handler", (inner) => {
          session.set("n", 2);
          inner.end();
        });
      });
      span.end();
    });
    const finished = spans.getFinishedSpans();
    assertEquals(finished.map(({ name }) => name), [
      "session.load",
      "handler",
      "session.commit",
      "request",
    ]);
    const request = finished[3]?.spanContext();
    for (const span of finished.slice(0, 3)) {
      assertEquals(span.parentSpanContext?.spanId, request?.spanId, span.name);
      assertEquals(span.spanContext().traceId, request?.traceId);
    }
    const [load] = finished;
    assertEquals(load?.instrumentationScope.name, "@tessera/session");
    assertEquals(load?.status.code, api.SpanStatusCode.UNSET);
    // neither a token nor an id
    const shown = Deno.inspect(finished.map(({ attributes, events }) => {
      return { attributes, events };
    }));
    assert(!shown.includes(visitor.token.slice(0, 26)));
  }));

Deno.test("openTelemetryEvents() traces an early commit as long as it takes, and once", () =>
  withSdk(async ({ spans, register }) => {
    register();
    const store = new SpyStore();
    const sessions = new SessionManager({ store, ...openTelemetryEvents(api) });
    let during: number | undefined;
    store.onCommit = (call) => {
      during = spans.getFinishedSpans().length;
      return call();
    };
    await sessions.handle(get(), async (session) => {
      session.set("n", 1);
      await session.commit();
      assertEquals(spans.getFinishedSpans().map(({ name }) => name), [
        "session.load",
        "session.commit",
      ]);
      return new Response();
    });
    assertEquals(during, 1); // the load alone: the commit was under way
    assertEquals(spans.getFinishedSpans().length, 2);
  }));

Deno.test("openTelemetryEvents() notes a failure on the span, and throws it on", () =>
  withSdk(async ({ spans, counts, register }) => {
    register();
    const store = new SpyStore();
    const sessions = new SessionManager({ store, ...openTelemetryEvents(api) });
    store.onCommit = fails;
    await assertRejects(
      () =>
        sessions.handle(get(), (session) => {
          session.set("n", 1);
          return new Response();
        }),
      SessionStoreError,
    );
    const span = spans.getFinishedSpans().at(-1);
    assertEquals(span?.name, "session.commit");
    assertEquals(span?.status.code, api.SpanStatusCode.ERROR);
    const [event] = span?.events ?? [];
    assertEquals(event?.name, "exception");
    assertEquals(event?.attributes?.["exception.type"], "SessionStoreError");
    assertEquals(await counts(), { "store-error": 1 });
  }));

Deno.test("openTelemetryEvents() counts events by type and reason, the SDK registered late or early", () =>
  withSdk(async ({ spans, counts, register }) => {
    // modules are evaluated, and options made, before an app starts its SDK
    const sessions = new SessionManager({
      store: new MemoryStore(),
      ...openTelemetryEvents(api),
    });
    register();
    const visitor = new Visitor(sessions);
    await visitor.visit((session) => session.set("n", 1));
    await visitor.visit((session) => session.login("ada"));
    await visitor.visit((session) => session.regenerate());
    await visitor.visit((session) => session.logout());
    for (const cookie of ["x", "y", "z"]) {
      await sessions.handle(get(`__Host-session=${cookie}`), (session) => {
        return new Response(session.subject);
      });
    }
    assertEquals(await counts(), {
      "created": 1,
      "ended rotated": 1,
      "login": 1,
      "regenerated": 1,
      "ended logout": 1,
      "refused malformed": 3,
    });
    assert(spans.getFinishedSpans().length > 0);
  }));

Deno.test("openTelemetryEvents() without any SDK does nothing, and changes nothing", async () => {
  const visitor = new Visitor({ ...openTelemetryEvents(api) });
  await visitor.visit((session) => session.login("ada"));
  assertEquals(await visitor.visit(({ subject }) => subject), "ada");
});

Deno.test("openTelemetryEvents() fits what SessionOptions wants, and takes the module itself", () => {
  const made = openTelemetryEvents(api);
  const options: SessionOptions = { ...made };
  assertEquals(Object.keys(options), ["onEvent", "trace"]);
  const event: SessionEvent = { type: "created", id: "x", at: 0 };
  assertEquals(made.onEvent(event), undefined);
});
