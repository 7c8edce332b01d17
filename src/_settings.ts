/**
 * Options, checked and completed: everything wrong is said at construction.
 *
 * @module
 */

import {
  checkOptions,
  checkType,
  describeValue,
  wrongOption,
} from "./_check.ts";
import { GuardedStore, resolveStore } from "./_guarded_store.ts";
import { IdSource } from "./_ids.ts";
import { NonceSource } from "./_nonce.ts";
import type { Lifetimes } from "./_record.ts";
import { checkSecrets } from "./_signing_key.ts";
import { createCipher, type SessionCipher } from "./_stateless_cipher.ts";
import { resolveTransports } from "./_transports.ts";
import { toMilliseconds } from "./duration.ts";
import type { SessionEvent } from "./events.ts";
import type { SessionOptions, SessionTrace } from "./session_options.ts";
import type { SessionTransport } from "./session_transport.ts";
import type { StandardSchema } from "./standard_schema.ts";
import { TokenCodec } from "./token.ts";

const ACTION = "create SessionManager";

/** Every default that is a number, in milliseconds. */
const DEFAULTS_MS = {
  idleTimeout: 7 * 86_400_000,
  absoluteTimeout: 30 * 86_400_000,
  rotationGrace: 10_000,
  pollInterval: 5_000,
  storeTimeout: 5_000,
} as const;

/** Lifetimes below a second cannot be told to a browser, whose Max-Age is in seconds. */
const MIN_LIFETIME_MS = 1_000;

/**
 * Half the greatest time of a Date (ECMA-262 §21.4.1.1), so that now and a duration make a time.
 */
const MAX_DURATION_MS = 8_640_000_000_000_000 / 2;

const KNOWN = [
  "store",
  "cookie",
  "transport",
  "idleTimeout",
  "absoluteTimeout",
  "secrets",
  "stateless",
  "schema",
  "onInvalid",
  "maxSessionsPerSubject",
  "rotationGrace",
  "pollInterval",
  "storeTimeout",
  "skip",
  "onEvent",
  "trace",
  "onError",
  "clock",
  "batch",
] as const satisfies readonly (keyof SessionOptions)[];

/** An event before it has its time. */
export type EventDraft = SessionEvent extends infer E
  ? E extends SessionEvent ? Omit<E, "at"> : never
  : never;

/** What all parts of a manager share. */
export interface Settings extends Lifetimes {
  readonly store: GuardedStore;
  readonly transports: readonly SessionTransport[];
  readonly codec: TokenCodec;
  readonly cipher: SessionCipher | undefined;
  readonly schema: StandardSchema<object> | undefined;
  readonly onInvalid: "reset" | "fail";
  readonly maxSessionsPerSubject: number;
  readonly rotationGrace: number;
  readonly pollInterval: number;
  readonly storeTimeout: number;
  readonly batch: boolean;
  readonly skip: SessionOptions["skip"];
  readonly onError: SessionOptions["onError"];
  readonly trace: SessionTrace | undefined;
  /** The time, in whole epoch milliseconds. */
  readonly now: () => number;
  /** Makes a public id. */
  readonly nextId: () => string;
  /** Makes the names of commits. */
  readonly nonces: NonceSource;
  /** Reports an event; never throws. */
  readonly emit: (event: EventDraft) => void;
}

/**
 * Checks and completes options.
 *
 * @param given What the constructor was given.
 * @returns The settings.
 * @throws {TypeError} If an option is unknown, of the wrong type, or contradicts another.
 * @throws {RangeError} If a number is out of its range.
 */
