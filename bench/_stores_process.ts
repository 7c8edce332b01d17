/**
 * Starts the processes that share a store, and tells them what to do.
 *
 * @module
 */

import { ROOT, stdArguments } from "../tools/std.ts";
import type { Command } from "./_stores_cases.ts";

/** A process that has a store open. */
export class StoresProcess implements AsyncDisposable {
  /** The id of the process. */
  readonly pid: number;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #answers: AsyncIterator<string>;

  private constructor(child: Deno.ChildProcess) {
    this.pid = child.pid;
    this.#child = child;
    this.#input = child.stdin.getWriter();
    this.#answers = linesOf(child.stdout);
  }

  /**
   * Starts a process.
   *
   * @param address The address of the store.
   * @param number A number that no other process has.
   * @param env Environment variables to set.
   */
  static async start(
    address: string,
    number: number,
    env: Readonly<Record<string, string>>,
  ): Promise<StoresProcess> {
    const program = "bench/_stores_child.ts";
    const flags = ["-A", "--no-check", "--unstable-kv"];
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        ...await stdArguments(),
        ...[...flags, program, address, String(number)],
      ],
      cwd: ROOT,
      env: { NO_COLOR: "1", ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    return new StoresProcess(child);
  }

  /**
   * Has it do something, and resolves to its answer.
   *
   * @throws {Error} If it ends instead.
   */
  async ask<Answer>(command: Command): Promise<Answer> {
    const line = `${JSON.stringify(command)}\n`;
    await this.#input.write(new TextEncoder().encode(line));
    const { done, value } = await this.#answers.next();
    if (done) {
      throw new Error(
        `Cannot measure: want an answer to "${command.do}": received the end of the process`,
      );
    }
    return JSON.parse(value);
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // it has ended already
    }
    await this.#child.status;
    await this.#input.abort().catch(() => {});
    await this.#answers.return?.();
  }
}

async function* linesOf(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
