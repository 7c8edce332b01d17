/**
 * A Redis server for tests.
 *
 * @module
 */

import { createClient, type RedisClientType } from "redis";
import { RedisStore, type RedisStoreOptions } from "@tessera/session/redis";

/** How long the server may take to start. */
const START_MS = 10_000;

/** What a test may change about its client. */
export interface TestClientOptions {
  username?: string;
  password?: string;
  keyPrefix?: string;
  RESP?: 2 | 3;
  clientSideCache?: { ttl: number; maxEntries: number };
  socket?: { reconnectStrategy: false };
}

/** A private server, in a process and a folder of its own, on a free port. */
export class RedisServer {
  readonly port: number;
  readonly #folder: string;
  readonly #flags: readonly string[];
  #process: Deno.ChildProcess | undefined;

  private constructor(
    port: number,
    folder: string,
    flags: readonly string[],
  ) {
    this.port = port;
    this.#folder = folder;
    this.#flags = flags;
  }

  /**
   * Starts a server that keeps what it has acknowledged, whatever happens.
   *
   * @param flags More of its command line.
   * @throws {Error} If there is no `redis-server`, saying how to get one.
   */
  static async start(flags: readonly string[] = []): Promise<RedisServer> {
    for (let tries = 1;; tries++) {
      const folder = await Deno.makeTempDir({ prefix: "tessera_redis_" });
      const server = new RedisServer(freePort(), folder, flags);
      try {
        await server.restart();
        return server;
      } catch (error) {
        await server[Symbol.asyncDispose]();
        // Another process may have taken the port meanwhile.
        if (tries === 3 || error instanceof Deno.errors.NotFound) throw error;
      }
    }
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts the server again, with what it kept. */
  async restart(): Promise<void> {
    this.#process = spawn([
      ...["--port", String(this.port), "--bind", "127.0.0.1"],
      ...["--dir", this.#folder, "--save", ""],
      ...["--appendonly", "yes", "--appendfsync", "always"],
      ...this.#flags,
    ]);
    const deadline = Date.now() + START_MS;
    while (!await this.#answers()) {
      if (Date.now() > deadline) {
        throw new Error(`Cannot start redis-server on port ${this.port}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
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

  /** Stops the server's process, which keeps its connections but is silent. */
  pause(): void {
    this.#process?.kill("SIGSTOP");
  }

  /** Lets the process go on. */
  resume(): void {
    this.#process?.kill("SIGCONT");
  }

  /** Connects a client as the docs recommend it. */
  connect(options: TestClientOptions = {}): Promise<RedisClientType> {
    return connectTo(this.url, options);
  }

  /** Opens an empty store with a client of its own, which it closes. */
  async open(
    options: RedisStoreOptions = {},
  ): Promise<RedisStore & AsyncDisposable> {
    const client = await this.connect();
    const store = new RedisStore(client, {
      prefix: `{${crypto.randomUUID()}}`,
      ...options,
    });
    return Object.assign(store, {
      [Symbol.asyncDispose]: () => client.close(),
    });
  }

  /** Ends the server, and removes what it kept. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill("SIGTERM");
    await Deno.remove(this.#folder, { recursive: true });
  }

  /** Says whether the server has loaded what it kept, and is this one. */
  async #answers(): Promise<boolean> {
    try {
      using connection = await Deno.connect({
        hostname: "127.0.0.1",
        port: this.port,
      });
      await connection.write(
        new TextEncoder().encode("INFO server\r\nPING\r\n"),
      );
      let text = "";
      const buffer = new Uint8Array(4_096);
      while (!/\r\n(?:\+PONG|-.*)\r\n$/.test(text)) {
        const length = await connection.read(buffer);
        if (length === null) return false;
        text += new TextDecoder().decode(buffer.subarray(0, length));
      }
      return text.includes(`process_id:${this.#process?.pid}\r\n`) &&
        text.endsWith("+PONG\r\n");
    } catch {
      return false;
    }
  }
}

/** Connects a client to a server as the docs recommend it. */
export async function connectTo(
  url: string,
  options: TestClientOptions = {},
): Promise<RedisClientType> {
  const client = createClient({
    url,
    disableOfflineQueue: true,
    commandsQueueMaxLength: 10_000,
    socket: { reconnectStrategy: () => 20 },
    ...options,
  });
  // Without a listener, an error would end the process.
  client.on("error", () => {});
  await client.connect();
  return client as RedisClientType;
}

/** What a test of {@linkcode withRedis} works with. */
export interface RedisContext {
  /** The server, which is empty. */
  readonly redis: RedisServer;
  /** A client of it. */
  readonly client: RedisClientType;
  /** A store on that client. */
  readonly store: RedisStore;
}

/** Registers tests on a server that all tests of a file share. */
export interface RedisTest {
  (name: string, run: (context: RedisContext) => Promise<void>): void;
  /** The server, while a test runs. */
  readonly redis: RedisServer;
}

/**
 * Starts a server before the tests of a file, and ends it after them.
 *
 * @param flags More of its command line.
 * @returns Registers tests, each of which begins with an empty server.
 */
export function withRedis(flags: readonly string[] = []): RedisTest {
  let server: RedisServer | undefined;
  let failure: unknown;
  Deno.test.beforeAll(async () => {
    try {
      server = await RedisServer.start(flags);
    } catch (error) {
      failure = error;
    }
  });
  Deno.test.afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });
  const redis = () => {
    if (server === undefined) throw failure;
    return server;
  };
  const test = (
    name: string,
    run: (context: RedisContext) => Promise<void>,
  ) =>
    Deno.test(name, async () => {
      const client = await redis().connect();
      try {
        await client.flushAll();
        await run({ redis: redis(), client, store: new RedisStore(client) });
      } finally {
        await client.close();
      }
    });
  return Object.defineProperty(test, "redis", { get: redis }) as RedisTest;
}

/** Starts the server that `REDIS_SERVER` names; or Redis, or Valkey if there is only that. */
function spawn(args: string[]): Deno.ChildProcess {
  const chosen = Deno.env.get("REDIS_SERVER");
  const commands = chosen === undefined
    ? ["redis-server", "valkey-server"]
    : [chosen];
  for (const command of commands) {
    try {
      return new Deno.Command(command, {
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
    `Cannot test RedisStore: want ${commands.join(" or ")} on the PATH: ` +
      "received nothing. On Debian: apt-get install redis-server",
  );
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
