/** Servers of a load run that hang, and that die: the rest go on. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { raceIncrements } from "../bench/_concurrency.ts";
import { Contest } from "../bench/_contest.ts";
import { drive } from "../bench/_driver.ts";
import { load } from "../bench/_load.ts";
import { beginSessions, visit } from "../bench/_visits.ts";
import { fakeServer, printed, SHORT } from "./_bench.ts";

const READ = { path: "/read", cookie: "" };
/** How long a server is waited for that hangs. */
const GRACE_MS = 50;
/** How long a server is waited for beside others, which are not to seem to hang. */
const LONGER_GRACE_MS = 500;

Deno.test("drive() throws when an answer does not come", async () => {
  await using fake = fakeServer("hangs");
  fake.hang();
  const plan = { requests: [READ], connections: 2, seconds: 0 };

  await assertRejects(
    () => drive({ ...plan, origin: fake.server.origin, graceMs: GRACE_MS }),
    Error,
    "want the last answers within 50 ms: received none",
  );
});

Deno.test("drive() counts connections that break as errors", async () => {
  let count = 0;
  await using fake = fakeServer("dies", () => {
    if (++count === 10) fake.die();
  });
  const { origin } = fake.server;
  const plan = { origin, requests: [READ], connections: 2, seconds: 10 };

  const { requests, errors } = await drive(plan);

  assertEquals(errors, 2);
  assert(requests > 0);
});

Deno.test("visit() and beginSessions() throw when an answer does not come", async () => {
  await using fake = fakeServer("hangs");
  fake.hang();
  const { origin } = fake.server;
  const options = { timeoutMs: GRACE_MS };

  await assertRejects(() => visit(origin, READ, options), DOMException);
  await assertRejects(
    () => beginSessions(origin, 1, "", options),
    DOMException,
  );
});

Deno.test("load() drops a server that hangs, and measures the rest", async () => {
  await using first = fakeServer("first");
  await using hangs = fakeServer("hangs", (path) => {
    if (path === "/write") hangs.hang();
  });
  await using last = fakeServer("last");
  const contest = new Contest([first.server, hangs.server, last.server]);

  const { value: samples, lines } = await printed(() =>
    load(contest, SHORT, { folder: "", graceMs: LONGER_GRACE_MS })
  );

  assertEquals(samples.map((sample) => `${sample.case} ${sample.server}`), [
    "read first",
    "read last",
    "write first",
    "write last",
  ]);
  const during = "warming up";
  const reason =
    "Cannot measure: want the last answers within 500 ms: received none";
  assertEquals(contest.dropped, [{ name: "hangs", during, reason }]);
  assertEquals(contest.running, [first.server, last.server]);
  assert(lines.includes(`dropped  hangs: ${during}: ${reason}`));
});

Deno.test("load() drops a server that dies, and keeps what was measured", async () => {
  let warm = false;
  await using dies = fakeServer("dies");
  await using last = fakeServer("last", (path) => {
    if (path === "/write") warm = true;
    else if (warm) dies.die();
  });
  const contest = new Contest([dies.server, last.server]);

  const { value: samples } = await printed(() =>
    load(contest, { ...SHORT, rounds: 2 }, { folder: "" })
  );

  assertEquals(samples.map((sample) => `${sample.case} ${sample.server}`), [
    "read dies",
    "read last",
    "write last",
    "read last",
    "write last",
  ]);
  assertEquals(contest.dropped, [{
    name: "dies",
    during: "write, round 1",
    reason: "Cannot measure: want answers: received none",
  }]);
});

Deno.test("raceIncrements() drops a server that dies, and goes on", async () => {
  await using dies = fakeServer("dies", (path) => {
    if (path === "/increment") dies.die();
  });
  await using last = fakeServer("last");
  const contest = new Contest([dies.server, last.server]);

  const { value: survivals } = await printed(() => raceIncrements(contest));

  assertEquals(survivals, [{ server: "last", answered: 200, survived: 0 }]);
  assertEquals(
    contest.dropped.map(({ name, during }) => ({ name, during })),
    [{ name: "dies", during: "200 increments at once" }],
  );
});
