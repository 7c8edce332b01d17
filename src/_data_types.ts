/**
 * The types of session data, declared or not.
 *
 * @module
 */

/**
 * Data of a session whose keys and values are not declared.
 *
 * Stands for any data, so that what takes a `Session` takes every session; the
 * values it gives are still `unknown`, or of the type that the caller names.
 */
// deno-lint-ignore no-explicit-any -- all that fits, and is fit by, data of every type
export type UntypedData = any;

/** The keys of declared data; where it is a union, those of every variant. */
export type KeyOf<Data> = Data extends unknown ? Extract<keyof Data, string>
  : never;

/** The type of a key's values; where data is a union, of all variants that have the key. */
export type ValueOf<Data, Key extends KeyOf<Data>> = Data extends unknown
  ? Data[Key & keyof Data]
  : never;

/** The pairs of declared data, unknown values where it is not declared. */
export type EntryOf<Data> = unknown extends Data ? [string, unknown]
  : { [Key in KeyOf<Data>]: [Key, ValueOf<Data, Key>] }[KeyOf<Data>];

/**
 * Any string where data is not declared, or only as `Record<string, unknown>`, so that the
 * caller may name the type of a value; nothing where it is.
 */
export type UntypedKey<Data> = unknown extends Data ? string
  : string extends keyof Data
    ? Record<string, unknown> extends Data ? string : never
  : never;
