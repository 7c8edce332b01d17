/**
 * The end of a burst of calls.
 *
 * @module
 */

/**
 * Runs a function once no more calls come in: in the next microtask, or the
 * one after it if the queue has grown by then, and so on.
 *
 * @param length Tells the length of the queue.
 * @param run The function.
 * @param seen The length so far.
 */
export function afterBurst(
  length: () => number,
  run: () => void,
  seen: number = length(),
): void {
  queueMicrotask(() => {
    const now = length();
    if (now > seen) afterBurst(length, run, now);
    else run();
  });
}
