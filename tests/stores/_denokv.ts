/**
 * A `denokv` server for tests: the one that people run themselves.
 *
 * @module
 */

import { freePort } from "./_tcp_proxy.ts";

/** The version that the tests were written for. */
const VERSION = "0.14.0";

/** What clients have to know; the same for every server, as `Deno.openKv` takes it from the environment. */
const ACCESS_TOKEN = "access-token-of-the-tests";

/** How long the server may take to start. */
const START_MS = 10_000;

/** A private server, in a process and a folder of its own, on a free port. */
export class Denokv implements AsyncDisposable {
  readonly port: number;
  readonly #folder: string;
  #process: Deno.ChildProcess | undefined;

  private constructor(port: number, folder: string) {
    this.port = port;
    this.#folder = folder;
  }

  /**
   * Starts a server with an empty database.
   *
   * @throws {Error} If there is no `denokv`, saying how to get it.
   */
  static async start(): Promise<Denokv> {
    const folder = await Deno.makeTempDir({ prefix: "tessera_denokv_" });
    const server = new Denokv(freePort(), folder);
    try {
      await server.restart();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Where it listens, for `Deno.openKv`. */
  get url(): string {
    return urlOf(this.port);
  }

  /** The file that it keeps the database in. */
  get path(): string {
    return `${this.#folder}/kv.db`;
  }

  /** Starts the server again, with what it kept. */
  async restart(): Promise<void> {
    this.#process = spawn([
      ...["--sqlite-path", this.path, "serve"],
      ...["--access-token", ACCESS_TOKEN, "--addr", `127.0.0.1:${this.port}`],
    ]);
    const deadline = performance.now() + START_MS;
    while (!await this.#answers()) {
      if (performance.now() > deadline) {
        throw new Error(`Cannot start denokv on port ${this.port}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Ends the server, by default as a crash would. */
  async kill(signal: Deno.Signal = "SIGKILL"): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    if (process === undefined) return;
    try {
      process.kill(signal);
    } catch {
      // It has ended by itself.
    }
    await process.status;
  }

  /** Ends the server, and removes what it kept. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #answers(): Promise<boolean> {
    try {
      const response = await fetch(this.url);
      await response.body?.cancel();
      return true;
    } catch {
      return false;
    }
  }
}

/** The address of a server, or of what stands in front of it. */
export function urlOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}

/** What a process needs in its environment, so that `Deno.openKv` is let in. */
export const DENOKV_ENV = { DENO_KV_ACCESS_TOKEN: ACCESS_TOKEN };

/** Opens the database of a server in this process. */
export async function openRemoteKv(url: string): Promise<Deno.Kv> {
  Deno.env.set("DENO_KV_ACCESS_TOKEN", ACCESS_TOKEN);
  return await Deno.openKv(url);
}

/** Starts a server before the tests of a file, and ends it after them. */
export function sharedDenokv(): () => Denokv {
  let server: Denokv | undefined;
  let failure: unknown;
  Deno.test.beforeAll(async () => {
    try {
      server = await Denokv.start();
    } catch (error) {
      failure = error;
    }
  });
  Deno.test.afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });
  return () => {
    if (server === undefined) throw failure;
    return server;
  };
}

function spawn(args: string[]): Deno.ChildProcess {
  for (const path of candidates()) {
    try {
      return new Deno.Command(path, {
        args,
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new Deno.errors.NotFound(
    "Cannot test KvStore over KV Connect: want denokv on the PATH, where Cargo " +
      "installs, or named by the variable DENOKV: received none. To build it: " +
      `cargo install denokv --locked --version ${VERSION}`,
  );
}

/** Where the server may be. */
function candidates(): string[] {
  const given = Deno.env.get("DENOKV");
  if (given !== undefined) return [given];
  const home = Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE");
  const folders = [Deno.env.get("CARGO_HOME"), home && `${home}/.cargo`];
  const paths = folders.flatMap((folder) =>
    folder === undefined || folder === "" ? [] : [`${folder}/bin/denokv`]
  );
  return ["denokv", ...paths];
}
