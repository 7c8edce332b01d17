/**
 * Sessions that are watched: stores that count who watches, and streams.
 *
 * @module
 */

import {
  KvStore,
  MemoryStore,
  SessionEndedError,
  type SessionManager,
  type SessionStore,
} from "@tessera/session";
import { assert } from "@std/assert";
import { Visitor } from "./_visitor.ts";

/** A store that counts who watches its records. */
export interface LiveStore extends SessionStore {
  /** How many records are watched. */
  readonly watching: number;
  /** How many watches have begun so far. */
  readonly watched: number;
}

/** Counts who watches a store; a blind one cannot be watched, so that it must be polled. */
export function liveStore(
  store: SessionStore,
  { blind = false }: { blind?: boolean } = {},
): LiveStore {
  const active = new Set<AbortSignal>();
  let watched = 0;
  const live = {
    get: (id: string) => store.get(id),
    commit: (commit: Parameters<SessionStore["commit"]>[0]) =>
      store.commit(commit),
    list: (options?: Parameters<SessionStore["list"]>[0]) =>
      store.list(options),
    watch: (id: string, changed: () => void, signal: AbortSignal) => {
      watched++;
      active.add(signal);
      signal.addEventListener("abort", () => active.delete(signal));
      if (!blind) store.watch?.(id, changed, signal);
    },
    get watching() {
      return active.size;
    },
    get watched() {
      return watched;
    },
  };
  return live;
}

/** Registers a test on stores that are watched, and on stores that must be polled. */
export function testOnLiveStores(
  name: string,
  run: (stores: () => LiveStore) => Promise<void>,
): void {
  for (const blind of [false, true]) {
    const how = blind ? "polled" : "watched";
    Deno.test(`${name} (MemoryStore, ${how})`, async () => {
      const store = new MemoryStore();
      await run(() => liveStore(store, { blind }));
    });
    Deno.test(`${name} (KvStore, ${how})`, async () => {
      using kv = await Deno.openKv(":memory:");
      // each with a store of its own, as if in a process of its own
      await run(() => liveStore(new KvStore(kv), { blind }));
    });
  }
}

/** A browser that is signed in. */
export async function signedIn(
  sessions: SessionManager,
  subject = "ada",
): Promise<Visitor> {
  const visitor = new Visitor(sessions);
  await visitor.visit((session) => session.login(subject));
  return visitor;
}

/** A stream that is open, and the signal of its session. */
export interface LiveStream extends AsyncDisposable {
  readonly signal: AbortSignal;
  readonly id: string;
  readonly response: Response;
}

/** Opens a stream that stays open until it is disposed of. */
export async function openStream(
  sessions: SessionManager,
  token: string,
): Promise<LiveStream> {
  const headers = { cookie: `__Host-session=${token}` };
  let signal: AbortSignal | undefined;
  let id = "";
  const response = await sessions.handle(
    new Request("https://example.com/stream", { headers }),
    (session) => {
      ({ signal, id } = session);
      return new Response(new ReadableStream({ start() {} }));
    },
  );
  assert(signal !== undefined);
  return {
    signal,
    id,
    response,
    async [Symbol.asyncDispose]() {
      await response.body?.cancel();
    },
  };
}

/** Waits until a signal aborts, and says why; fails if it takes longer. */
export async function endOf(
  signal: AbortSignal,
  within = 100,
): Promise<string> {
  if (!signal.aborted) {
    const aborted = Promise.withResolvers<void>();
    const timer = setTimeout(
      () => aborted.reject(new Error(`no end within ${within} ms`)),
      within,
    );
    signal.addEventListener("abort", () => aborted.resolve());
    await aborted.promise.finally(() => clearTimeout(timer));
  }
  assert(signal.reason instanceof SessionEndedError);
  return signal.reason.reason;
}

/** Waits until something is so; fails if it takes long. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  within = 5_000,
): Promise<void> {
  const deadline = performance.now() + within;
  while (!await condition()) {
    assert(performance.now() < deadline, `not within ${within} ms`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Waits until what is under way without a timer has been done. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
