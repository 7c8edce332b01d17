/**
 * Runs a step within the app's tracing, which must not be able to break it.
 *
 * @module
 */

import type { SessionTrace } from "./session_options.ts";

/**
 * Runs a step within a trace.
 *
 * The step runs exactly once, and its outcome is the step's own, whatever the
 * tracer throws or returns.
 *
 * @param trace The tracer.
 * @param name The name of the step.
 * @param step The step.
 * @returns What the step returns.
 */
export async function traced<T>(
  trace: SessionTrace,
  name: "session.load" | "session.commit",
  step: () => T | Promise<T>,
): Promise<T> {
  let outcome: Promise<T> | undefined;
  const run = () => {
    if (outcome === undefined) {
      outcome = (async () => await step())();
      outcome.catch(() => {}); // a tracer may wait for something else meanwhile
    }
    return outcome;
  };
  try {
    await trace(name, run);
  } catch {
    // either the step's own failure, which follows, or the tracer's, which is its own affair
  }
  return await run();
}
