/**
 * What a run ran on.
 *
 * @module
 */

import { cpus, totalmem } from "node:os";

/** A machine and its software. */
export interface Machine {
  /** The model of the processor. */
  readonly cpu: string;
  /** How many cores it has. */
  readonly cores: number;
  /** The memory, in GiB. */
  readonly memory: number;
  /** The operating system. */
  readonly os: string;
  /** The version of Deno. */
  readonly deno: string;
  /** The version of V8. */
  readonly v8: string;
}

/** Describes this machine; no names and no paths. */
export function describeMachine(): Machine {
  const cores = cpus();
  return {
    cpu: cores[0]?.model ?? "unknown",
    cores: cores.length,
    memory: Math.round(totalmem() / 2 ** 30),
    os: `${Deno.build.os} ${Deno.build.arch}`,
    deno: Deno.version.deno,
    v8: Deno.version.v8,
  };
}
