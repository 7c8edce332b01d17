/**
 * What a process knows of the stateless sessions that it has changed or ended.
 */

import { assert, assertEquals } from "@std/assert";
import {
  cookieTransport,
  headerTransport,
  SessionManager,
} from "@tessera/session";
import { IssuedTokens } from "../src/_stateless_issued.ts";
import { COOKIE, get, key } from "./_helpers.ts";
import { DAY, Process } from "./_stateless_process.ts";

Deno.test("a stateless token that others have replaced leads to the newest state, which is handed out again", async () => {
  const one = new Process();
  const first = await one.signIn();
  const second = await one.visit(first, (session) => session.set("n", 1));
  const third = await one.visit(second, (session) => session.set("m", 2));
  for (const old of [first, second]) {
    assertEquals(await one.visit(old), third);
    assertEquals(await one.read(old), { n: 1, m: 2 });
  }
  const session = await one.begin(third);
  assertEquals(await one.end(session), "");
  // a write to an old one is a write to the newest
  const fourth = await one.visit(first, (session) => session.set("l", 3));
  assertEquals(await one.read(fourth), { n: 1, m: 2, l: 3 });
  assertEquals(one.events(), []);
});

Deno.test("a stateless token does not live on by what others made of its session", async () => {
  const one = new Process({ idleTimeout: DAY });
  const first = await one.signIn();
  one.clock.advance({ hours: 23 });
  const second = await one.visit(first);
  assert(second !== first);
  one.clock.advance({ hours: 1 });
  assertEquals(await one.read(first), undefined);
  assertEquals(one.events(), ["refused idle-timeout"]);
  assertEquals(await one.read(second), {});
});

Deno.test("a stateless request that outlives its token writes to what others have used since", async () => {
  const one = new Process({ idleTimeout: DAY });
  const token = await one.signIn();
  const slow = await one.begin(token);
  slow.set("late", 1);
  one.clock.advance({ hours: 23 });
  await one.visit(token);
  one.clock.advance({ hours: 23 });
  assertEquals(await one.read(await one.end(slow)), { late: 1 });
});

Deno.test("a stateless request that began in time keeps its session alive", async () => {
  const one = new Process({ idleTimeout: DAY });
  const token = await one.signIn();
  one.clock.advance({ hours: 23 });
  const slow = await one.begin(token);
  slow.set("late", 1);
  one.clock.advance({ hours: 2 });
  assertEquals(await one.read(await one.end(slow)), { late: 1 });
});

Deno.test("a stateless token is refused after its logout or login, however it comes back", async () => {
  const one = new Process();
  const first = await one.visit("", (session) => session.set("n", 1));
  const older = await one.visit(first, (session) => session.set("n", 2));
  const login = await one.visit(older, (session) => session.login("ada"));
  one.events();
  for (const token of [first, older]) {
    assertEquals(await one.read(token), undefined);
    assertEquals(one.events(), ["refused rotated"]);
  }
  await one.visit(login, (session) => session.logout());
  one.events();
  const session = await one.begin(login);
  assert(session.isNew && session.subject === undefined);
  assertEquals(await one.end(session), "");
  assertEquals(one.events(), ["refused logout"]);
});

Deno.test("a regenerated stateless session is reached by its old token for the grace, and not after it", async () => {
  const one = new Process({ rotationGrace: { seconds: 10 } });
  const token = await one.signIn();
  const [slow, slower] = [await one.begin(token), await one.begin(token)];
  const moved = await one.visit(token, (session) => session.regenerate());
  one.events();
  one.clock.advance({ milliseconds: 9_999 });
  slow.set("slow", 1);
  const written = await one.end(slow);
  const { id } = await one.begin(moved);
  assertEquals((await one.begin(written)).id, id);
  assertEquals(await one.visit(token), written);
  assertEquals(await one.read(token), { slow: 1 });
  one.clock.advance({ milliseconds: 1 });
  assertEquals(await one.read(token), undefined);
  assertEquals(one.events(), ["refused unknown"]);
  // who had loaded it before comes in time
  slower.set("slower", 1);
  const newest = await one.end(slower);
  assertEquals(one.events(), []);
  assertEquals(await one.read(newest), { slow: 1, slower: 1 });
  assertEquals(await one.read(moved), { slow: 1, slower: 1 });
});

Deno.test("a logout by the old token ends a regenerated stateless session", async () => {
  const one = new Process();
  const token = await one.signIn();
  const moved = await one.visit(token, (session) => session.regenerate());
  await one.visit(token, (session) => session.logout());
  one.events();
  for (const sent of [token, moved]) {
    assertEquals(await one.read(sent), undefined);
    assertEquals(one.events(), ["refused logout"]);
  }
});

