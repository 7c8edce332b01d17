/**
 * A network that misbehaves as it is told.
 *
 * @module
 */

/** What becomes of the bytes of a connection. */
export type Weather =
  /** They arrive. */
  | "fine"
  /** They arrive, so many milliseconds later each way. */
  | { readonly delay: number }
  /** Connections are reset, and new ones too. */
  | "cut"
  /** Nothing arrives, and nobody hears of it. */
  | "silent"
  /** Requests arrive; answers are lost with the connection. */
  | "no answers"
  /** Requests arrive; of the answers, all but the last byte. */
  | "half answers";

/** Passes connections on to a server. */
export class TcpProxy implements AsyncDisposable {
  /** What becomes of bytes from now on; those of a connection that is `silent` stay lost. */
  weather: Weather = "fine";
  /** How many answers were lost or halved. */
  lost = 0;
  readonly #listener: Deno.TcpListener;
  readonly #target: number;
  readonly #links = new Set<Link>();
  readonly #ended: Promise<void>;

  /** Listens on a free port of the loopback interface. */
  constructor(target: number) {
    this.#target = target;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#ended = this.#accept();
  }

  /** Where it listens. */
  get port(): number {
    return this.#listener.addr.port;
  }

  /** Changes the weather for connections that are open, too. */
  become(weather: Weather): void {
    this.weather = weather;
    if (weather === "cut") this.breakAll();
  }

  /** Breaks the connections that are open. */
  breakAll(): void {
    for (const link of this.#links) link.close();
  }

  /** Breaks all connections, and listens no longer. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.breakAll();
    await this.#ended;
  }

  async #accept(): Promise<void> {
    const running = new Set<Promise<void>>();
    for await (const client of this.#listener) {
      const link = new Link(this, client, this.#target);
      this.#links.add(link);
      const run = link.run().finally(() => {
        this.#links.delete(link);
        running.delete(run);
      });
      running.add(run);
    }
    await Promise.all(running);
  }
}

/** One connection, and the one behind it. */
class Link {
  readonly #proxy: TcpProxy;
  readonly #client: Deno.TcpConn;
  readonly #target: number;
  #server: Deno.TcpConn | undefined;
  #closed = false;
  #silenced = false;

  constructor(proxy: TcpProxy, client: Deno.TcpConn, target: number) {
    this.#proxy = proxy;
    this.#client = client;
    this.#target = target;
  }

  async run(): Promise<void> {
    try {
      if (this.#proxy.weather === "cut") return;
      this.#server = await Deno.connect({
        hostname: "127.0.0.1",
        port: this.#target,
      });
      if (this.#closed) return;
      await Promise.allSettled([
        this.#pump(this.#client, (bytes) => this.#request(bytes)),
        this.#pump(this.#server, (bytes) => this.#answer(bytes)),
      ]);
    } catch {
      // Broken, as networks are.
    } finally {
      this.close();
      this.#server?.close();
    }
  }

  /** Breaks the connection. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#client.close();
    shut(this.#server);
  }

  async #pump(
    from: Deno.TcpConn,
    pass: (bytes: Uint8Array) => Promise<void>,
  ): Promise<void> {
    const buffer = new Uint8Array(65_536);
    try {
      for (;;) {
        const length = await from.read(buffer);
        if (length === null) break;
        const { weather } = this.#proxy;
        if (typeof weather === "object") {
          await new Promise((resolve) => setTimeout(resolve, weather.delay));
        }
        this.#silenced ||= weather === "silent";
        if (!this.#silenced) await pass(buffer.subarray(0, length));
      }
    } finally {
      this.close();
    }
  }

  async #request(bytes: Uint8Array): Promise<void> {
    if (this.#server !== undefined) await write(this.#server, bytes);
  }

  async #answer(bytes: Uint8Array): Promise<void> {
    const { weather } = this.#proxy;
    if (weather === "no answers" || weather === "half answers") {
      this.#proxy.lost++;
      if (weather === "half answers") {
        await write(this.#client, bytes.subarray(0, -1));
      }
      return this.close();
    }
    await write(this.#client, bytes);
  }
}

/** Ends what is read from a connection, and nothing else. */
function shut(connection: Deno.TcpConn | undefined): void {
  void connection?.closeWrite().catch(() => {});
}

async function write(to: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await to.write(bytes.subarray(at));
  }
}

/** Finds a port that nobody listens on. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
