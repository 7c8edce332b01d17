/**
 * Reports sessions to OpenTelemetry.
 *
 * @module
 */

import { describeType } from "./_check.ts";
import type { SessionEvent } from "./events.ts";
import type { SessionTrace } from "./session_options.ts";

/** What the library is called in traces and metrics. */
const SCOPE = "@tessera/session";

/** The status of a span that failed (`SpanStatusCode.ERROR`). */
const STATUS_ERROR = 2;

/** The part of a span that is used. */
export interface OpenTelemetrySpan {
  /** Notes an error. */
  recordException(error: Error): void;
  /** Sets the outcome. */
  setStatus(status: { code: number }): unknown;
  /** Ends the span. */
  end(): void;
}

/** The part of `@opentelemetry/api` that is used: hand over the whole module. */
export interface OpenTelemetryApi {
  /** The tracing API. */
  trace: {
    /** Finds the tracer of a library. */
    getTracer(name: string): {
      /** Runs a function within a new span. */
      startActiveSpan<T>(name: string, run: (span: OpenTelemetrySpan) => T): T;
    };
  };
  /** The metrics API. */
  metrics: {
    /** Finds the meter of a library. */
    getMeter(name: string): {
      /** Creates a counter. */
      createCounter(
        name: string,
        options: { description: string; unit: string },
      ): {
        /** Adds to the counter. */
        add(value: number, attributes: Record<string, string>): void;
      };
    };
  };
}

/** What {@linkcode openTelemetryEvents} returns, to spread into the options. */
export interface OpenTelemetryEvents {
  /** Counts events by type and reason. */
  onEvent: (event: SessionEvent) => void;
  /** Wraps `session.load` and `session.commit` in spans. */
  trace: SessionTrace;
}

/**
 * Creates the options that report to OpenTelemetry: spread them into yours.
 *
 * Spans `session.load` and `session.commit`, and a counter `session.events` with the attributes
 * `session.event` and `session.reason`. Neither carries an id.
 *
 * @param api The `@opentelemetry/api` module of the app, whatever SDK stands behind it.
 * @returns `{ onEvent, trace }`.
 * @throws {TypeError} If it is not that module.
 *
 * @example Reporting to the SDK of the app
 * ```ts
 * import { MemoryStore, openTelemetryEvents, SessionManager } from "@tessera/session";
 * import * as api from "@opentelemetry/api";
 *
 * const sessions = new SessionManager({
 *   store: new MemoryStore(),
 *   ...openTelemetryEvents(api),
 * });
 * ```
 */
export function openTelemetryEvents(
  api: OpenTelemetryApi,
): OpenTelemetryEvents {
  checkApi(api);
  const tracer = api.trace.getTracer(SCOPE);
  const createCounter = () =>
    api.metrics.getMeter(SCOPE).createCounter("session.events", {
      description: "Steps in the lives of sessions, by type and reason",
      unit: "{event}",
    });
  let counter: ReturnType<typeof createCounter> | undefined;
  return {
    onEvent: (event) => {
      // not before: what is created before the SDK is registered counts nothing
      counter ??= createCounter();
      const attributes: Record<string, string> = {
        "session.event": event.type,
      };
      if ("reason" in event) attributes["session.reason"] = event.reason;
      counter.add(1, attributes);
    },
    trace: (name, run) =>
      tracer.startActiveSpan(name, async (span) => {
        try {
          return await run();
        } catch (error) {
          span.recordException(
            error instanceof Error ? error : new Error(String(error)),
          );
          span.setStatus({ code: STATUS_ERROR });
          throw error;
        } finally {
          span.end();
        }
      }),
  };
}

/** Checks both halves: what is missing would be missed only when it is used. */
function checkApi(api: Partial<OpenTelemetryApi> | null | undefined): void {
  const missing = [
    ...typeof api?.trace?.getTracer === "function" ? [] : ["trace.getTracer"],
    ...typeof api?.metrics?.getMeter === "function" ? [] : ["metrics.getMeter"],
  ];
  if (missing.length === 0) return;
  const received = describeType(api);
  throw new TypeError(
    `Cannot create openTelemetryEvents: "api" must be the @opentelemetry/api module: received ${
      received === "object"
        ? `an object without ${missing.join(" and ")}`
        : received
    }`,
  );
}
