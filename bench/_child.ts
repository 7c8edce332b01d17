/**
 * Child processes that serve, and end with this one.
 *
 * @module
 */

/** How long a server may take to say where it listens: it may have to download. */
const START_TIMEOUT_MS = 120_000;

/** A server in a process of its own. */
export interface Child extends AsyncDisposable {
  /** Where it listens: `http://127.0.0.1:<port>`. */
  readonly origin: string;
}

/** What to start. */
export interface ChildOptions {
  /** The program. */
  readonly command: string;
  /** Its arguments. */
  readonly args: readonly string[];
  /** Environment variables to set. */
  readonly env: Readonly<Record<string, string>>;
  /** The folder to run in. */
  readonly cwd: URL;
}

/**
 * Starts a server, and waits until it says where it listens.
 *
 * It holds the other end of a pipe that closes when this process ends, however
 * that happens, and ends itself then.
 *
 * @param options What to start.
 * @returns The server; disposing of it ends it.
 * @throws {Error} If it ends, or says nothing for too long.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const child = new Deno.Command(options.command, {
    args: [...options.args],
    cwd: options.cwd,
    env: { NO_COLOR: "1", ...options.env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let output = "";
  const listening = Promise.withResolvers<string>();
  const read = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      output = (output + text).slice(-4_000);
      const address = output.match(/listening on (http:\/\/127\.0\.0\.1:\d+)/);
      if (address?.[1] !== undefined) listening.resolve(address[1]);
    }
  };
  const fail = (why: string) =>
    listening.reject(new Error(`Cannot start server: ${why}: ${output}`));
  const ended = Promise.all([
    child.status,
    read(child.stdout),
    read(child.stderr),
  ]).then(([{ code }]) => fail(`it ended with code ${code}`));
  const timer = setTimeout(
    () => fail("it does not say where it listens"),
    START_TIMEOUT_MS,
  );
  const stop = async () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // it has ended already
    }
    await ended;
    await child.stdin.close().catch(() => {});
  };
  try {
    return { origin: await listening.promise, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
