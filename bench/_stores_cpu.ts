/**
 * How much of the processor a process and those it has started have used.
 *
 * From `/proc`, so on Linux only; elsewhere nothing is known.
 *
 * @module
 */

/** Ticks of `/proc/…/stat` in a second. */
const TICKS_PER_SECOND = 100;

/** Returns the ids of the processes that one has started and that still run. */
export function childrenOf(pid: number): number[] {
  const ids: number[] = [];
  try {
    for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
      const text = Deno.readTextFileSync(`/proc/${pid}/task/${name}/children`);
      ids.push(...text.split(" ").filter(Boolean).map(Number));
    }
  } catch {
    // it has ended, or this is not Linux
  }
  return ids;
}

/**
 * Returns the seconds that a process has used, with all below it.
 *
 * @param pid The process.
 * @returns The seconds; 0 if that is not known.
 */
export function cpuSeconds(pid: number): number {
  let seconds = 0;
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    // what follows the name, which may contain anything
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // utime, stime, and the same of children that have ended
    const ticks = fields.slice(11, 15).map(Number);
    seconds = ticks.reduce((sum, n) => sum + n, 0) / TICKS_PER_SECOND;
  } catch {
    // it has ended, or this is not Linux
  }
  return childrenOf(pid).reduce((sum, id) => sum + cpuSeconds(id), seconds);
}
