/**
 * Starts `_worker_server.ts`, talks to it, and stops it.
 *
 * @module
 */

import { stdArguments } from "../tools/std.ts";
import { COOKIE } from "./_helpers.ts";

/** No request of these tests takes longer, unless something is wrong. */
const REQUEST_LIMIT_MS = 20_000;

/** A server in a process of its own. */
export class WorkerProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #origin: string;
  readonly #client: Deno.HttpClient;

  private constructor(
    child: Deno.ChildProcess,
    port: number,
    connections: number,
  ) {
    this.#child = child;
    this.#origin = `http://127.0.0.1:${port}`;
    this.#client = Deno.createHttpClient({ poolMaxIdlePerHost: connections });
  }

  /** Starts a server on a database file, and waits until it listens. */
  static async start(path: string, connections = 20): Promise<WorkerProcess> {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        ...await stdArguments(),
        "--no-check",
        "--unstable-kv",
        "-A",
        new URL("./_worker_server.ts", import.meta.url).href,
        path,
      ],
      cwd: new URL("../", import.meta.url),
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const reader = child.stdout.getReader();
    let text = "";
    while (!text.includes("\n")) {
      const { done, value } = await reader.read();
      if (done) throw new Error("the server ended before it listened");
      text += new TextDecoder().decode(value);
    }
    await reader.cancel();
    return new WorkerProcess(child, Number(text), connections);
  }

  /** Makes a request; the answer's JSON, and the token that it sets, `""` to forget it. */
  async fetch(path: string, token?: string): Promise<WorkerAnswer> {
    const response = await fetch(this.#origin + path, {
      headers: token === undefined ? {} : { cookie: `${COOKIE}=${token}` },
      redirect: "manual",
      signal: AbortSignal.timeout(REQUEST_LIMIT_MS),
      client: this.#client,
    });
    const text = await response.text();
    if (response.status >= 400) throw new Error(text);
    const [line] = response.headers.getSetCookie();
    return {
      json: text === "" ? undefined : JSON.parse(text),
      location: response.headers.get("location"),
      token: line?.slice(COOKIE.length + 1).split(";")[0],
    };
  }

  /** Kills it, as a failing machine would. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#end();
  }

  /** Lets it come to its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }

  async #end(): Promise<void> {
    this.#client.close();
    await this.#child.stdin.close().catch(() => {});
    await this.#child.status;
  }
}

/** What a {@linkcode WorkerProcess} answers. */
export interface WorkerAnswer {
  // deno-lint-ignore no-explicit-any -- whatever the action returned
  readonly json: any;
  readonly location: string | null;
  readonly token: string | undefined;
}
