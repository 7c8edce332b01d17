/**
 * Waits between tries, so that writers who keep meeting part ways.
 *
 * @module
 */

/** The longest wait; a commit to a local store takes well under a millisecond. */
const MAX_WAIT_MS = 50;

/**
 * Waits a random while that grows with the attempts; not at all after the first.
 *
 * @param attempt How many tries have failed: 1 or more.
 */
export async function backOff(attempt: number): Promise<void> {
  if (attempt === 1) return;
  const wait = Math.random() * Math.min(2 ** (attempt - 1), MAX_WAIT_MS);
  await new Promise((resolve) => setTimeout(resolve, wait));
}
