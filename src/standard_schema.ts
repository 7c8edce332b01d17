/**
 * The part of Standard Schema that the package uses, accepted by type alone.
 *
 * @see {@link https://standardschema.dev}
 *
 * @module
 */

import type { SessionValidationIssue } from "./errors.ts";

/** What a schema makes of a value. */
export type StandardSchemaResult<Output> =
  | {
    /** What the value became: defaults filled in, transforms applied. */
    readonly value: Output;
    /** Absent: the value fits. */
    readonly issues?: undefined;
  }
  | {
    /** Why the value does not fit. */
    readonly issues: readonly SessionValidationIssue[];
  };

/** A schema of any library that implements Standard Schema, version 1. */
export interface StandardSchema<Output> {
  /** What the specification defines. */
  readonly "~standard": {
    /** The version of the specification. */
    readonly version: 1;
    /** The name of the library. */
    readonly vendor: string;
    /** Checks a value. */
    readonly validate: (
      value: unknown,
    ) => StandardSchemaResult<Output> | Promise<StandardSchemaResult<Output>>;
    /** The types of the schema, which exist at compile time only. */
    readonly types?:
      | { readonly input: unknown; readonly output: Output }
      | undefined;
  };
}
