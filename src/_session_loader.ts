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
import { MAX_CANDIDATES, type SessionTransport } from "./session_transport.ts";
import type { Token } from "./token.ts";

/** What a request brought. */
export interface LoadResult {
  /** By which way the answer goes. */
  readonly origin: RequestOrigin;
  /** The session, if it brought a living one. */
  readonly loaded: StoredSession | undefined;
}

/** What a transport yielded that looks like tokens. */
interface Candidates {
  readonly transport: SessionTransport;
  readonly consulted: readonly SessionTransport[];
  readonly tokens: readonly Token[];
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
      const consulted = transports.slice(0, index + 1);
      const distinct = new Set(texts.slice(0, MAX_CANDIDATES));
      if (cipher !== undefined) {
        return this.#openSealed(transport, consulted, distinct);
      }
      const tokens: Token[] = [];
      for (const text of distinct) {
        const token = codec.parse(transport.name, text);
        if (typeof token === "string") {
          this.#settings.emit({ type: "refused", reason: token });
        } else tokens.push(token);
      }
      if (tokens.length > 0) {
        return this.#find({ transport, consulted, tokens });
      }
    }
    return this.#anonymous;
  }

  async #find(
    { transport, consulted, tokens }: Candidates,
  ): Promise<LoadResult> {
    const found = await Promise.all(
      tokens.map(({ id, secret }) => this.#reader.find(id, { secret })),
    );
    return this.#choose(
      { transport, consulted },
      found.map((result, index) => ({
        result,
        stale: tokens[index]?.stale ?? false,
      })),
    );
  }

  /** Reads stateless sessions, which are in the tokens themselves. */
  async #openSealed(
    transport: SessionTransport,
    consulted: readonly SessionTransport[],
    texts: Iterable<string>,
  ): Promise<LoadResult> {
    const settings = this.#settings;
    const found: { result: StoredSession | Missing; stale: boolean }[] = [];
    for (const text of texts) {
      const sealed = settings.cipher?.open(transport.name, text) ?? "malformed";
      if (typeof sealed === "string") {
        found.push({ result: { missing: sealed, id: "" }, stale: false });
        continue;
      }
      const { id, record, stale } = sealed;
      const now = settings.now();
      const missing = expiredBy(record, now, now, settings);
      const result = missing === undefined
        ? {
          id,
          record,
          data: await checkLoaded(settings, id, record.data),
          version: "",
          secret: "",
          hops: [],
        }
        : { missing, id };
      found.push({ result, stale });
    }
    return this.#choose({ transport, consulted }, found);
  }

  /** Takes the one living session; two different ones are none (RFC 6265bis §5.8.3: order means nothing). */
  #choose(
    way: Pick<RequestOrigin, "consulted"> & { transport: SessionTransport },
    found: readonly { result: StoredSession | Missing; stale: boolean }[],
  ): LoadResult {
    const { emit } = this.#settings;
    let chosen: { result: StoredSession; stale: boolean } | undefined;
    let duplicate = false;
    for (const { result, stale } of found) {
      if ("missing" in result) {
        const { id, missing: reason } = result;
        emit(
          id === ""
            ? { type: "refused", reason }
            : { type: "refused", reason, id },
        );
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
