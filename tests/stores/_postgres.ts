/**
 * A PostgreSQL server of one's own, for the tests and the benchmarks.
 *
 * @module
 */

import postgres from "postgres";

/** Where Debian keeps the programs of each version. */
const DEBIAN_FOLDER = "/usr/lib/postgresql";

/** How long the server may take to start, and to recover from a crash. */
const START_TIMEOUT_MS = 30_000;

const HOST = "127.0.0.1";

/** Options of {@linkcode PostgresServer.start}. */
export interface PostgresServerOptions {
  /** Whether commits wait for the disk; without, they survive only the server. @default {true} */
  fsync?: boolean;
}

/** A server with a cluster of its own in a temporary folder, gone when it is disposed of. */
export class PostgresServer implements AsyncDisposable {
  readonly #programs: Programs;
  readonly #folder: string;
  readonly #port: number;
  readonly #fsync: boolean;
  #process: Deno.ChildProcess | undefined;

  private constructor(
    programs: Programs,
    folder: string,
    port: number,
    fsync: boolean,
  ) {
    this.#programs = programs;
    this.#folder = folder;
    this.#port = port;
    this.#fsync = fsync;
  }

  /**
   * Makes a cluster and starts it.
   *
   * @throws {Error} If there is no PostgreSQL, or it does not start.
   */
  static async start(
    { fsync = true }: PostgresServerOptions = {},
  ): Promise<PostgresServer> {
    const programs = await findPrograms();
    const folder = await Deno.makeTempDir({ prefix: "tessera_" });
    try {
      if (programs.user !== undefined) {
        await Deno.chown(folder, programs.user.uid, programs.user.gid);
      }
      await run(
        programs,
        folder,
        "initdb",
        [
          ["-D", "data", "-U", "postgres", "-A", "trust"],
          ["-E", "UTF8", "--locale=C", "--no-sync"],
        ].flat(),
      );
      const server = new PostgresServer(programs, folder, freePort(), fsync);
      await server.resume();
      return server;
    } catch (error) {
      await Deno.remove(folder, { recursive: true });
      throw error;
    }
  }

  /** Where it is. */
  get url(): string {
    return `postgres://postgres@${HOST}:${this.#port}/postgres`;
  }

  /** Opens a pool; end it. It gives up soon, is silent, and leaves no timers behind. */
  open(options: postgres.Options<Record<never, never>> = {}): postgres.Sql {
    return postgres(this.url, {
      max: 10,
      backoff: () => 0.05,
      connect_timeout: 5,
      max_lifetime: null,
      connection: { statement_timeout: 20_000 },
      onnotice: () => {},
      ...options,
    });
  }

  /** Starts it again, and waits until it answers. */
  async resume(): Promise<void> {
    const settings = {
      port: this.#port,
      listen_addresses: HOST,
      unix_socket_directories: "",
      max_connections: 200,
      fsync: this.#fsync ? "on" : "off",
    };
    const child = command(
      this.#programs,
      this.#folder,
      "sh",
      [
        ["-c", 'exec "$0" "$@" >>log 2>&1', this.#programs.path("postgres")],
        ["-D", "data"],
        ...Object.entries(settings).map(([name, value]) => [
          "-c",
          `${name}=${value}`,
        ]),
      ].flat(),
    ).spawn();
    this.#process = child;
    let ended = false;
    const status = child.status.finally(() => ended = true);
    const deadline = performance.now() + START_TIMEOUT_MS;
    const ready = ["-q", "-h", HOST, "-p", String(this.#port)];
    const { path } = this.#programs;
    while (
      !(await command(
        this.#programs,
        this.#folder,
        path("pg_isready"),
        ready,
      ).output()).success
    ) {
      if (ended || performance.now() > deadline) {
        await this.stop("SIGKILL");
        await status;
        const log = await Deno.readTextFile(`${this.#folder}/log`);
        throw new Error(`Cannot start PostgreSQL:\n${log}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /**
   * Stops it, and waits for its end. `SIGQUIT` is what an administrator does in
   * an emergency: all connections break, and the next start is a recovery.
   */
  async stop(signal: "SIGINT" | "SIGQUIT" | "SIGKILL"): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined) return;
    try {
      child.kill(signal);
    } catch {
      // it has ended already
    }
    await child.status;
  }

  /** Stops it, and removes all it has stored. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGINT");
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** The programs of PostgreSQL, and as whom to run them. */
interface Programs {
  path(name: string): string;
  /** Whom to run them as; `undefined`: as ourselves. */
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
}

async function findPrograms(): Promise<Programs> {
  const versions: number[] = [];
  try {
    for await (const { name } of Deno.readDir(DEBIAN_FOLDER)) {
      if (/^\d+$/.test(name)) versions.push(Number(name));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const folder = versions.length === 0
    ? undefined
    : `${DEBIAN_FOLDER}/${Math.max(...versions)}/bin`;
  const path = (name: string) =>
    folder === undefined ? name : `${folder}/${name}`;
  try {
    await new Deno.Command(path("initdb"), { args: ["--version"] }).output();
  } catch {
    throw new Error(
      `Cannot start PostgreSQL: want its programs in ${DEBIAN_FOLDER}/*/bin or in the PATH (apt-get install postgresql): received no initdb`,
    );
  }
  // the server refuses to run as root
  if (Deno.uid() !== 0) return { path, user: undefined };
  const [uid, gid] = await Promise.all(["-u", "-g"].map(idOfPostgres));
  return { path, user: { uid: uid ?? NaN, gid: gid ?? NaN } };
}

async function idOfPostgres(flag: string): Promise<number> {
  const { success, stdout } = await new Deno.Command("id", {
    args: [flag, "postgres"],
  }).output();
  if (!success) {
    throw new Error(
      "Cannot start PostgreSQL: want a user named postgres, as it does not run as root (apt-get install postgresql): received none",
    );
  }
  return Number(new TextDecoder().decode(stdout));
}

function command(
  { user }: Programs,
  cwd: string,
  path: string,
  args: string[],
): Deno.Command {
  return new Deno.Command(path, {
    args,
    cwd,
    stdin: "null",
    stdout: "null",
    stderr: "null",
    ...user,
  });
}

async function run(
  programs: Programs,
  cwd: string,
  name: string,
  args: string[],
): Promise<void> {
  const path = programs.path(name);
  const { code } = await command(programs, cwd, path, args).output();
  if (code !== 0) {
    throw new Error(`Cannot start PostgreSQL: ${name} ended with code ${code}`);
  }
}

/** Finds a port; it stays the same when the server is started again. */
function freePort(): number {
  const listener = Deno.listen({ hostname: HOST, port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}
