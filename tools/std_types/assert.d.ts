// deno-lint-ignore-file no-explicit-any
// The types of `@std/assert`, which its npm build leaves out.

/** What an assertion throws. */
export class AssertionError extends Error {
  constructor(message: string, options?: ErrorOptions);
}

/** What {@linkcode assertFalse} lets through. */
export type Falsy = false | 0 | 0n | "" | null | undefined;

/** An array or what looks like one, but not a string. */
export type ArrayLikeArg<T> = ArrayLike<T> & object;

export function equal(a: unknown, b: unknown): boolean;

export function assert(expr: unknown, msg?: string): asserts expr;

export function assertFalse(
  expr: unknown,
  msg?: string,
): asserts expr is Falsy;

export function assertExists<T>(
  actual: T,
  msg?: string,
): asserts actual is NonNullable<T>;

export function assertEquals<T>(actual: T, expected: T, msg?: string): void;

export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void;

export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T;

export function assertNotStrictEquals<T>(
  actual: T,
  expected: T,
  msg?: string,
): void;

export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance?: number,
  msg?: string,
): void;

export function assertGreater<T>(actual: T, expected: T, msg?: string): void;

export function assertGreaterOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void;

export function assertLess<T>(actual: T, expected: T, msg?: string): void;

export function assertLessOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void;

export function assertMatch(
  actual: string,
  expected: RegExp,
  msg?: string,
): void;

export function assertNotMatch(
  actual: string,
  expected: RegExp,
  msg?: string,
): void;

export function assertStringIncludes(
  actual: string,
  expected: string,
  msg?: string,
): void;

export function assertArrayIncludes<T>(
  actual: ArrayLikeArg<T>,
  expected: ArrayLikeArg<T>,
  msg?: string,
): void;

export function assertObjectMatch(
  actual: Record<PropertyKey, any>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void;

export function assertInstanceOf<
  T extends abstract new (...args: any[]) => any,
>(
  actual: unknown,
  expectedType: T,
  msg?: string,
): asserts actual is InstanceType<T>;

export function assertNotInstanceOf<A, T>(
  actual: A,
  unexpectedType: abstract new (...args: any[]) => T,
  msg?: string,
): asserts actual is Exclude<A, T>;

export function assertIsError<E extends Error = Error>(
  error: unknown,
  ErrorClass?: abstract new (...args: any[]) => E,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E;

export function assertThrows(fn: () => unknown, msg?: string): unknown;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: abstract new (...args: any[]) => E,
  msgIncludes?: string,
  msg?: string,
): E;

export function assertRejects(
  fn: () => PromiseLike<unknown>,
  msg?: string,
): Promise<unknown>;
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: abstract new (...args: any[]) => E,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;

export function fail(msg?: string): never;

export function unimplemented(msg?: string): never;

export function unreachable(msg?: string): never;
