/**
 * Finds the session that a request brings a token for.
 *
 * @module
 */

import { lineageOf } from "./_lineage.ts";
import type { LoadResult, RequestOrigin } from "./_request_parts.ts";
import type {
  Missing,
  SessionReader,
  StoredSession,
} from "./_session_reader.ts";
import type { Settings } from "./_settings.ts";
import type { OpenedSession, SessionCipher } from "./_stateless_cipher.ts";
import { findBrought, type NewestSession } from "./_stateless_newest.ts";
import { misread, varyOf } from "./_transports.ts";
import { checkLoaded } from "./_validation.ts";
import type { RefusalReason } from "./events.ts";
import { MAX_CANDIDATES, type SessionTransport } from "./session_transport.ts";
import type { Token } from "./token.ts";

/** The way on which tokens came. */
interface Way extends RequestOrigin {
  readonly transport: SessionTransport;
}

/** Loads the sessions of requests. */
export class SessionLoader {
  readonly #settings: Settings;
  readonly #reader: SessionReader;
  /** The ways, in the order in which they are tried. */
  readonly #ways: readonly Way[];
  /** What a request without any token gets. */
  readonly #anonymous: LoadResult;

  /** Constructs a loader. */
  constructor(settings: Settings, reader: SessionReader) {
    this.#settings = settings;
    this.#reader = reader;
    const { transports } = settings;
    this.#ways = transports.map((transport, index) => ({
      transport,
      vary: transports.slice(0, index + 1).flatMap(varyOf),
      stale: false,
    }));
    const vary = this.#ways.at(-1)?.vary ?? [];
    const origin = { transport: transports[0], vary, stale: false };
    this.#anonymous = { origin, loaded: undefined };
  }

  /**
   * Loads the session of a request.
   *
   * @param request The request.
   * @returns The session; at once, if there is nothing to look up.
   */
  load(request: Request): LoadResult | Promise<LoadResult> {
    const { cipher, codec } = this.#settings;
    for (const way of this.#ways) {
      const { transport } = way;
      const texts = transport.read(request);
      if (!Array.isArray(texts)) throw misread(transport, texts);
      if (texts.length === 0) continue;
      if (cipher !== undefined) {
        const sealed = this.#readAll(
          texts,
          (text) => cipher.open(transport.name, text),
        );
        if (sealed.length > 0) return this.#findSealed(way, cipher, sealed);
      } else {
        const tokens = this.#readAll(
          texts,
          (text) => codec.parse(transport.name, text),
        );
        const [token] = tokens;
        if (token === undefined) continue;
        return tokens.length === 1
          ? this.#findOne(way, token)
          : this.#findAll(way, tokens);
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

  /** Finds the session of the one token that nearly every request brings. */
  #findOne(way: Way, token: Token): Promise<LoadResult> {
    return this.#settings.store.get(token.id).then((found) => {
      const result = this.#reader.glance(token, found);
      return result === undefined
        ? this.#reader.find(token.id, { secret: token.secret, found }).then(
          (result) => this.#take(way, result, token.stale),
        )
        : this.#take(way, result, token.stale);
    });
  }

  async #findAll(way: Way, tokens: readonly Token[]): Promise<LoadResult> {
    const found = await Promise.all(
      tokens.map(async (token) => ({
        result: await this.#reader.find(token.id, token),
        stale: token.stale,
      })),
    );
    return this.#choose(way, found);
  }

  /** Reads a stateless session, which is in the token itself. */
  async #findSealed(
    way: Way,
    cipher: SessionCipher,
    sealed: readonly OpenedSession[],
  ): Promise<LoadResult> {
    const settings = this.#settings;
    const living: { found: NewestSession; stale: boolean }[] = [];
    for (const opened of sealed) {
      const found = findBrought(settings, cipher, way.transport.name, opened);
      if ("missing" in found) this.#refuse(found);
      else {
        const stale = opened.stale || found.version !== opened.version;
        living.push({ found, stale });
      }
    }
    const [one] = living;
    if (living.length > 1) {
      settings.emit({ type: "refused", reason: "duplicate" });
    }
    if (one === undefined || living.length > 1) {
      return { origin: way, loaded: undefined };
    }
    const { id, record, version, hops } = one.found;
    const data = await checkLoaded(settings, id, record.data);
    const loaded = { id, record, data, version, secret: "", hops };
    return this.#take(way, loaded, one.stale);
  }

  /**
   * Takes the one living session; two different ones are none (RFC 6265bis §5.8.3: order means
   * nothing).
   */
  #choose(
    way: Way,
    found: readonly { result: StoredSession | Missing; stale: boolean }[],
  ): LoadResult {
    let chosen: { result: StoredSession; stale: boolean } | undefined;
    let duplicate = false;
    for (const { result, stale } of found) {
      if ("missing" in result) this.#refuse(result);
      else if (chosen === undefined || isSame(chosen.result, result)) {
        // of a replaced id and the one that replaced it, the newer needs no new cookie
        if (
          chosen === undefined || result.hops.length < chosen.result.hops.length
        ) {
          chosen = { result, stale };
        }
      } else duplicate = true;
    }
    if (duplicate) {
      this.#settings.emit({ type: "refused", reason: "duplicate" });
    }
    return duplicate || chosen === undefined
      ? { origin: way, loaded: undefined }
      : this.#take(way, chosen.result, chosen.stale);
  }

  #take(
    way: Way,
    result: StoredSession | Missing,
    stale: boolean,
  ): LoadResult {
    if ("missing" in result) {
      this.#refuse(result);
      return { origin: way, loaded: undefined };
    }
    return { origin: stale ? { ...way, stale } : way, loaded: result };
  }

  #refuse({ id, missing: reason }: Missing): void {
    this.#settings.emit({ type: "refused", reason, id });
  }
}

/** Whether two are one session, which may have got a new id between the two reads. */
function isSame(a: StoredSession, b: StoredSession): boolean {
  if (a.id === b.id) return true;
  const lineage = lineageOf(a.record);
  return lineage !== "" && lineage === lineageOf(b.record);
}

/** The first few candidates, each once. */
function distinct(texts: readonly string[]): readonly string[] {
  return texts.length === 1
    ? texts
    : [...new Set(texts.slice(0, MAX_CANDIDATES))];
}
