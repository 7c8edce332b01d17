import { assert, assertEquals } from "@std/assert";
import type { Session } from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { tokenOf } from "./_helpers.ts";
import {
  cookies,
  read,
  start,
  suspend,
  testRaces,
  times,
  together,
  use,
} from "./_races.ts";

const login = (session: Session) => session.login("alice");
const regenerate = (session: Session) => session.regenerate();

/** The tokens that responses set, without those that set none. */
function tokensOf(responses: readonly Response[]): string[] {
  return responses.filter((response) => cookies(response).length > 0)
    .map((response) => tokenOf(response));
}

testRaces(
  "R5 20 parallel logins on one session: each is signed in, one takes the data along, the old id is dead",
  async (race) => {
    const managers = [race.manager(), race.manager()];
    const [manager = race.manager()] = managers;
    const token = await start(manager, (session) => session.set("cart", ["x"]));
    const responses = await together(
      managers.flatMap((one) => times(10, one, token, login)),
    );

    const tokens = tokensOf(responses);
    assertEquals(new Set(tokens).size, 20);
    const data: unknown[] = [];
    for (const one of tokens) {
      await use(manager, one, (session) => {
        assertEquals(session.subject, "alice");
      });
      data.push((await read(manager, one))?.cart);
    }
    assertEquals(data.filter((cart) => cart !== undefined), [["x"]]);
    assertEquals(await read(manager, token), undefined);
    assertEquals(await race.store.get(token.slice(0, 26)), undefined);
    assertEquals((await race.store.dump()).length, 20);
    const events = race.takeEvents();
    assertEquals(events.filter((one) => one === "login").length, 20);
    assertEquals(events.filter((one) => one === "ended rotated").length, 1);
  },
);

testRaces(
  "R5 20 parallel logins with a limit of 3 leave 3 sessions, and no half of one",
  async (race) => {
    const manager = race.manager({ maxSessionsPerSubject: 3 });
    const token = await start(manager);
    const tokens = tokensOf(await together(times(20, manager, token, login)));
    assertEquals(tokens.length, 20);
    const alive: string[] = [];
    for (const one of tokens) {
      if (await read(manager, one) !== undefined) alive.push(one.slice(0, 26));
    }
    assertEquals(alive.length, 3);
    const stored = (await race.store.dump()).map(({ id }) => id);
    assertEquals(alive.sort(), stored.sort());
  },
);

testRaces(
  "a login ends the oldest sessions, and never its own, though all sign in at one moment",
  async (race) => {
    const manager = race.manager({
      clock: () => 1_900_000_000_000,
      maxSessionsPerSubject: 2,
    });
    const tokens: string[] = [];
    for (let n = 0; n < 12; n++) {
      tokens.push(await start(manager, login));
      const alive: boolean[] = [];
      for (const token of tokens) {
        alive.push(await read(manager, token) !== undefined);
      }
      const latest = tokens.map((_, index) => index > n - 2);
      assertEquals(alive, latest, `after login ${n}`);
    }
  },
);

testRaces(
  "R5 rotation is one commit: a store that stops at any call leaves the old session or the new one",
  async (race) => {
    for (const rotate of [login, regenerate]) {
      const manager = race.manager();
      const token = await start(manager);
      race.store.reset();
      const rotated = tokenOf(await use(manager, token, rotate));
      const [commit] = race.store.commits;
      assertEquals(race.store.commits.length, 1);
      assert(commit !== undefined);
      // what takes the old id away brings the new one, under a check of the old
      const [id, next] = [token.slice(0, 26), rotated.slice(0, 26)];
      assertEquals(commit.check.map((one) => one.id), [id, next]);
      assert(commit.put.some((put) => put.id === next));
      const leaves = [...commit.put, ...commit.delete];
      assert(leaves.some((one) => one.id === id));
    }
  },
);

testRaces(
  "what a regenerate leaves behind is indexed like the session, and goes with its grace",
  async (race) => {
    const manager = race.manager({ rotationGrace: 3_000 });
    const token = await start(manager, login);
    race.store.reset();
    const rotated = tokenOf(await use(manager, token, regenerate));
    const [commit] = race.store.commits;
    const put = commit?.put.map(({ id, subject, expireIn }) =>
      [id, subject, expireIn <= 3_000] as const
    );
    assertEquals(put, [
      [rotated.slice(0, 26), "alice", false],
      [token.slice(0, 26), "alice", true],
    ]);
    const ids: string[] = [];
    for await (const { id } of race.store.list({ subject: "alice" })) {
      ids.push(id);
    }
    assertEquals(ids.sort(), put?.map(([id]) => id).sort());
  },
);

testRaces(
  "R6 an id planted before the login never sees the user",
  async (race) => {
    const manager = race.manager();
    const planted = await start(manager, (session) => session.set("bait", 1));
    const seen: unknown[] = [];
    const poll = () =>
      use(manager, planted, (session) => {
        seen.push(session.subject, session.get("secret"));
      });
    // the attacker asks before, in the middle of, and after everything
    let polls: Promise<unknown>[] = [];
    race.store.onCommit = async (call) => {
      polls.push(poll());
      const result = await call();
      polls.push(poll());
      return result;
    };
    const waiting = await suspend(manager, planted, (session) => {
      seen.push(session.subject, session.get("secret"));
      session.set("more bait", 1);
    });
    const response = await use(manager, planted, (session) => {
      session.set("secret", 42);
      session.login("victim");
    });
    polls.push(poll());
    const late = await waiting.resume();
    polls = await Promise.all(polls).then(() => []);
    race.store.onCommit = undefined;

    assertEquals(seen.filter((one) => one !== undefined), []);
    assertEquals(cookies(late), []);
    assertEquals(await read(manager, planted), undefined);
    assertEquals(await read(manager, tokenOf(response)), {
      bait: 1,
      secret: 42,
    });
  },
);

