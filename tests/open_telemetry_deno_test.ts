/**
 * What Deno's own OpenTelemetry exports of a server with sessions.
 */

import { assert, assertEquals } from "@std/assert";
import { ROOT, stdArguments } from "../tools/std.ts";
import { serve } from "./_helpers.ts";

/** What an OTLP exporter sends, as far as it is looked at. */
interface Span {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
}
interface Otlp {
  resourceSpans?: { scopeSpans: { spans: Span[] }[] }[];
  resourceMetrics?: {
    scopeMetrics: {
      metrics: {
        name: string;
        sum?: { dataPoints: { asInt?: string | number; asDouble?: number }[] };
      }[];
    }[];
  }[];
}

Deno.test("openTelemetryEvents() is seen by Deno's own OpenTelemetry", async () => {
  const received: Otlp[] = [];
  const collector = serve(async (request) => {
    received.push(await request.json());
    return Response.json({});
  });
  const program = `
    import * as api from "@opentelemetry/api";
    import { MemoryStore, openTelemetryEvents, withSession } from "${new URL(
    "mod.ts",
    ROOT,
  )}";
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      withSession((_request, session) => {
        session.login("ada");
        return new Response("hello");
      }, { store: new MemoryStore(), ...openTelemetryEvents(api) }),
    );
    const response = await fetch("http://127.0.0.1:" + server.addr.port);
    await response.text();
    await server.shutdown();
  `;
  const output = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      ...await stdArguments(),
      "-A",
      "--no-check",
      `data:application/typescript,${encodeURIComponent(program)}`,
    ],
    cwd: ROOT,
    env: {
      NO_COLOR: "1",
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.addr.port}`,
    },
  }).output();
  await collector.shutdown();
  assertEquals(output.code, 0, new TextDecoder().decode(output.stderr));

  const spans = received.flatMap(({ resourceSpans = [] }) => resourceSpans)
    .flatMap(({ scopeSpans }) => scopeSpans).flatMap(({ spans }) => spans);
  const load = spans.find(({ name }) => name === "session.load");
  const commit = spans.find(({ name }) => name === "session.commit");
  const request = spans.find(({ spanId }) => spanId === load?.parentSpanId);
  assert(request?.name.startsWith("GET"), Deno.inspect(spans));
  assertEquals(commit?.parentSpanId, request?.spanId);
  const [counter] = received.flatMap(({ resourceMetrics = [] }) =>
    resourceMetrics
  ).flatMap(({ scopeMetrics }) => scopeMetrics)
    .flatMap(({ metrics }) => metrics)
    .filter(({ name }) => name === "session.events");
  assert((counter?.sum?.dataPoints.length ?? 0) >= 2, Deno.inspect(received));
});
