/**
 * What the tests of the package's promises share.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import {
  KvStore,
  type ListedRecord,
  MemoryStore,
  type Session,
  type SessionEvent,
  type SessionManager,
  type SessionStore,
  type StoreCommit,
  type StoreCommitResult,
  type StoreListOptions,
  type VersionedRecord,
} from "@tessera/session";

/** The name of the default cookie. */
export const COOKIE = "__Host-session";

/** A store that counts the calls made to it. */
export class CountingStore implements SessionStore {
  readonly #store: SessionStore;
  /** How many times `get` was called. */
  gets = 0;
  /** How many times `commit` was called. */
  commits = 0;
  /** How many times `list` was called. */
  lists = 0;

  constructor(store: SessionStore) {
    this.#store = store;
  }

  /** How many calls there were, and forgets them. */
  take(): { gets: number; commits: number; lists: number } {
    const { gets, commits, lists } = this;
    this.gets = this.commits = this.lists = 0;
    return { gets, commits, lists };
  }

  get(id: string): Promise<VersionedRecord | undefined> {
    this.gets++;
    return this.#store.get(id);
  }

  commit(commit: StoreCommit): Promise<StoreCommitResult> {
    this.commits++;
    return this.#store.commit(commit);
  }

  list(options?: StoreListOptions): AsyncIterable<ListedRecord> {
    this.lists++;
    return this.#store.list(options);
  }
}

/** No call at all, as {@linkcode CountingStore.take} tells it. */
export const NO_CALLS = { gets: 0, commits: 0, lists: 0 };

/** What a test of {@linkcode testOnStores} works with. */
export interface StoreContext {
  /** The store, empty, and counted. */
  readonly store: CountingStore;
  /** Writes out everything that the store holds, keys included. */
  dump(): Promise<string>;
}

/** Registers a test twice: on a `MemoryStore`, and on a `KvStore` in memory. */
export function testOnStores(
  name: string,
  run: (context: StoreContext) => Promise<void>,
): void {
  Deno.test(`${name} (MemoryStore)`, async () => {
    const store = new MemoryStore();
    const dump = async () => inspect(await Array.fromAsync(store.list()));
    await run({ store: new CountingStore(store), dump });
  });
  Deno.test(`${name} (KvStore)`, async () => {
    using kv = await Deno.openKv(":memory:");
    const dump = async () =>
      inspect(await Array.fromAsync(kv.list({ prefix: [] })));
    await run({ store: new CountingStore(new KvStore(kv)), dump });
  });
}

/** Shows a value to its last leaf. */
export function inspect(value: unknown): string {
  return Deno.inspect(value, {
    depth: Infinity,
    iterableLimit: Infinity,
    strAbbreviateSize: Infinity,
    showHidden: true,
    getters: true,
    colors: false,
  });
}

/** Makes a GET request, with a Cookie header if one is given. */
export function get(
  cookie?: string,
  url = "https://example.com/",
): Request {
  return new Request(url, { headers: cookie === undefined ? {} : { cookie } });
}

/** Makes a GET request with a token in the default cookie. */
export function getWith(token: string): Request {
  return get(`${COOKIE}=${token}`);
}

/** Finds the value that a response sets a cookie to; the only one of that name. */
export function tokenOf(response: Response, name: string = COOKIE): string {
  const lines = response.headers.getSetCookie()
    .filter((line) => line.startsWith(`${name}=`));
  assertEquals(lines.length, 1, `one Set-Cookie line of ${name}`);
  return lines[0]?.slice(name.length + 1).split(";")[0] ?? "";
}

/** Collects events: its `push` is an `onEvent`. */
export class Events {
  /** The events so far, oldest first. */
  readonly all: SessionEvent[] = [];

  /** Takes an event. */
  readonly push = (event: SessionEvent): void => void this.all.push(event);

  /** Says what the events were, as `type` or `type reason`, and forgets them. */
  take(): string[] {
    return this.all.splice(0).map((event) =>
      "reason" in event ? `${event.type} ${event.reason}` : event.type
    );
  }
}

/** Puts another character of the same alphabet in the place of one. */
export function withCharacterAt(
  text: string,
  index: number,
  character: string,
): string {
  return text.slice(0, index) + character + text.slice(index + 1);
}

/** The characters of base64url, in the order of their values. */
export const BASE64URL =
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** A key to sign tokens with, 32 bytes long. */
export function key(seed: string): string {
  return seed.repeat(32).slice(0, 32);
}

/** A response as it came over the wire. */
export interface RawResponse {
  /** The status, `0` if the server said nothing. */
  readonly status: number;
  /** The lines of the headers, in the order they came. */
  readonly lines: readonly string[];
  /** Whatever came after the headers, as Latin-1. */
  readonly body: string;
}

/**
 * Sends a request by TCP, one byte for each character, and reads until the end.
 *
 * @param port Where a server listens on the loopback interface.
 * @param lines The lines of the headers, beside `Host` and `Connection: close`.
 * @param start The request line.
 * @param host The value of `Host`.
 */
export async function rawRequest(
  port: number,
  lines: readonly string[],
  start = "GET / HTTP/1.1",
  host = "localhost",
): Promise<RawResponse> {
  const text = [start, `Host: ${host}`, "Connection: close", ...lines, "", ""]
    .join("\r\n");
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const answer = new Response(connection.readable).arrayBuffer();
  const writer = connection.writable.getWriter();
  await writer.write(bytes);
  const received = new TextDecoder("latin1").decode(await answer);
  const [head = "", ...rest] = received.split("\r\n\r\n");
  const [first = "", ...headers] = head.split("\r\n");
  return {
    status: Number(first.split(" ")[1] ?? 0),
    lines: headers,
    body: rest.join("\r\n\r\n"),
  };
}

/** Serves on a free port of the loopback interface, until it is disposed of. */
export function serve(
  handler: (
    request: Request,
    info: Deno.ServeHandlerInfo<Deno.NetAddr>,
  ) => Response | Promise<Response>,
): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    handler,
  );
}

/**
 * Makes a request of a client.
 *
 * @returns The response, its first cookie line, and the token that the client is told by it.
 */
export async function call(
  sessions: SessionManager,
  token: string | undefined,
  run: (session: Session) => unknown,
): Promise<{ response: Response; cookie?: string; token?: string }> {
  const request = token === undefined ? get() : getWith(token);
  const response = await sessions.handle(request, async (session) => {
    await run(session);
    return new Response();
  });
  const [cookie] = response.headers.getSetCookie();
  if (cookie === undefined) return { response };
  const [told = ""] = cookie.slice(COOKIE.length + 1).split(";");
  return { response, cookie, token: told };
}
