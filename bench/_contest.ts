// deno-lint-ignore-file no-console
/**
 * The servers of a run, and which of them are still in it.
 *
 * @module
 */

/** A server that failed, and was measured no further. */
export interface DroppedServer {
  /** Its name. */
  readonly name: string;
  /** What it failed at. */
  readonly during: string;
  /** How. */
  readonly reason: string;
}

/** Servers that are measured; one that fails drops out, and the rest go on. */
export class Contest<Server extends { readonly name: string }> {
  /** Those that dropped out, in this order. */
  readonly dropped: DroppedServer[] = [];
  readonly #servers: Set<Server>;

  /** Constructs a contest of all these servers. */
  constructor(servers: Iterable<Server>) {
    this.#servers = new Set(servers);
  }

  /** Those that have not dropped out, as of now. */
  get running(): readonly Server[] {
    return [...this.#servers];
  }

  /**
   * Has a server do something, and drops it if that fails.
   *
   * @param server The server.
   * @param during What it is to do, for the report.
   * @param run Does it.
   * @returns What it came to, or `undefined` if it failed.
   */
  async attempt<T>(
    server: Server,
    during: string,
    run: () => Promise<T>,
  ): Promise<T | undefined> {
    try {
      return await run();
    } catch (error) {
      const { name } = server;
      const reason = (error as Error).message.trim().replaceAll(/\s+/g, " ");
      this.#servers.delete(server);
      this.dropped.push({ name, during, reason });
      console.log(`dropped  ${name}: ${during}: ${reason}`);
      return undefined;
    }
  }
}