Deno.test("of what two processes made of a stateless session the client decides", async () => {
  const [one, two] = [new Process(), new Process()];
  const first = await one.signIn();
  const here = await one.visit(first, (session) => session.set("here", 1));
  const there = await two.visit(first, (session) => session.set("there", 1));
  assertEquals(await one.read(there), { there: 1 });
  assertEquals(await two.read(here), { here: 1 });
  const both = await one.visit(there, (session) => session.set("both", 1));
  assertEquals(await one.read(both), { there: 1, both: 1 });
  // what has been built upon is known from now on
  assertEquals(await one.read(there), { there: 1, both: 1 });
  // and of what ended elsewhere nothing is known
  await two.visit(both, (session) => session.logout());
  assertEquals(await two.read(both), undefined);
  assertEquals(await one.read(both), { there: 1, both: 1 });
});

Deno.test("R9 two different stateless tokens under one name are none, in whatever order", async () => {
  const one = new Process({ idleTimeout: DAY });
  const first = await one.signIn();
  const second = await one.visit(first, (session) => session.set("n", 1));
  const another = await one.signIn();
  const load = async (...tokens: string[]) => {
    one.events();
    const cookies = tokens.map((token) => `${COOKIE}=${token}`);
    const session = await one.sessions.load(get(cookies.join("; ")));
    return [session.isNew ? undefined : session.get("n"), ...one.events()];
  };
  const none = [undefined, "refused duplicate"];
  for (const other of [first, another]) {
    assertEquals(await load(second, other), none);
    assertEquals(await load(other, second), none);
    assertEquals(await load(other, second, other), none);
    // nor where nothing is known of them
    const elsewhere = new Process({}, one.clock);
    const cookie = `${COOKIE}=${second}; ${COOKIE}=${other}`;
    assert((await elsewhere.sessions.load(get(cookie))).isNew);
    assertEquals(elsewhere.events(), ["refused duplicate"]);
  }
  assertEquals(await load(second, second), [1]);
  assertEquals(await load("x", second), [1, "refused malformed"]);
  // one that has ended is none
  await one.visit(another, (session) => session.logout());
  assertEquals(await load(another, second), [1, "refused logout"]);
});

Deno.test("of stateless tokens on several ways the first way wins", async () => {
  const transport = [headerTransport(), cookieTransport()];
  const one = new Process({ transport });
  const token = await new Process({}, one.clock).signIn();
  const byHeader = new SessionManager({
    stateless: true,
    secrets: [key("a")],
    clock: one.clock.now,
    transport: headerTransport(),
  });
  const response = await byHeader.handle(get(), (session) => {
    session.login("eve");
    return new Response();
  });
  const headers = {
    cookie: `${COOKIE}=${token}`,
    "x-session": response.headers.get("x-session") ?? "",
  };
  const request = new Request("https://example.com/", { headers });
  const session = await one.sessions.load(request);
  assertEquals([session.subject, one.events()], ["eve", []]);
});

Deno.test("a stateless token grows by nothing, however often it is replaced", async () => {
  const one = new Process();
  const first = await one.visit("", (session) => session.set("n", 1));
  let token = first;
  for (let count = 0; count < 100; count++) {
    token = await one.visit(token, (session) => session.set("n", 1));
  }
  assert(token !== first);
  assertEquals(token.length, first.length);
});

Deno.test("IssuedTokens forgets sessions, tokens and ends that were not used for long", () => {
  const issued = new IssuedTokens();
  const token = (id: string, version: string) => ({ id, version, token: "" });
  const newest = (id: string, version: string) =>
    issued.newestFor({ id, version }, 0);
  issued.issue(token("a", "a2"), { id: "a", version: "a1" });
  issued.end("b", "logout");
  assertEquals(newest("a", "a1"), token("a", "a2"));
  assertEquals(newest("a", "of another process"), undefined);
  assertEquals(newest("b", "b1"), { missing: "logout", id: "b" });
  for (let count = 0; count < 2_001; count++) {
    issued.issue(token(`${count}`, `${count}`));
  }
  assertEquals(newest("a", "a1"), undefined);
  assertEquals(newest("2000", "2000"), token("2000", "2000"));
  assertEquals(newest("b", "b1"), { missing: "logout", id: "b" });
  for (let count = 0; count < 20_001; count++) issued.end(`${count}`, "logout");
  assertEquals(newest("b", "b1"), undefined);
  // with its new id forgotten, a session is where it was for the grace, and no longer
  const move = { reason: "unknown", until: 1 } as const;
  issued.issue(token("d", "d1"), { id: "c", version: "c1" }, move);
  for (let count = 0; count < 2_001; count++) {
    issued.issue(token(`e${count}`, `e${count}`));
  }
  assertEquals(newest("c", "c1"), undefined);
  const late = { id: "c", version: "c1" };
  const gone = { missing: "unknown" as const, id: "c" };
  assertEquals(issued.newestFor(late, 1), gone);
  assertEquals(issued.newestFor(late, 1, true), { ...gone, id: "d" });
});
