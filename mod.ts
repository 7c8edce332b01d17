/**
 * Sessions for anything that maps a web-standard `Request` to a `Response`.
 *
 * {@linkcode withSession} wraps a handler: it reads the cookie, keeps the session in
 * Deno KV, hands over a {@linkcode Session}, and commits it before the response
 * leaves. Zero configuration is secure.
 *
 * ```ts ignore
 * import { withSession } from "@tessera/session";
 *
 * Deno.serve(withSession((_request, session) => {
 *   const count = session.get<number>("count") ?? 0;
 *   session.set("count", count + 1);
 *   return Response.json({ count });
 * }));
 * ```
 *
 * @module
 */

export { bearerTransport } from "./src/bearer_transport.ts";
export {
  consoleEvents,
  type ConsoleEventsOptions,
  type ConsoleLevel,
} from "./src/console_events.ts";
export { type CookieOptions, cookieTransport } from "./src/cookie_transport.ts";
export {
  crossOriginProtection,
  type CrossOriginProtectionOptions,
} from "./src/cross_origin_protection.ts";
export type { Duration } from "./src/duration.ts";
export {
  SessionClosedError,
  SessionConflictError,
  SessionEndedError,
  type SessionEndedErrorOptions,
  SessionError,
  SessionSkippedError,
  SessionStoreError,
  SessionTooLargeError,
  type SessionTooLargeErrorOptions,
  SessionValidationError,
  type SessionValidationErrorOptions,
  type SessionValidationIssue,
} from "./src/errors.ts";
export type {
  EndReason,
  RefusalReason,
  SessionConflictEvent,
  SessionCreatedEvent,
  SessionDroppedEvent,
  SessionEndedEvent,
  SessionEvent,
  SessionEventBase,
  SessionInvalidEvent,
  SessionLoginEvent,
  SessionRefusedEvent,
  SessionRegeneratedEvent,
  SessionStoreErrorEvent,
  SessionWarningEvent,
} from "./src/events.ts";
export { type HeaderOptions, headerTransport } from "./src/header_transport.ts";
export {
  type KvAtomic,
  type KvDatabase,
  type KvEntry,
  type KvKey,
  type KvKeyPart,
  type KvSource,
  KvStore,
  type KvStoreOptions,
  type KvWatchStream,
  openDefaultKv,
} from "./src/kv_store.ts";
export { MemoryStore } from "./src/memory_store.ts";
export {
  type OpenTelemetryApi,
  type OpenTelemetryEvents,
  openTelemetryEvents,
  type OpenTelemetrySpan,
} from "./src/open_telemetry_events.ts";
export {
  requireSession,
  type RequireSessionOptions,
  type SignedInSession,
} from "./src/require_session.ts";
export type {
  EntryOf,
  KeyOf,
  LoginOptions,
  Session,
  SessionSocket,
  UntypedData,
  UntypedKey,
  ValueOf,
} from "./src/session.ts";
export {
  type ListOptions,
  type RevokeAllOptions,
  type SessionInfo,
  SessionManager,
} from "./src/session_manager.ts";
export type {
  SessionOptions,
  SessionTrace,
  StoreOption,
} from "./src/session_options.ts";
export type {
  ListedRecord,
  SessionStore,
  StoreCheck,
  StoreCommit,
  StoreCommitResult,
  StoreDelete,
  StoredRecord,
  StoreListOptions,
  StorePut,
  VersionedRecord,
} from "./src/session_store.ts";
export type { SessionTransport } from "./src/session_transport.ts";
export { skipHeader } from "./src/skip_header.ts";
export type {
  StandardSchema,
  StandardSchemaResult,
} from "./src/standard_schema.ts";
export { type LazySession, withLazySession } from "./src/with_lazy_session.ts";
export { withSession } from "./src/with_session.ts";
