/**
 * What the manager keeps in the store, and how it reads it back.
 *
 * @module
 */

import type { EndReason } from "./events.ts";

/** The fraction of the idle timeout that may pass between two touches: a tenth. */
const TOUCH_FRACTION = 10;

/** Browsers keep cookies for 400 days at most (RFC 6265bis §5.5). */
const MAX_AGE_MS = 34_560_000_000;

/** What is sent so soon after its commit, in milliseconds, is told as it was then. */
export const MOMENT_MS = 100;

/** A queued flash value. */
export interface FlashEntry {
  /** Tells the entry from all others, so that racing requests remove the same one. */
  readonly id: string;
  /** The kind it was queued under. */
  readonly kind: string;
  /** The value. */
  readonly value: unknown;
}

/** A session, as stored. */
export interface SessionRecord {
  /** The version of this format. */
  readonly v: 1;
  /** SHA-256 of the secret, in hex. */
  readonly secretHash: string;
  /** The app's data; a Map, so that no key is special. */
  readonly data: ReadonlyMap<string, unknown>;
  /** The flash values not yet shown, oldest first. */
  readonly flash: readonly FlashEntry[];
  /** Who is signed in, if anyone. */
  readonly subject: string | undefined;
  /** What the app remembers of the device. */
  readonly label: string | undefined;
  /** Whether the cookie outlives the browser's session. */
  readonly persistent: boolean;
  /** When it was created, in epoch milliseconds, as all that follow. */
  readonly createdAt: number;
  /** When its subject signed in, if one did. */
  readonly authenticatedAt: number | undefined;
  /** When it was last used, to a tenth of the idle timeout. */
  readonly lastSeenAt: number;
  /** When it ends unless it is used: never after `endsAt`. */
  readonly expiresAt: number;
  /** When it ends, whatever happens. */
  readonly endsAt: number;
  /** The latest commits, newest first: how a retry recognises its own write. */
  readonly nonce: string;
}

/** What a replaced id leaves behind for the grace. */
export interface ForwardRecord {
  /** The version of this format. */
  readonly v: 1;
  /** The id that replaced this one. */
  readonly forward: string;
  /** SHA-256 of the replaced secret, in hex. */
  readonly secretHash: string;
  /** The new secret, readable for who has the replaced one. */
  readonly sealed: string;
  /** When the grace ends, in epoch milliseconds. */
  readonly expiresAt: number;
}

/** The lifetimes of sessions, in milliseconds. */
export interface Lifetimes {
  /** How long after its last use a session ends. */
  readonly idleTimeout: number;
  /** How long after creation or login a session ends. */
  readonly absoluteTimeout: number;
}

/**
 * Reads what a store returned.
 *
 * @param value Anything.
 * @returns The record, or `undefined` if it is none of this version.
 */
export function parseRecord(
  value: unknown,
): SessionRecord | ForwardRecord | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const record = value as Partial<SessionRecord & ForwardRecord>;
  if (
    record.v !== 1 || typeof record.secretHash !== "string" ||
    !isTime(record.expiresAt)
  ) {
    return undefined;
  }
  if (record.forward !== undefined) {
    return typeof record.forward === "string" &&
        typeof record.sealed === "string"
      ? record as ForwardRecord
      : undefined;
  }
  const valid = record.data instanceof Map && Array.isArray(record.flash) &&
    record.flash.every(isFlashEntry) && isOptionalText(record.subject) &&
    isOptionalText(record.label) && typeof record.persistent === "boolean" &&
    isTime(record.createdAt) && isTime(record.lastSeenAt) &&
    isTime(record.endsAt) && record.expiresAt <= record.endsAt &&
    (record.authenticatedAt === undefined || isTime(record.authenticatedAt)) &&
    isOptionalText(record.nonce) && allText(record.data.keys());
  if (!valid) return undefined;
  // one that was put there by hand remembers no commits
  return (record.nonce === undefined
    ? { ...record, nonce: "" }
    : record) as SessionRecord;
}

/** Whole milliseconds: nothing else was ever written, nor can be counted with. */
function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isOptionalText(value: unknown): boolean {
  return value === undefined || typeof value === "string";
}

function isFlashEntry(value: unknown): boolean {
  const entry = value as Partial<FlashEntry> | null | undefined;
  return typeof entry === "object" && entry !== null &&
    typeof entry.id === "string" &&
    typeof entry.kind === "string";
}

function allText(keys: Iterable<unknown>): boolean {
  for (const key of keys) if (typeof key !== "string") return false;
  return true;
}

/** No data; not to be changed, nor to be stored as a session's own. */
export const NO_DATA: ReadonlyMap<string, unknown> = new Map();

/** Makes the record of a session that holds nothing yet. */
export function blankRecord(
  now: number,
  lifetimes: Lifetimes,
  persistent: boolean,
): SessionRecord {
  const endsAt = now + lifetimes.absoluteTimeout;
  return {
    v: 1,
    secretHash: "",
    data: new Map(),
    flash: [],
    subject: undefined,
    label: undefined,
    persistent,
    createdAt: now,
    authenticatedAt: undefined,
    lastSeenAt: now,
    expiresAt: Math.min(now + lifetimes.idleTimeout, endsAt),
    endsAt,
    nonce: "",
  };
}

