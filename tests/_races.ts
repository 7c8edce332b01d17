/**
 * What the tests of races share.
 *
 * @module
 */

import {
  KvStore,
  MemoryStore,
  type Session,
  type SessionEvent,
  SessionManager,
  type SessionOptions,
} from "@tessera/session";
import { get, getWith, tokenOf } from "./_helpers.ts";
import { SpyStore } from "./_spy_store.ts";

/** A store, and the managers that race on it. */
export class Race {
  readonly store: SpyStore;
  readonly #batch: boolean;
  /** The events of all managers, in order. */
  readonly events: SessionEvent[] = [];

  constructor(store: SpyStore, batch: boolean) {
    this.store = store;
    this.#batch = batch;
  }

  /** Makes a manager on the store: as another process would have, but for the runtime. */
  manager(options: SessionOptions = {}): SessionManager {
    const { store } = this;
    const onEvent = (event: SessionEvent) => void this.events.push(event);
    return new SessionManager({
      store,
      batch: this.#batch,
      onEvent,
      ...options,
    });
  }

  /** Says what the events were, as `type` or `type reason`, and forgets them. */
  takeEvents(): string[] {
    return this.events.splice(0).map((event) =>
      "reason" in event ? `${event.type} ${event.reason}` : event.type
    );
  }
}

/** Registers a test four times: on each store, with batches and without. */
export function testRaces(
  name: string,
  run: (race: Race) => Promise<void>,
): void {
  testRacesInMemory(name, run);
  testRacesOnKv(name, run);
}

/** Registers a test twice: on a `MemoryStore`, with batches and without. */
export function testRacesInMemory(
  name: string,
  run: (race: Race) => Promise<void>,
): void {
  for (const batch of [true, false]) {
    const suffix = batch ? "" : ", batch: false";
    Deno.test(`${name} (MemoryStore${suffix})`, async () => {
      await run(new Race(new SpyStore(new MemoryStore()), batch));
    });
  }
}

/** Registers a test twice: on a `KvStore`, with batches and without. */
export function testRacesOnKv(
  name: string,
  run: (race: Race) => Promise<void>,
): void {
  for (const batch of [true, false]) {
    const suffix = batch ? "" : ", batch: false";
    Deno.test(`${name} (KvStore${suffix})`, async () => {
      using kv = await Deno.openKv(":memory:");
      await run(new Race(new SpyStore(new KvStore(kv, { batch })), batch));
    });
  }
}

/** Stores a session; returns its token. */
export async function start(
  manager: SessionManager,
  prepare: (session: Session) => void = (session) => session.set("here", 1),
): Promise<string> {
  return tokenOf(
    await manager.handle(get(), (session) => {
      prepare(session);
      return new Response();
    }),
  );
}

/** Makes a request with a token, and returns its response. */
export async function use(
  manager: SessionManager,
  token: string,
  run: (session: Session) => unknown = () => {},
): Promise<Response> {
  return await manager.handle(getWith(token), async (session) => {
    await run(session);
    return new Response();
  });
}

/** Reads the data that a token leads to; `undefined` if it leads nowhere. */
export async function read(
  manager: SessionManager,
  token: string,
): Promise<Record<string, unknown> | undefined> {
  let data: Record<string, unknown> | undefined;
  await use(manager, token, (session) => {
    if (!session.isNew) data = Object.fromEntries(session.entries());
  });
  return data;
}

/** One of the requests that run together. */
export interface Contender {
  readonly manager: SessionManager;
  readonly token: string;
  readonly run: (session: Session) => unknown;
}

/** Runs requests that have all loaded their session before the first goes on. */
export async function together(
  contenders: readonly Contender[],
): Promise<Response[]> {
  let missing = contenders.length;
  const loaded = Promise.withResolvers<void>();
  return await Promise.all(
    contenders.map(({ manager, token, run }) =>
      use(manager, token, async (session) => {
        if (--missing === 0) loaded.resolve();
        await loaded.promise;
        await run(session);
      })
    ),
  );
}

/** The same request so many times. */
export function times(
  count: number,
  manager: SessionManager,
  token: string,
  run: (session: Session, index: number) => unknown,
): Contender[] {
  return Array.from({ length: count }, (_, index) => ({
    manager,
    token,
    run: (session: Session) => run(session, index),
  }));
}

/** A request that has loaded its session, and waits to go on. */
export interface Suspended {
  /** Goes on with the handler; resolves to the response. */
  resume(): Promise<Response>;
}

/** Starts a request, and stops it when it has loaded its session. */
export async function suspend(
  manager: SessionManager,
  token: string,
  run: (session: Session) => unknown,
): Promise<Suspended> {
  const loaded = Promise.withResolvers<void>();
  const resumed = Promise.withResolvers<void>();
  const response = use(manager, token, async (session) => {
    loaded.resolve();
    await resumed.promise;
    await run(session);
  });
  await Promise.race([loaded.promise, response]);
  return {
    resume: () => {
      resumed.resolve();
      return response;
    },
  };
}

/** The session's Set-Cookie lines of a response. */
export function cookies(response: Response): string[] {
  return response.headers.getSetCookie();
}
