import { assert, assertEquals } from "@std/assert";
import type { Session, SessionManager } from "@tessera/session";
import { TestClient } from "@tessera/session/testing";
import { COOKIE, tokenOf } from "./_helpers.ts";
import {
  cookies,
  read,
  start,
  suspend,
  testRaces,
  together,
  use,
} from "./_races.ts";

const login = (session: Session) => session.login("alice");
const regenerate = (session: Session) => session.regenerate();

/** What a late request may do with an id that a login has replaced. */
const LATE: Record<string, (session: Session) => void> = {
  reads: (session) => void session.get("n"),
  writes: (session) => session.set("late", 1),
  regenerates: regenerate,
  destroys: (session) => session.destroy(),
  persists: (session) => session.persist(false),
};

for (const [name, late] of Object.entries(LATE)) {
  testRaces(
    `a late request that ${name} neither clears nor replaces the cookie of a login`,
    async (race) => {
      const [manager, other] = [race.manager(), race.manager()];
      for (const forwarded of [false, true]) {
        for (const slow of [manager, other]) {
          const client = new TestClient((request) =>
            manager.handle(request, (session) => {
              if (request.url.endsWith("/start")) session.set("n", 1);
              if (request.url.endsWith("/regenerate")) session.regenerate();
              if (request.url.endsWith("/login")) session.login("alice");
              return new Response(session.subject);
            })
          );
          await client.get("/start");
          const token = client.cookie(COOKIE)?.value ?? "";
          if (forwarded) await client.get("/regenerate");
          const waiting = await suspend(slow, token, late);
          await client.get("/login");
          const before = client.cookie(COOKIE)?.value;
          // it arrives after the login's response did
          assertEquals(cookies(await waiting.resume()), []);
          // and one that starts now is anonymous, and is told nothing either
          const next = await use(slow, token, (session) => {
            assert(session.isNew);
            session.get("n");
          });
          assertEquals(cookies(next), []);
          assertEquals(await (await client.get("/")).text(), "alice");
          assertEquals(client.cookie(COOKIE)?.value, before);
        }
      }
    },
  );
}

testRaces(
  "a late request signed with an older key does not bring the old token back",
  async (race) => {
    const [old, young] = ["old", "young"].map((one) => one.repeat(11));
    const before = race.manager({ secrets: [old ?? ""] });
    const after = race.manager({ secrets: [young ?? "", old ?? ""] });
    const token = await start(before);
    const waiting = await suspend(after, token, () => {});
    const rotated = tokenOf(await use(after, token, login));
    assertEquals(cookies(await waiting.resume()), []);
    assertEquals(await read(after, rotated), { here: 1 });
  },
);

testRaces(
  "a late write does not reach the session that a login as the same subject began",
  async (race) => {
    const [manager, other] = [race.manager(), race.manager()];
    const token = await start(manager, login);
    const waiting = await suspend(manager, token, (one) => one.set("late", 1));
    const next = tokenOf(await use(other, token, login));
    assertEquals(cookies(await waiting.resume()), []);
    assertEquals(await read(manager, next), {});
  },
);

testRaces(
  "a late read that has to tell its client of a token tells it of the one in force",
  async (race) => {
    const [old, young] = ["old", "young"].map((one) => one.repeat(11));
    const before = race.manager({ secrets: [old ?? ""] });
    const [manager, other] = [young, young].map((one) =>
      race.manager({ secrets: [one ?? "", old ?? ""] })
    );
    assert(manager !== undefined && other !== undefined);
    const reads = (session: Session) => void session.get("here");
    // it came with a token that is signed with an older key
    const first = await start(before);
    const stale = await suspend(manager, first, reads);
    const second = tokenOf(await use(other, first, regenerate));
    assertEquals(tokenOf(await stale.resume()), second);
    // it came with a token that was replaced already
    const replaced = await suspend(manager, first, reads);
    const third = tokenOf(await use(other, second, regenerate));
    assertEquals(tokenOf(await replaced.resume()), third);
  },
);

testRaces(
  "a login and a logout that race leave one session or none, and a cookie that fits",
  async (race) => {
    const managers: SessionManager[] = [race.manager(), race.manager()];
    const [one = race.manager(), two = race.manager()] = managers;
    for (const [first, second] of [[one, one], [one, two], [two, one]]) {
      if (first === undefined || second === undefined) continue;
      const token = await start(first);
      const [signedIn, loggedOut] = await together([
        { manager: first, token, run: login },
        { manager: second, token, run: (session) => session.logout() },
      ]);
      assert(signedIn !== undefined && loggedOut !== undefined);
      const rotated = tokenOf(signedIn);
      await use(first, rotated, (session) => {
        assertEquals(session.subject, "alice");
      });
      assertEquals(await read(second, token), undefined);
      // the logout came first and ended the old session, or came late
      const living = await read(first, rotated);
      assertEquals(cookies(loggedOut).length, living?.here === 1 ? 0 : 1);
      assert(await first.revoke(rotated.slice(0, 26)));
    }
    assertEquals(await race.store.dump(), []);
  },
);
