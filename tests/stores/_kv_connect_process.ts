/**
 * Starts `_kv_connect_app.ts`, talks to it, and ends it.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { ROOT, stdArguments } from "../../tools/std.ts";
import { DENOKV_ENV } from "./_denokv.ts";
import { COOKIE, tokenOf } from "../_helpers.ts";

/** No request of these tests takes longer, unless something is wrong. */
const REQUEST_LIMIT_MS = 30_000;

/** What may be different about the app. */
export interface AppOptions {
  /** Whether the store opens the database itself, anew if need be. */
  reopening?: boolean;
  pollInterval?: number;
  storeTimeout?: number;
}

/** An answer of the app. */
export interface AppAnswer {
  readonly status: number;
  /** What is in the body, if it is JSON. */
  // deno-lint-ignore no-explicit-any -- whatever the action returned
  readonly json: any;
  readonly setCookie: readonly string[];
  /** How long it took, in milliseconds. */
  readonly took: number;
}

/** The app in a process of its own. */
export class KvConnectApp implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #origin: string;
  readonly #client = Deno.createHttpClient({ poolMaxIdlePerHost: 20 });

  private constructor(child: Deno.ChildProcess, port: number) {
    this.#child = child;
    this.#origin = `http://127.0.0.1:${port}`;
  }

  /** Starts the app on a database, and waits until it listens. */
  static async start(
    address: string,
    { reopening = false, ...options }: AppOptions = {},
  ): Promise<KvConnectApp> {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-prompt", ...await stdArguments(), "--no-check"],
        ...["--unstable-kv", "--allow-net=127.0.0.1", "--allow-env"],
        ...["--allow-read", "tests/stores/_kv_connect_app.ts"],
        ...[address, JSON.stringify(options)],
        ...(reopening ? ["reopening"] : []),
      ],
      cwd: ROOT,
      env: { NO_COLOR: "1", ...DENOKV_ENV },
      stdin: "null",
      stdout: "piped",
      // Deno says there, four times a second, which server it does not find.
      stderr: "null",
    }).spawn();
    let text = "";
    for await (
      const chunk of child.stdout.pipeThrough(
        new TextDecoderStream() as ReadableWritablePair<
          string,
          Uint8Array<ArrayBuffer>
        >,
      )
    ) {
      text += chunk;
      if (text.includes("\n")) break;
    }
    assert(text.includes("\n"), "the app ended before it listened");
    return new KvConnectApp(child, Number(text));
  }

  /** Makes a request. */
  async fetch(path: string, token?: string): Promise<AppAnswer> {
    const start = performance.now();
    const response = await this.#fetch(path, token);
    const text = await response.text();
    return {
      status: response.status,
      json: /^[[{"]|^(?:true|false|null|\d+)$/.test(text)
        ? JSON.parse(text)
        : undefined,
      setCookie: response.headers.getSetCookie(),
      took: performance.now() - start,
    };
  }

  /** Starts a session with the count 1; returns its token. */
  async begin(): Promise<string> {
    const response = await this.#fetch("/count");
    assertEquals([response.status, await response.text()], [200, "counted"]);
    return tokenOf(response);
  }

  /** Reads the count of a session. */
  async count(token: string): Promise<number> {
    const { status, json } = await this.fetch("/read", token);
    assertEquals([status, json.isNew], [200, false]);
    return json.count;
  }

  /** Opens a stream that lasts as long as the session; `end` is the reason of its end. */
  async stream(token: string): Promise<{ id: string; end: Promise<string> }> {
    const response = await this.#fetch("/stream", token);
    const begun = Promise.withResolvers<string>();
    const end = (async () => {
      let text = "";
      const decoder = new TextDecoder();
      for await (const chunk of response.body ?? []) {
        text += decoder.decode(chunk, { stream: true });
        if (text.includes("\n")) begun.resolve(text.split("\n")[0] ?? "");
      }
      return text.split("\n")[1] ?? "";
    })();
    return { id: await begun.promise, end };
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }

  #fetch(path: string, token?: string): Promise<Response> {
    return fetch(this.#origin + path, {
      headers: token === undefined ? {} : { cookie: `${COOKIE}=${token}` },
      signal: AbortSignal.timeout(REQUEST_LIMIT_MS),
      client: this.#client,
    });
  }
}
