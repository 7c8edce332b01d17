import { assertEquals, assertThrows } from "@std/assert";
import { BARE, OURS } from "../bench/_cases.ts";
import { parseOptions } from "../bench/_options.ts";

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
  for (const args of [["--quick"], ["--cases=read"], ["--servers=bare"]]) {
    assertEquals(parseOptions(args).out, undefined);
  }
  assertEquals(parseOptions(["--quick", "--out=x"]).out, "x");
});

Deno.test("parseOptions() completes the names of servers", () => {
  const { servers, cases } = parseOptions([
    "--servers=bare,@tessera/session",
    "--cases=read,hot",
  ]);

  assertEquals(servers, [BARE, OURS]);
  assertEquals(cases, ["read", "hot"]);
});

Deno.test("parseOptions() refuses what makes no sense", () => {
  const bad: [string[], string][] = [
    [["--rounds=0"], "--rounds must be an integer of 1 or more: received 0"],
    [["--seconds=x"], "--seconds must be an integer of 1 or more"],
    [["--servers=none"], "received none"],
    [["--cases="], "--cases must be of read, write"],
    [["--scale", "--soak"], "received scale and soak"],
    [["--nonsense"], "--nonsense"],
  ];
  for (const [args, text] of bad) {
    assertThrows(() => parseOptions(args), Error, text);
  }
});
