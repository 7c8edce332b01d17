/**
 * A driver of our own: keep-alive connections, one request at a time on each.
 *
 * It warms servers up, and measures them where there is no wrk.
 *
 * @module
 */

import { quantile } from "./_statistics.ts";

/** How much longer than it should a measurement may take, in milliseconds. */
export const GRACE_MS = 10_000;

/** A request to send: a path, and a cookie header if it is not empty. */
export interface PlannedRequest {
  /** The path. */
  readonly path: string;
  /** The `Cookie` header; `""` for none. */
  readonly cookie: string;
}

/** What to send, and how. */
export interface DriveOptions {
  /** Where to: `http://127.0.0.1:<port>`. */
  readonly origin: string;
  /** The requests, sent over and over in this order. */
  readonly requests: readonly PlannedRequest[];
  /** How many connections are kept open. */
  readonly connections: number;
  /** For how long. */
  readonly seconds: number;
  /**
   * How long after that the last answers may come, in milliseconds.
   *
   * @default {10_000}
   */
  readonly graceMs?: number;
}

/** What came of it. */
export interface DriveResult {
  /** How many requests were answered. */
  readonly requests: number;
  /** Requests per second. */
  readonly rate: number;
  /** The median latency, in milliseconds. */
  readonly p50: number;
  /** The latency that one in a hundred exceeded, in milliseconds. */
  readonly p99: number;
  /** How many failed, or were answered with another status than 200. */
  readonly errors: number;
}

/**
 * Sends requests for a while, one at least on each connection.
 *
 * @param options What to send, and how.
 * @returns What came of it; a connection that broke is an error.
 * @throws {Error} If an answer does not come at all.
 */
export async function drive(options: DriveOptions): Promise<DriveResult> {
  const { hostname, port, host } = new URL(options.origin);
  const { seconds, graceMs = GRACE_MS } = options;
  const encoder = new TextEncoder();
  const messages = options.requests.map(({ path, cookie }) =>
    encoder.encode(
      `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${
        cookie === "" ? "" : `Cookie: ${cookie}\r\n`
      }\r\n`,
    )
  );
  const latencies: number[] = [];
  let errors = 0;
  let next = 0;
  const start = performance.now();
  const end = start + seconds * 1_000;

  const deadline = new AbortController();
  const { signal } = deadline;
  const address = { hostname, port: Number(port), signal };
  const run = async () => {
    using connection = await Deno.connect(address);
    using _interrupt = onAbort(signal, () => connection.close());
    const reader = new ResponseReader(connection);
    let sent = performance.now();
    do { // once at least, for a busy machine may connect late
      const message = messages[next++ % messages.length] as Uint8Array;
      await writeAll(connection, message);
      const status = await reader.read();
      const now = performance.now();
      latencies.push(now - sent);
      if (status !== 200) errors++;
      sent = now;
    } while (sent < end);
  };
  const timer = setTimeout(() => deadline.abort(), seconds * 1_000 + graceMs);
  const runs = await Promise.allSettled(
    Array.from({ length: options.connections }, run),
  );
  clearTimeout(timer);
  if (signal.aborted) {
    throw new Error(
      `Cannot measure: want the last answers within ${graceMs} ms: received none`,
    );
  }
  errors += runs.filter(({ status }) => status === "rejected").length;
  const elapsed = (performance.now() - start) / 1_000;
  return {
    requests: latencies.length,
    rate: latencies.length / elapsed,
    p50: latencies.length === 0 ? 0 : quantile(latencies, 0.5),
    p99: latencies.length === 0 ? 0 : quantile(latencies, 0.99),
    errors,
  };
}

/** Has something done when a signal aborts, until it is disposed of. */
function onAbort(signal: AbortSignal, run: () => void): Disposable {
  signal.addEventListener("abort", run);
  return {
    [Symbol.dispose]: () => signal.removeEventListener("abort", run),
  };
}

async function writeAll(
  connection: Deno.Conn,
  message: Uint8Array,
): Promise<void> {
  for (let sent = 0; sent < message.length;) {
    sent += await connection.write(message.subarray(sent));
  }
}

/** What a connection is read by. */
export interface ByteSource {
  /** Reads into a buffer; `null` at the end. */
  read(buffer: Uint8Array): Promise<number | null>;
}

/** Reads responses of HTTP/1.1 (RFC 9112) that follow one another. */
export class ResponseReader {
  readonly #source: ByteSource;
  readonly #buffer = new Uint8Array(16_384);
  readonly #decoder = new TextDecoder("latin1");
  #text = "";

  /** Constructs a reader. */
  constructor(source: ByteSource) {
    this.#source = source;
  }

  /**
   * Reads a response to its end.
   *
   * @returns Its status.
   * @throws {Error} If the connection ends before.
   */
  async read(): Promise<number> {
    const head = await this.#until("\r\n\r\n");
    const status = Number(head.slice(9, 12));
    const length = head.match(/\r\ncontent-length: *(\d+)/i)?.[1];
    if (length !== undefined) await this.#take(Number(length));
    else if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
      await this.#skipChunks();
    }
    return status;
  }

  async #skipChunks(): Promise<void> {
    for (;;) {
      const size = parseInt(await this.#until("\r\n"), 16);
      await this.#take(size + 2);
      if (!(size > 0)) return;
    }
  }

  async #until(mark: string): Promise<string> {
    for (;;) {
      const index = this.#text.indexOf(mark);
      if (index !== -1) return await this.#take(index + mark.length);
      await this.#fill();
    }
  }

  async #take(length: number): Promise<string> {
    while (this.#text.length < length) await this.#fill();
    const taken = this.#text.slice(0, length);
    this.#text = this.#text.slice(length);
    return taken;
  }

  async #fill(): Promise<void> {
    const count = await this.#source.read(this.#buffer);
    if (count === null) {
      throw new Error(
        "Cannot read response: want all of it: received the end of the connection",
      );
    }
    this.#text += this.#decoder.decode(this.#buffer.subarray(0, count));
  }
}
