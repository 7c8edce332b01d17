/**
 * Programs of the repository, run as their users run them.
 *
 * @module
 */

import { TestClient } from "@tessera/session/testing";
import { ROOT, stdArguments } from "../tools/std.ts";

/** How long a program may take to say where it listens: it may have to download. */
const START_TIMEOUT_MS = 60_000;

/** How long it may take to end when it is told to; then it is killed. */
const STOP_TIMEOUT_MS = 10_000;

/** A program that listens. */
export interface Program extends AsyncDisposable {
  /** Where it listens, as it says itself, with `localhost` as the host. */
  readonly url: string;
  /** What it has written so far. */
  readonly output: string;
  /** Sends it a signal, and resolves to its exit code. */
  stop(signal?: Deno.Signal): Promise<number>;
}

/**
 * Starts a program, and waits until it says where it listens.
 *
 * @param args The arguments of `deno run`: flags and a path in the repository.
 * @param env Environment variables to set.
 */
export async function startProgram(
  args: readonly string[],
  env: Record<string, string>,
): Promise<Program> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...await stdArguments(), ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();

  let output = "";
  const listening = Promise.withResolvers<string>();
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const text = stream.pipeThrough(new TextDecoderStream() as TextDecoding);
    for await (const chunk of text) {
      output += chunk;
      const port = output.match(/http:\/\/(?:localhost|127\.0\.0\.1):(\d+)\b/);
      if (port !== null) listening.resolve(`http://localhost:${port[1]}`);
    }
  };
  const fail = (why: string) =>
    listening.reject(new Error(`Cannot start ${args.join(" ")}: ${why}`));
  const ended = Promise.all([
    child.status,
    read(child.stdout),
    read(child.stderr),
  ]).then(([status]) => {
    fail(`it ended with code ${status.code}:\n${output}`);
    return status.code;
  });
  const timer = setTimeout(
    () => fail(`it does not say where it listens:\n${output}`),
    START_TIMEOUT_MS,
  );

  const kill = (signal: Deno.Signal) => {
    try {
      child.kill(signal);
    } catch {
      // it has ended already
    }
  };
  const stop = async (signal: Deno.Signal = "SIGKILL") => {
    kill(signal);
    const timer = setTimeout(() => kill("SIGKILL"), STOP_TIMEOUT_MS);
    const code = await ended;
    clearTimeout(timer);
    return code;
  };
  try {
    return {
      url: await listening.promise,
      get output() {
        return output;
      },
      stop,
      async [Symbol.asyncDispose]() {
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** What `pipeThrough` takes: the types of the two streams differ in their buffers. */
type TextDecoding = ReadableWritablePair<string, Uint8Array<ArrayBuffer>>;

/** Starts the demo on a free port, with its sessions in a file. */
export function startDemo(database: string): Promise<Program> {
  return startProgram(["-A", "examples/demo/main.ts"], {
    PORT: "0",
    DEMO_DB: database,
  });
}

/** A client of its own, with cookies as a browser keeps them, over real HTTP. */
export function newClient({ url }: Program): TestClient {
  return new TestClient(
    (request) => fetch(request, { redirect: "manual" }),
    { origin: url },
  );
}

/** A temporary folder for a database, gone when it is disposed of. */
export async function temporaryDatabase(): Promise<
  AsyncDisposable & { readonly path: string }
> {
  const folder = await Deno.makeTempDir({ prefix: "tessera_" });
  return {
    path: `${folder}/sessions.db`,
    async [Symbol.asyncDispose]() {
      await Deno.remove(folder, { recursive: true });
    },
  };
}