/**
 * Says whether a record has expired, and how.
 *
 * @param record The record.
 * @param now The time, in epoch milliseconds.
 * @param usedAt When a request that has not touched it yet began to use it.
 * @param lifetimes The lifetimes in force.
 * @returns Which timeout ended it, or `undefined` if it lives.
 */
export function expiredBy(
  record: SessionRecord,
  now: number,
  usedAt: number,
  lifetimes: Lifetimes,
): Extract<EndReason, "idle-timeout" | "absolute-timeout"> | undefined {
  if (now >= record.endsAt) return "absolute-timeout";
  if (now < record.expiresAt) return undefined;
  const inUse = usedAt < record.expiresAt &&
    touchDue(record, usedAt, lifetimes) &&
    now < usedAt + lifetimes.idleTimeout;
  return inUse ? undefined : "idle-timeout";
}

/**
 * Says whether a use is worth writing down: at most every tenth of the idle timeout.
 *
 * Often enough that a cookie, which no browser keeps for longer than 400 days, is renewed
 * in time. And at once for a record from a clock that is ahead, so that it lives no longer
 * than ours allows.
 */
export function touchDue(
  record: SessionRecord,
  now: number,
  lifetimes: Lifetimes,
): boolean {
  const throttle = Math.min(lifetimes.idleTimeout, MAX_AGE_MS) /
    TOUCH_FRACTION;
  return now - record.lastSeenAt >= throttle || record.lastSeenAt > now ||
    record.endsAt > now + lifetimes.absoluteTimeout;
}

/**
 * Says whether a cookie, whose Max-Age is in whole seconds, would end more than a tenth of the
 * idle timeout before it is over, although its session does not.
 */
export function cookieEndsEarly(
  { persistent, expiresAt, endsAt }: SessionRecord,
  now: number,
  { idleTimeout }: Lifetimes,
): boolean {
  const idle = Math.min(idleTimeout, MAX_AGE_MS);
  const least = idle * (1 - 1 / TOUCH_FRACTION);
  const left = Math.min(expiresAt - now, idle);
  const seconds = Math.floor(left / 1_000);
  return persistent && expiresAt < endsAt &&
    left >= least && seconds * 1_000 < least &&
    seconds < Math.floor(idle / 1_000); // a touch would help
}

/**
 * Says how long the client is to keep its token, in whole seconds; `undefined`: for as long as
 * the browser runs.
 */
export function maxAgeOf(
  record: SessionRecord,
  now: number,
  lifetimes: Lifetimes,
): number | undefined {
  if (!record.persistent) return undefined;
  const left = Math.min(record.expiresAt - now, MAX_AGE_MS);
  const seconds = Math.floor(left / 1_000);
  // Max-Age=0 would take the cookie away, and of a few seconds one counts
  const isTooShort = seconds < 1 ||
    lifetimes.idleTimeout < TOUCH_FRACTION * 1_000 &&
      cookieEndsEarly(record, now, lifetimes);
  return isTooShort ? undefined : seconds;
}

/**
 * Says whether the client should keep its cookie for longer, or for less long, than it was told.
 */
export function lifetimeChanged(
  before: SessionRecord,
  after: SessionRecord,
): boolean {
  if (before.expiresAt !== after.expiresAt) return true;
  // a cookie may have to go before its session; then each use prolongs it
  return before.lastSeenAt !== after.lastSeenAt &&
    before.expiresAt - before.lastSeenAt > MAX_AGE_MS;
}

/**
 * Shows a record as it counts: a session never ends later than the absolute timeout from now,
 * whatever a clock that goes ahead has written.
 *
 * @param record The record.
 * @param now The time, in epoch milliseconds; `-Infinity` where it does not matter.
 * @param lifetimes The lifetimes of sessions.
 * @returns The record itself, as a rule.
 */
export function bounded(
  record: SessionRecord,
  now: number,
  { absoluteTimeout }: Lifetimes,
): SessionRecord {
  const latest = now + absoluteTimeout;
  return record.expiresAt <= latest || latest === -Infinity
    ? record
    : { ...record, expiresAt: latest };
}

/** Lets a record from a clock that goes ahead live no longer than ours allows. */
export function capped(
  record: SessionRecord,
  now: number,
  { absoluteTimeout }: Lifetimes,
): SessionRecord {
  const endsAt = now + absoluteTimeout;
  if (record.endsAt <= endsAt) return record;
  return { ...record, endsAt, expiresAt: Math.min(record.expiresAt, endsAt) };
}

/** Moves the idle expiry of a record on; never past its absolute one. */
export function touched(
  record: SessionRecord,
  now: number,
  lifetimes: Lifetimes,
): SessionRecord {
  const { endsAt } = capped(record, now, lifetimes);
  const expiresAt = Math.min(now + lifetimes.idleTimeout, endsAt);
  return { ...record, lastSeenAt: now, expiresAt, endsAt };
}