export function resolveSettings<Data extends object>(
  given: SessionOptions<Data>,
): Settings {
  const options = checkOptions(ACTION, given as SessionOptions<object>, KNOWN);
  for (
    const name of ["skip", "onEvent", "trace", "onError", "clock"] as const
  ) {
    if (options[name] !== undefined) {
      checkType(
        ACTION,
        name,
        options[name],
        "function",
      );
    }
  }
  for (const name of ["stateless", "batch"] as const) {
    if (options[name] !== undefined) {
      checkType(ACTION, name, options[name], "boolean");
    }
  }
  const {
    batch = true,
    stateless = false,
    schema,
    onInvalid = "reset",
    clock,
  } = options;
  if (onInvalid !== "reset" && onInvalid !== "fail") {
    throw wrongOption(
      ACTION,
      "onInvalid",
      `be "reset" or "fail"`,
      describeValue(onInvalid),
    );
  }
  if (schema !== undefined) checkSchema(schema);
  const secrets = options.secrets === undefined
    ? undefined
    : checkSecrets(options.secrets);
  const transports = resolveTransports(options);
  const { idleTimeout, absoluteTimeout } = resolveLifetimes(options);
  const { maxSessionsPerSubject = Infinity } = options;
  if (
    maxSessionsPerSubject !== Infinity &&
    (!Number.isSafeInteger(maxSessionsPerSubject) || maxSessionsPerSubject < 1)
  ) {
    if (typeof maxSessionsPerSubject !== "number") {
      throw wrongOption(
        ACTION,
        "maxSessionsPerSubject",
        "be a number",
        describeValue(maxSessionsPerSubject),
      );
    }
    throw outOfRange(
      "maxSessionsPerSubject",
      "an integer of 1 or more",
      maxSessionsPerSubject,
    );
  }

  // not Date.now itself: a fake clock may take its place later
  const now = clock === undefined
    ? () => Date.now()
    : () => Math.floor(clock());
  const ids = new IdSource();
  const emit = createEmit(options.onEvent, now);
  const storeTimeout = resolveDuration(options, "storeTimeout", 1);
  if (stateless) checkStateless(options);
  return {
    store: new GuardedStore(
      resolveStore(stateless ? "none" : options.store, batch),
      {
        timeout: storeTimeout,
        onError: (error) => emit({ type: "store-error", error }),
      },
    ),
    transports,
    codec: new TokenCodec(secrets),
    cipher: stateless ? createCipher(secrets ?? []) : undefined,
    schema,
    onInvalid,
    maxSessionsPerSubject,
    idleTimeout,
    absoluteTimeout,
    rotationGrace: resolveDuration(options, "rotationGrace", 0),
    pollInterval: resolveDuration(options, "pollInterval", 1),
    storeTimeout,
    batch,
    skip: options.skip,
    onError: options.onError,
    trace: options.trace,
    now,
    nextId: () => ids.next(now()),
    nonces: new NonceSource({ serial: batch }),
    emit,
  };
}

function resolveLifetimes(options: SessionOptions<object>): Lifetimes {
  const absoluteTimeout = resolveDuration(
    options,
    "absoluteTimeout",
    MIN_LIFETIME_MS,
  );
  const idleTimeout = options.idleTimeout === undefined
    ? Math.min(DEFAULTS_MS.idleTimeout, absoluteTimeout)
    : resolveDuration(options, "idleTimeout", MIN_LIFETIME_MS);
  if (idleTimeout > absoluteTimeout) {
    throw outOfRange(
      "idleTimeout",
      `at most the absoluteTimeout of ${absoluteTimeout} ms`,
      idleTimeout,
    );
  }
  return { idleTimeout, absoluteTimeout };
}

function resolveDuration(
  options: SessionOptions<object>,
  name: keyof typeof DEFAULTS_MS,
  least: number,
): number {
  const { [name]: duration = DEFAULTS_MS[name] } = options;
  let milliseconds;
  try {
    milliseconds = toMilliseconds(duration);
  } catch (error) {
    const Class = error instanceof RangeError ? RangeError : TypeError;
    const why = error instanceof Error ? error.message : "no duration";
    throw new Class(
      `Cannot ${ACTION}: "${name}" must be milliseconds or { days, hours, minutes, seconds }: ${why}`,
      { cause: error },
    );
  }
  if (
    !Number.isSafeInteger(milliseconds) || milliseconds < least ||
    milliseconds > MAX_DURATION_MS
  ) {
    throw outOfRange(
      name,
      `whole milliseconds, from ${least} to ${MAX_DURATION_MS}`,
      milliseconds,
    );
  }
  return milliseconds;
}

function checkSchema(schema: Partial<StandardSchema<object>>): void {
  const standard = (schema as StandardSchema<object> | null)?.["~standard"];
  if (standard?.version !== 1 || typeof standard.validate !== "function") {
    throw wrongOption(
      ACTION,
      "schema",
      "implement Standard Schema, version 1",
      describeValue(schema),
    );
  }
}

function checkStateless(options: Partial<SessionOptions<object>>): void {
  if (options.secrets === undefined) {
    throw wrongOption(ACTION, "stateless", `go with "secrets"`, "none");
  }
  for (const name of ["store", "maxSessionsPerSubject"] as const) {
    if (options[name] !== undefined) {
      throw wrongOption(
        ACTION,
        "stateless",
        `not go together with "${name}", which needs a store`,
        "both",
      );
    }
  }
}

function createEmit(
  onEvent: SessionOptions["onEvent"],
  now: () => number,
): (event: EventDraft) => void {
  if (onEvent === undefined) return () => {};
  return (draft) => {
    try {
      const result = onEvent({ ...draft, at: now() } as SessionEvent);
      if (result instanceof Promise) result.catch(() => {});
    } catch {
      // a listener must not break a request
    }
  };
}

function outOfRange(name: string, want: string, received: number): RangeError {
  return new RangeError(
    `Cannot ${ACTION}: "${name}" must be ${want}: received ${received}`,
  );
}
