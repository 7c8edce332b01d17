/**
 * Finds the session that a request brings a token for.
 *
 * @module
 */

import type { RequestOrigin } from "./_request_session.ts";
import type {
  Missing,
  SessionReader,
  StoredSession,
} from "./_session_reader.ts";
import type { Settings } from "./_settings.ts";
import { checkLoaded } from "./_validation.ts";
import { expiredBy } from "./_record.ts";
import type { OpenedSession } from "./_stateless_cipher.ts";
import type { RefusalReason } from "./events.ts";
import { MAX_CANDIDATES, type SessionTransport } from "./session_transport.ts";
import type { Token } from "./token.ts";

/** What a request brought. */
export interface LoadResult {
  /** By which way the answer goes. */
  readonly origin: RequestOrigin;
  /** The session, if it brought a living one. */
  readonly loaded: StoredSession | undefined;
}

/** The transport that yielded tokens, and those that were asked. */
interface Way {
  readonly transport: SessionTransport;
  readonly consulted: readonly SessionTransport[];
}

/** Loads the sessions of requests. */
export class SessionLoader {
  readonly #settings: Settings;
  readonly #reader: SessionReader;
  /** What a request without any token gets. */
  readonly #anonymous: LoadResult;

  /** Constructs a loader. */
  constructor(settings: Settings, reader: SessionReader) {
    this.#settings = settings;
    this.#reader = reader;
    const consulted = settings.transports;
    const origin = { transport: consulted[0], consulted, stale: false };
    this.#anonymous = { origin, loaded: undefined };
  }

  /**
   * Loads the session of a request.
   *
   * @param request The request.
   * @returns The session; at once, if there is nothing to look up.
   */
  load(request: Request): LoadResult | Promise<LoadResult> {
    const { cipher, codec, transports } = this.#settings;
    for (const [index, transport] of transports.entries()) {
      const texts = transport.read(request);
      if (texts.length === 0) continue;
      const consulted = index + 1 === transports.length
        ? transports
        : transports.slice(0, index + 1);
      const way = { transport, consulted };
      if (cipher !== undefined) {
        const sealed = this.#readAll(
          texts,
          (text) => cipher.open(transport.name, text),
        );
        if (sealed.length > 0) return this.#findSealed(way, sealed);
      } else {
        const tokens = this.#readAll(
          texts,
          (text) => codec.parse(transport.name, text),
        );
        if (tokens.length > 0) return this.#find(way, tokens);
      }
    }
    return this.#anonymous;
  }

  /** Reads candidates without any lookup; reports those that are no tokens. */
  #readAll<T extends object>(
    texts: readonly string[],
    read: (text: string) => T | RefusalReason,
  ): T[] {
    const tokens: T[] = [];
    for (const text of distinct(texts)) {
      if (typeof text !== "string") continue; // a header's null, from a transport in JavaScript
      const token = read(text);
      if (typeof token === "string") {
        this.#settings.emit({ type: "refused", reason: token });
      } else tokens.push(token);
    }
    return tokens;
  }

  async #find(way: Way, tokens: readonly Token[]): Promise<LoadResult> {
    const [first] = tokens;
    if (first !== undefined && tokens.length === 1) {
      const result = await this.#reader.find(first.id, first);
      return this.#choose(way, [{ result, stale: first.stale }]);
    }
    const found = await Promise.all(
      tokens.map(async (token) => ({
        result: await this.#reader.find(token.id, token),
        stale: token.stale,
      })),
    );
    return this.#choose(way, found);
  }

  /** Reads stateless sessions, which are in the tokens themselves. */
  async #findSealed(
    way: Way,
    sealed: readonly OpenedSession[],
  ): Promise<LoadResult> {
    const settings = this.#settings;
    const found: { result: StoredSession | Missing; stale: boolean }[] = [];
    for (const { id, record, stale } of sealed) {
      const now = settings.now();
      const missing = expiredBy(record, now, now, settings);
      if (missing !== undefined) {
        found.push({ result: { missing, id }, stale });
        continue;
      }
      const data = await checkLoaded(settings, id, record.data);
      const session = { version: "", secret: "", hops: [] };
      found.push({ result: { id, record, data, ...session }, stale });
    }
    return this.#choose(way, found);
  }

  /** Takes the one living session; two different ones are none (RFC 6265bis §5.8.3: order means nothing). */
  #choose(
    way: Way,
    found: readonly { result: StoredSession | Missing; stale: boolean }[],
  ): LoadResult {
    const { emit } = this.#settings;
    let chosen: { result: StoredSession; stale: boolean } | undefined;
    let duplicate = false;
    for (const { result, stale } of found) {
      if ("missing" in result) {
        const { id, missing: reason } = result;
        emit({ type: "refused", reason, id });
      } else if (chosen === undefined || chosen.result.id === result.id) {
        // of a replaced id and the one that replaced it, the newer needs no new cookie
        if (
          chosen === undefined || result.hops.length < chosen.result.hops.length
        ) {
          chosen = { result, stale };
        }
      } else duplicate = true;
    }
    if (duplicate) emit({ type: "refused", reason: "duplicate" });
    const loaded = duplicate ? undefined : chosen?.result;
    return {
      origin: { ...way, stale: !duplicate && (chosen?.stale ?? false) },
      loaded,
    };
  }
}

/** The first few candidates, each once. */
function distinct(texts: readonly string[]): readonly string[] {
  return texts.length === 1
    ? texts
    : [...new Set(texts.slice(0, MAX_CANDIDATES))];
}
