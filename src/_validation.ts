/**
 * Applies the schema to session data.
 *
 * @module
 */

import type { Settings } from "./_settings.ts";
import { cloneValue } from "./_value.ts";
import {
  SessionValidationError,
  type SessionValidationIssue,
} from "./errors.ts";

type Data = ReadonlyMap<string, unknown>;

const EMPTY: Data = new Map();

/**
 * Applies the schema to data that was loaded.
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
  return settings.schema === undefined ? data : applySchema(settings, id, data);
}

async function applySchema(
  settings: Settings,
  id: string,
  data: Data,
): Promise<Data> {
  const result = await validate(settings, data);
  if ("data" in result) return result.data;
  // nothing set yet, as after a login alone: there is nothing that could be invalid
  if (data.size === 0) return EMPTY;
  const { issues } = result;
  settings.emit({ type: "invalid", id, issues });
  if (settings.onInvalid === "reset") return EMPTY;
  throw invalid("load session", issues);
}

/**
 * Applies the schema to data that is to be stored.
 *
 * @param settings The schema.
 * @param data The data.
 * @returns What the schema made of it; at once, if there is no schema.
 * @throws {SessionValidationError} If it does not fit.
 * @throws {TypeError} If the schema made something of it that cannot be stored.
 */
export function checkStorable(
  settings: Settings,
  data: Data,
): Data | Promise<Data> {
  return settings.schema === undefined ? data : fitSchema(settings, data);
}

async function fitSchema(settings: Settings, data: Data): Promise<Data> {
  const result = await validate(settings, data);
  if ("data" in result) return result.data;
  throw invalid("commit session", result.issues);
}

async function validate(
  settings: Settings,
  data: Data,
): Promise<{ data: Data } | { issues: readonly SessionValidationIssue[] }> {
  const copy = Object.fromEntries(
    [...data].map((
      [key, value],
    ) => [key, cloneValue(value, "check session value", key)]),
  );
  const result = await settings.schema?.["~standard"].validate(copy);
  if (result === undefined) return { data };
  if (result.issues !== undefined) return { issues: result.issues };
  if (typeof result.value !== "object" || result.value === null) {
    return { issues: [{ message: "the schema must return an object" }] };
  }
  const entries = Object.entries(result.value).map(
    ([key, value]): [string, unknown] => {
      return [
        key,
        cloneValue(value, "set session value", key),
      ];
    },
  );
  return { data: new Map(entries) };
}

/** The messages of a schema may quote user data, so that ours does not repeat them. */
function invalid(
  action: string,
  issues: readonly SessionValidationIssue[],
): SessionValidationError {
  return new SessionValidationError(
    `Cannot ${action}: the data must fit the schema: received ${issues.length} issue(s), see error.issues`,
    { issues },
  );
}
