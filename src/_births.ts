/**
 * What the first record of a new id is made with.
 *
 * @module
 */

import { remembersNonce } from "./_nonce.ts";
import { parseRecord } from "./_record.ts";
import type { RequestSession } from "./_request_session.ts";
import type { LoadedState } from "./_session_io.ts";
import type { StoredSession } from "./_session_reader.ts";
import { checkLoaded } from "./_validation.ts";
import { generateSecret } from "./token.ts";

/** Up to this length, in characters, every name leaves room for a token in a cookie. */
const LONG_NAME = 3_900;

/** What a record is made with. */
export interface Birth {
  /** The name of the write, which the record remembers. */
  readonly nonce: string;
  /** The secret that leads to it. */
  readonly secret: string;
  /** The session that it took the place of, if any. */
  base: StoredSession | undefined;
}

/** A record that there was none of before. */
export interface Born {
  /** The session, as it was stored. */
  readonly state: LoadedState;
  /** What it was made with. */
  readonly birth: Birth;
  /** When it was made, or found, in epoch milliseconds. */
  readonly now: number;
}

/** What the tries of one request's commit to store a new id were made with. */
export class Births {
  readonly #request: RequestSession;
  readonly #all: Birth[] = [];

  constructor(request: RequestSession) {
    this.#request = request;
  }

  /** What a `regenerate` makes its record with; the same when its commit is tried again. */
  get rotation(): Birth {
    return this.#all[0] ?? this.next();
  }

  /**
   * Makes another one: a commit that is tried again has a secret of its own, so that nobody has
   * the token of a try that reaches the store late.
   */
  next(): Birth {
    const { handle, origin: { transport }, settings: { codec, nonces } } =
      this.#request;
    const secret = generateSecret();
    if (transport !== undefined && transport.name.length > LONG_NAME) {
      // throws if there is no room for a token, before anything is stored
      const token = codec.format(transport.name, handle.id, secret);
      transport.write(new Headers(), token, undefined);
    }
    const birth = { nonce: nonces.next(), secret, base: undefined };
    this.#all.push(birth);
    return birth;
  }

  /** Finds the record of an id that an earlier try has made unnoticed. */
  async find(id: string): Promise<Born | undefined> {
    const { settings } = this.#request;
    if (this.#all.length < 2) return undefined;
    const record = parseRecord((await settings.store.get(id))?.record);
    if (record === undefined || "forward" in record) return undefined;
    const birth = this.#all.find(({ nonce }) =>
      remembersNonce(record.nonce, nonce)
    );
    if (birth === undefined) return undefined;
    const data = await checkLoaded(settings, id, record.data);
    return { state: { id, record, data }, birth, now: settings.now() };
  }
}
