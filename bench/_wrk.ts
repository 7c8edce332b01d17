/**
 * wrk as the driver: its script takes the requests from a file.
 *
 * @module
 */

import { type DriveOptions, type DriveResult, GRACE_MS } from "./_driver.ts";
import { run } from "./_install.ts";

/** Sends the requests of a file, each line a path and a cookie, over and over. */
const SCRIPT = `
local messages = {}
local index = 0

function init(args)
  for line in io.lines(args[1]) do
    local path, cookie = line:match("^(%S+)\\t(.*)$")
    local headers = {}
    if cookie ~= "" then headers["Cookie"] = cookie end
    messages[#messages + 1] = wrk.format("GET", path, headers)
  end
end

function request()
  index = index % #messages + 1
  return messages[index]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\\nRESULT {"requests":%d,"seconds":%f,"p50":%f,"p99":%f,"errors":%d}\\n',
    summary.requests,
    summary.duration / 1e6,
    latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout
  ))
end
`;

/** Returns the version of wrk, or `undefined` if there is none here. */
export async function wrkVersion(): Promise<string | undefined> {
  // it shows its version, and ends with an error for want of an address
  const output = await run("sh", ["-c", "wrk --version 2>&1 || true"]);
  return output?.match(/^wrk (?:debian\/)?(\S+)/)?.[1];
}

/** Drives with wrk, out of a folder of its own. */
export class Wrk {
  readonly #folder: string;

  /**
   * Constructs a driver.
   *
   * @param folder A temporary folder, which is somebody else's to remove.
   */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Sends requests for a while: whole seconds.
   *
   * @param options What to send, and how.
   * @returns What came of it.
   * @throws {Error} If wrk fails: it cannot connect, or does not end in time.
   */
  async drive(options: DriveOptions): Promise<DriveResult> {
    const { graceMs = GRACE_MS } = options;
    const seconds = Math.max(1, Math.round(options.seconds));
    const script = `${this.#folder}/requests.lua`;
    const file = `${this.#folder}/requests.txt`;
    await Deno.writeTextFile(script, SCRIPT);
    await Deno.writeTextFile(
      file,
      options.requests.map(({ path, cookie }) => `${path}\t${cookie}\n`)
        .join(""),
    );
    const { code, stdout, stderr } = await new Deno.Command("wrk", {
      args: [
        "-t1", // the server needs the other cores
        `-c${options.connections}`,
        `-d${seconds}s`,
        "-s",
        script,
        options.origin,
        "--",
        file,
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      signal: AbortSignal.timeout(seconds * 1_000 + graceMs),
    }).output();
    const text = new TextDecoder().decode(stdout);
    const json = text.match(/^RESULT (.+)$/m)?.[1];
    if (code !== 0 || json === undefined) {
      throw new Error(
        `Cannot measure: wrk must report a result: received code ${code}: ${text}${
          new TextDecoder().decode(stderr)
        }`,
      );
    }
    const { seconds: elapsed, ...result } = JSON.parse(json);
    return { ...result, rate: result.requests / elapsed };
  }
}