testRaces(
  "20 parallel regenerates are one: all are handed the same token, and all writes are there",
  async (race) => {
    const managers = [race.manager(), race.manager()];
    const [manager = race.manager()] = managers;
    const token = await start(manager, (session) => session.set("n", 0));
    const responses = await together(
      managers.flatMap((one, half) =>
        times(10, one, token, (session, index) => {
          session.update<number>("n", (n = 0) => n + 1);
          session.set(`key ${half * 10 + index}`, 1);
          session.regenerate();
        })
      ),
    );
    const tokens = tokensOf(responses);
    assertEquals(tokens.length, 20);
    assertEquals(new Set(tokens).size, 1);
    assert(tokens[0] !== token);
    const data = await read(manager, tokens[0] ?? "") ?? {};
    assertEquals(data.n, 20);
    assertEquals(Object.keys(data).length, 21);
    assertEquals(
      race.takeEvents().filter((one) => one === "regenerated").length,
      1,
    );
    assertEquals((await Array.fromAsync(manager.list())).length, 1);
  },
);

testRaces(
  "20 requests with the old id that regenerate within the grace join the one before",
  async (race) => {
    const manager = race.manager();
    const token = await start(manager);
    const rotated = tokenOf(await use(manager, token, regenerate));
    race.takeEvents();
    const responses = await together(
      times(20, manager, token, (session, index) => {
        session.set(`key ${index}`, 1);
        session.regenerate();
      }),
    );
    assertEquals(new Set(tokensOf(responses)), new Set([rotated]));
    assertEquals(race.takeEvents().includes("regenerated"), false);
    assertEquals(
      Object.keys(await read(manager, rotated) ?? {}).length,
      21,
    );
  },
);

testRaces(
  "a request in flight during a regenerate writes into the new session, and is handed its token once",
  async (race) => {
    const [manager, other] = [race.manager(), race.manager()];
    for (const late of [manager, other]) {
      const token = await start(manager, (session) => session.set("n", 1));
      const writer = await suspend(late, token, (session) => {
        session.set("late", session.get("n"));
      });
      const reader = await suspend(late, token, (session) => session.get("n"));
      const rotated = tokenOf(await use(manager, token, regenerate));
      const response = await writer.resume();
      assertEquals(tokensOf([response]), [rotated]);
      assertEquals(await read(late, rotated), { n: 1, late: 1 });
      // one that only reads has nothing to say: its client was told already
      assertEquals(cookies(await reader.resume()), []);
      // with the new token there is nothing new to be told
      const next = await use(late, rotated, (one) => one.set("n", 2));
      assertEquals(cookies(next), []);
    }
  },
);

testRaces(
  "a replaced id leads to its session for the grace, and not a moment longer",
  async (race) => {
    const clock = new TestClock();
    const manager = race.manager({
      clock: clock.now,
      rotationGrace: { seconds: 3 },
    });
    const token = await start(manager, (session) => session.set("n", 1));
    const rotated = tokenOf(await use(manager, token, regenerate));
    clock.advance(2_999);
    const forwarded = await use(manager, token, (session) => {
      assertEquals(session.id, rotated.slice(0, 26));
      session.set("n", 2);
    });
    assertEquals(tokensOf([forwarded]), [rotated]);
    clock.advance(1);
    assertEquals(await read(manager, token), undefined);
    assertEquals(await read(manager, rotated), { n: 2 });
  },
);

testRaces(
  "without a grace the old id is dead at once, and late requests are dropped",
  async (race) => {
    const manager = race.manager({ rotationGrace: 0 });
    const token = await start(manager);
    const late = await suspend(manager, token, (one) => one.set("late", 1));
    const rotated = tokenOf(await use(manager, token, regenerate));
    assertEquals(cookies(await late.resume()), []);
    assertEquals(await read(manager, token), undefined);
    assertEquals(await read(manager, rotated), { here: 1 });
  },
);

testRaces(
  "a chain of regenerates leads every old id to the newest, whose end ends them all",
  async (race) => {
    const [manager, other] = [race.manager(), race.manager()];
    for (const end of ["revoke", "destroy", "login"]) {
      const tokens = [await start(manager, (one) => one.set("n", 0))];
      const waiting = await suspend(manager, tokens[0] ?? "", (session) => {
        session.set("late", 1);
      });
      for (let n = 0; n < 5; n++) {
        const response = await use(manager, tokens[n] ?? "", regenerate);
        tokens.push(tokenOf(response));
      }
      assertEquals(new Set(tokens).size, 6);
      const [oldest = "", newest = ""] = [tokens[0], tokens.at(-1)];
      assertEquals(tokensOf([await waiting.resume()]), [newest]);
      for (const token of tokens) {
        assertEquals(await read(other, token), { n: 0, late: 1 });
      }
      assertEquals((await Array.fromAsync(manager.list())).length, 1);

      if (end === "revoke") {
        assertEquals(await other.revoke(oldest.slice(0, 26)), true);
      } else if (end === "destroy") {
        const ended = await use(other, oldest, (session) => session.destroy());
        assertEquals(cookies(ended).length, 1);
      } else {
        const [signedIn = ""] = tokensOf([await use(other, oldest, login)]);
        assertEquals(await read(manager, signedIn), { n: 0, late: 1 });
        assert(await manager.revoke(signedIn.slice(0, 26)));
      }
      for (const token of tokens) {
        assertEquals(await read(manager, token), undefined);
        assertEquals(await manager.get(token.slice(0, 26)), undefined);
      }
      assertEquals(await race.store.dump(), []);
    }
  },
);
