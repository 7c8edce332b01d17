/**
 * Applies the schema to session data.
 *
 * @module
 */

import { NO_DATA } from "./_record.ts";
import type { Settings } from "./_settings.ts";
import { cloneValue } from "./_value.ts";
import {
  SessionValidationError,
  type SessionValidationIssue,
} from "./errors.ts";

type Data = ReadonlyMap<string, unknown>;
type Schema = NonNullable<Settings["schema"]>;

/** What a schema made of data. */
type Outcome = { readonly data: Data } | Failure;

/** Why data does not fit; the `cause`, if it is the schema that is at fault. */
interface Failure {
  readonly issues: readonly SessionValidationIssue[];
  readonly cause?: unknown;
}

/**
 * Applies the schema to data that was loaded.
 *
 * A schema that throws, or makes something of the data that cannot be stored, does not fit
 * it: a record from before the schema was changed must not fail every request.
 *
 * @param settings The schema, and what to do with what does not fit.
 * @param id The session, for the event.
 * @param data The data.
 * @returns What the schema made of it; empty if it does not fit and is to be reset. At
 *   once, if there is no schema.
 * @throws {SessionValidationError} If it does not fit and that is to fail.
 */
export function checkLoaded(
  settings: Settings,
  id: string,
  data: Data,
): Data | Promise<Data> {
  return settings.schema === undefined
    ? data
    : applySchema(settings, settings.schema, id, data);
}

async function applySchema(
  settings: Settings,
  schema: Schema,
  id: string,
  data: Data,
): Promise<Data> {
  const outcome = await validate(schema, data);
  if ("data" in outcome) return outcome.data;
  // nothing set yet, as after a login alone: there is nothing that could be invalid
  if (data.size === 0) return NO_DATA;
  settings.emit({ type: "invalid", id, issues: outcome.issues });
  if (settings.onInvalid === "reset") return NO_DATA;
  throw invalid("load session", outcome);
}

/**
 * Applies the schema to data that is to be stored.
 *
 * @param settings The schema.
 * @param data The data.
 * @returns What the schema made of it; empty if nothing is left, whatever the schema makes
 *   of that. At once, if there is no schema.
 * @throws {SessionValidationError} If it does not fit.
 * @throws {TypeError} If the schema made something of it that cannot be stored.
 */
export function checkStorable(
  settings: Settings,
  data: Data,
): Data | Promise<Data> {
  return settings.schema === undefined
    ? data
    : fitSchema(settings.schema, data);
}

async function fitSchema(schema: Schema, data: Data): Promise<Data> {
  const outcome = await validate(schema, data);
  if ("data" in outcome) return outcome.data;
  // a mistake in the schema, which is the programmer's
  if ("cause" in outcome) throw outcome.cause;
  // as after a clear: there is nothing that could be invalid
  if (data.size === 0) return NO_DATA;
  throw invalid("commit session", outcome);
}

async function validate(schema: Schema, data: Data): Promise<Outcome> {
  const copy = Object.fromEntries(
    [...data].map((
      [key, value],
    ) => [key, cloneValue(value, "check session value", key)]),
  );
  let output: unknown;
  try {
    const result = await schema["~standard"].validate(copy);
    // some libraries say null for none
    if (result?.issues !== undefined && result.issues !== null) {
      return { issues: Array.from(result.issues, copyIssue) };
    }
    output = result?.value;
  } catch (cause) {
    return failure("the schema must not throw", { cause });
  }
  // of a Map or a list, nothing or numbers would be stored
  return typeof output !== "object" || output === null ||
      Symbol.iterator in output
    ? failure("the schema must return an object")
    : readOutput(output);
}

/** Copies what a schema returned. */
function readOutput(output: object): Outcome {
  const data = new Map<string, unknown>();
  for (const [key, value] of Object.entries(output)) {
    try {
      data.set(key, cloneValue(value, "set session value", key));
    } catch (cause) {
      const message = "the schema must return what can be stored";
      return failure(message, { path: [key], cause });
    }
  }
  return { data };
}

function failure(
  message: string,
  { path, ...rest }: { path?: readonly PropertyKey[]; cause?: unknown } = {},
): Failure {
  const issue = path === undefined ? { message } : { message, path };
  return { issues: [issue], ...rest };
}

/** Copies what an issue is to tell: libraries add the user's input to it, and to its path. */
function copyIssue(
  { message, path }: SessionValidationIssue,
): SessionValidationIssue {
  return path === undefined ? { message } : { message, path: keysOf(path) };
}

/** The keys of a path, as far as they are some: a Map may have an object for a key. */
function keysOf(
  path: NonNullable<SessionValidationIssue["path"]>,
): readonly PropertyKey[] {
  const keys: PropertyKey[] = [];
  for (const segment of path) {
    const key: unknown = typeof segment === "object" ? segment.key : segment;
    if (!isKey(key)) break;
    keys.push(key);
  }
  return keys;
}

function isKey(key: unknown): key is PropertyKey {
  return typeof key === "string" || typeof key === "number" ||
    typeof key === "symbol";
}

/** The messages of a schema may quote user data, so that ours does not repeat them. */
function invalid(action: string, failure: Failure): SessionValidationError {
  return new SessionValidationError(
    `Cannot ${action}: the data must fit the schema: received ${failure.issues.length} issue(s), see error.issues`,
    failure,
  );
}
