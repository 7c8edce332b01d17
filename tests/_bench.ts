// deno-lint-ignore-file no-console -- what a run prints is looked at
/**
 * What the tests of the benchmarks have in common: servers that fail when they are
 * told to, above all.
 *
 * @module
 */

import type { RunningServer } from "../bench/_load.ts";
import type { Options } from "../bench/_options.ts";

/** A server that can be measured. */
export interface FakeServer extends AsyncDisposable {
  /** As the benchmarks know it. */
  readonly server: RunningServer;
  /** Has it hang: it takes requests, and answers none. */
  hang(): void;
  /** Has it die: its connections break, and it takes no more. */
  die(): void;
}

/**
 * Starts a server that answers every request, and begins a session.
 *
 * @param name Its name.
 * @param onRequest Is told the path of each request, before it is answered.
 */
export function fakeServer(
  name: string,
  onRequest: (path: string) => void = () => {},
): FakeServer {
  const stop = new AbortController();
  const released = Promise.withResolvers<void>();
  let hanging = false;
  const http = Deno.serve(
    {
      hostname: "127.0.0.1",
      port: 0,
      signal: stop.signal,
      onListen: () => {},
    },
    async (request) => {
      onRequest(new URL(request.url).pathname);
      if (hanging) await released.promise;
      return new Response("1", { headers: { "set-cookie": "session=1" } });
    },
  );
  const info = { name, store: "KV", version: "1" } as const;
  return {
    server: {
      ...info,
      origin: `http://127.0.0.1:${http.addr.port}`,
      cookies: ["session=1"],
      forged: ["session=2"],
      spec: {
        ...info,
        optional: false,
        forgedPrefix: "",
        only: undefined,
        peer: false,
        start: () => Promise.reject(new Error("it is there")),
      },
    },
    hang: () => void (hanging = true),
    die: () => stop.abort(),
    [Symbol.asyncDispose]: async () => {
      released.resolve();
      stop.abort();
      await http.finished;
    },
  };
}

/** What a run of one short round is told. */
export const SHORT: Options = {
  mode: "load",
  quick: true,
  rounds: 1,
  seconds: 0.02,
  connections: 2,
  sessions: 1,
  requests: 1,
  servers: undefined,
  cases: ["read", "write"],
  driver: "own",
  out: undefined,
};

/** Runs something; resolves to what it comes to, and the lines that it prints. */
export async function printed<T>(
  run: () => Promise<T>,
): Promise<{ value: T; lines: string[] }> {
  const { log } = console;
  const lines: string[] = [];
  console.log = (text: string) => lines.push(text);
  try {
    return { value: await run(), lines };
  } finally {
    console.log = log;
  }
}

/** Creates a temporary folder. */
export async function temporaryFolder(): Promise<
  AsyncDisposable & { readonly path: string }
> {
  const path = await Deno.makeTempDir({ prefix: "tessera_" });
  return {
    path,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}
