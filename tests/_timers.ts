/**
 * Timers as a test sees them.
 *
 * @module
 */

/** Notes the delays of all timers. */
export function countTimers(): { delays: number[]; restore(): void } {
  const { setTimeout } = globalThis;
  const delays: number[] = [];
  globalThis.setTimeout = ((run: () => void, delay = 0) => {
    delays.push(delay);
    return setTimeout(run, delay);
  }) as typeof setTimeout;
  return {
    delays,
    restore: () => {
      globalThis.setTimeout = setTimeout;
    },
  };
}
