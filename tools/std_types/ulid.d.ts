// The types of `@std/ulid`, which its npm build leaves out.

/** Generates a ULID. */
export function ulid(seedTime?: number): string;

/** Reads the time, in epoch milliseconds, out of a ULID. */
export function decodeTime(ulid: string): number;
