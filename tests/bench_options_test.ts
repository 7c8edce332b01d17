/** The command lines of the benchmarks. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { BARE, OURS } from "../bench/_cases.ts";
import { chooseDriver, parseOptions } from "../bench/_options.ts";
import { parseStoresOptions } from "../bench/_stores_options.ts";
import { ROOT, stdArguments } from "../tools/std.ts";

Deno.test("parseOptions() takes the defaults of each mode", () => {
  const whole = parseOptions([]);
  assertEquals(whole.mode, "load");
  assertEquals(whole.connections, 64);
  assertEquals(whole.rounds, 3);
  assertEquals(whole.out, "bench/results");
  assertEquals(parseOptions(["--scale"]).sessions, 1_000_000);
  assertEquals(parseOptions(["--soak"]).requests, 1_000_000);
  assertEquals(parseOptions(["--startup"]).rounds, 20);
});

Deno.test("parseOptions() saves nothing when a run is not whole", () => {
  const partial = [
    ["--quick"],
    ["--cases=read"],
    ["--servers=bare"],
    ["--driver=own"],
    ["--rounds=1"],
    ["--seconds=2"],
    ["--scale", "--sessions=1000"],
    ["--scale", "--rounds=3"],
    ["--soak", "--requests=1000"],
    ["--soak", "--connections=1"],
  ];
  for (const args of partial) {
    assertEquals(parseOptions(args).out, undefined, args.join(" "));
  }
  assertEquals(parseOptions(["--quick", "--out=x"]).out, "x");
});

Deno.test("parseOptions() saves a whole run that is spelt out", () => {
  const whole = [
    ["--rounds=3", "--driver=wrk"],
    ["--scale", "--sessions=1000000"],
    ["--soak", "--requests=1000000"],
  ];
  for (const args of whole) {
    assertEquals(parseOptions(args).out, "bench/results", args.join(" "));
  }
});

Deno.test("parseOptions() completes the names of servers", () => {
  const { servers, cases } = parseOptions([
    "--servers=bare,@tessera/session",
    "--cases=read,hot",
  ]);

  assertEquals(servers, [BARE, OURS]);
  assertEquals(cases, ["read", "hot"]);
});

Deno.test("parseOptions() takes all servers whose names begin so", () => {
  const serversOf = (text: string) =>
    parseOptions([`--servers=${text}`]).servers;

  assertEquals(serversOf("Remix"), ["Remix session", "Remix in memory"]);
  assertEquals(serversOf("remix,Remix s"), [
    "Remix session",
    "Remix in memory",
  ]);
  assertEquals(serversOf("@tess"), [OURS, `${OURS} unbatched`]);
});

Deno.test("parseOptions() refuses what makes no sense", () => {
  const bad: [string[], string][] = [
    [["--rounds=0"], "--rounds must be an integer of 1 or more: received 0"],
    [["--seconds=x"], "--seconds must be an integer of 1 or more"],
    [["--servers=none"], "received none"],
    [["--cases="], "--cases must be of read, write"],
    [["--scale", "--soak"], "received scale and soak"],
    [["--nonsense"], "options that --help names: received --nonsense"],
    [["-x"], "options that --help names: received -x"],
    [["read"], "options that --help names: received read"],
    [["--rounds"], "--rounds must have a value, as in --rounds=N"],
    [["--quick=1"], "--quick must have no value: received 1"],
    [["--driver=own,wrk"], "--driver must be wrk or own: received own,wrk"],
    [["--out="], "--out must be a folder: received an empty name"],
  ];
  for (const [args, text] of bad) {
    assertThrows(() => parseOptions(args), Error, text);
  }
});

Deno.test("chooseDriver() takes wrk if it is there, and what is asked for", () => {
  const choose = (args: string[], wrk?: string) =>
    chooseDriver(parseOptions(args), wrk);

  assertEquals(choose([], "4.2.0"), "wrk");
  assertEquals(choose([]), "own");
  assertEquals(choose(["--driver=own"], "4.2.0"), "own");
  assertThrows(
    () => choose(["--driver=wrk"]),
    TypeError,
    "--driver=wrk must find wrk in the PATH: received none",
  );
});

Deno.test("parseStoresOptions() saves whole runs only", () => {
  const outOf = (...args: string[]) => parseStoresOptions(args).out;

  assertEquals(outOf(), "bench/results");
  assertEquals(outOf("--sessions=10000"), "bench/results");
  assertEquals(outOf("--sessions=1000"), undefined);
  assertEquals(outOf("--rounds=1"), undefined);
  assertEquals(outOf("--seconds=0.1"), undefined);
  assertEquals(outOf("--engines=redis"), undefined);
  assertEquals(outOf("--quick"), undefined);
  assertEquals(outOf("--quick", "--out=x"), "x");
});

Deno.test("parseStoresOptions() refuses what makes no sense", () => {
  const bad: [string, string][] = [
    ["--sessions=199", "--sessions must be an integer of 200 or more"],
    ["--seconds=0", "--seconds must be more than 0, and 3600 or less"],
    ["--engines=oracle", "KV file, denokv, Redis, PostgreSQL: received oracle"],
    ["--nonsense", "received --nonsense"],
  ];
  for (const [arg, text] of bad) {
    assertThrows(() => parseStoresOptions([arg]), Error, text);
  }
});

for (const program of ["bench/main.ts", "bench/stores.ts"]) {
  Deno.test(`${program} prints its usage, which README.md explains`, async () => {
    const readme = await Deno.readTextFile(new URL("bench/README.md", ROOT));
    for (const flag of ["--help", "-h"]) {
      const { code, stdout, stderr } = await run(program, flag);

      assertEquals({ code, stderr }, { code: 0, stderr: "" });
      const options = stdout.match(/^ {2}--[a-z]+/gm) ?? [];
      assert(options.length > 5, stdout);
      for (const option of options) {
        assert(readme.includes(`\`${option.trim()}`), option);
      }
    }
  });

  Deno.test(`${program} refuses what makes no sense in one line`, async () => {
    for (const bad of ["--nonsense", "--rounds=0", "--out=deno.json"]) {
      const { code, stdout, stderr } = await run(program, bad);

      assertEquals({ code, stdout }, { code: 2, stdout: "" });
      assertEquals(stderr.split("\n").length, 2, stderr);
      assert(stderr.startsWith("Cannot run benchmarks: "), stderr);
    }
  });
}

/** Runs one of the programs with an option. */
async function run(program: string, arg: string) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      "--unstable-kv",
      ...await stdArguments(),
      program,
      arg,
    ],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}
