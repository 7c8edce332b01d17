import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type Session,
  SessionClosedError,
  type SessionManager,
  SessionStoreError,
  type StoreCommitResult,
} from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { get, tokenOf } from "./_helpers.ts";
import {
  cookies,
  type Race,
  read,
  start,
  testRaces,
  testRacesInMemory,
  testRacesOnKv,
  times,
  together,
  use,
} from "./_races.ts";
import { fails, type Fault } from "./_spy_store.ts";

/** Ways in which an answer gets lost: the commit took place. */
const LOST: Record<string, Fault> = {
  "reported as failed": async (call) => {
    await call();
    throw new Error("connection reset");
  },
  "reported as a conflict": async <T>(call: () => Promise<T>) => {
    await call();
    return { ok: false } as T;
  },
  "never answered": async (call) => {
    await call();
    return await new Promise(() => {});
  },
};

/** A session that something is done to while an answer gets lost. */
interface Scene {
  readonly race: Race;
  readonly manager: SessionManager;
  readonly token: string;
  readonly clock: TestClock;
  /** Whether the loss looks like somebody else's success. */
  readonly denied: boolean;
}

const increment = (session: Session) =>
  session.update<number>("n", (n = 0) => n + 1);

async function assertAlone(
  { race, manager, token }: Scene,
  living: string,
  expected: Record<string, unknown>,
): Promise<void> {
  assertEquals(await read(manager, living), expected);
  const sessions = await Array.fromAsync(manager.list());
  assertEquals(sessions.map(({ id }) => id), [living.slice(0, 26)]);
  if (living.slice(0, 26) !== token.slice(0, 26)) {
    const old = await race.store.get(token.slice(0, 26));
    const forward = old?.record as { forward?: string } | undefined;
    assert(old === undefined || forward?.forward === living.slice(0, 26));
  }
}

/** Each kind of commit, and what must be true of it although its answer got lost. */
const KINDS: Record<string, (scene: Scene) => Promise<void>> = {
  create: async ({ race, manager, token }) => {
    race.takeEvents();
    const response = await manager.handle(get(), (session) => {
      session.set("new", 1);
      return new Response();
    });
    assertEquals(await read(manager, tokenOf(response)), { new: 1 });
    assertEquals((await race.store.dump()).length, 2);
    assertEquals(await read(manager, token), { n: 0 });
    assert(race.takeEvents().includes("created"));
  },
  update: async (scene) => {
    await use(scene.manager, scene.token, increment);
    await assertAlone(scene, scene.token, { n: 1 });
  },
  "20 updates": async (scene) => {
    await together(times(20, scene.manager, scene.token, increment));
    await assertAlone(scene, scene.token, { n: 20 });
  },
  touch: async (scene) => {
    scene.clock.advance({ days: 3 });
    const response = await use(scene.manager, scene.token);
    assertEquals(cookies(response).length, 1);
    const info = await scene.manager.get(scene.token.slice(0, 26));
    assertEquals(info?.lastSeenAt, scene.clock.now());
    await assertAlone(scene, scene.token, { n: 0 });
  },
  login: async (scene) => {
    const response = await use(scene.manager, scene.token, (session) => {
      increment(session);
      session.login("alice");
    });
    await assertAlone(scene, tokenOf(response), { n: 1 });
    assertEquals(await read(scene.manager, scene.token), undefined);
    const events = scene.race.takeEvents();
    assertEquals(events.filter((one) => one === "login").length, 1);
  },
  regenerate: async (scene) => {
    const response = await use(scene.manager, scene.token, (session) => {
      increment(session);
      session.regenerate();
    });
    assert(tokenOf(response) !== scene.token);
    await assertAlone(scene, tokenOf(response), { n: 1 });
    assertEquals(await read(scene.manager, scene.token), { n: 1 });
    const events = scene.race.takeEvents();
    assertEquals(events.filter((one) => one === "regenerated").length, 1);
  },
  "20 regenerates": async (scene) => {
    const responses = await together(
      times(20, scene.manager, scene.token, (session) => {
        increment(session);
        session.regenerate();
      }),
    );
    const tokens = new Set(responses.map((response) => tokenOf(response)));
    assertEquals(tokens.size, 1);
    await assertAlone(scene, [...tokens][0] ?? "", { n: 20 });
  },
  destroy: async ({ race, manager, token, denied }) => {
    const response = await use(manager, token, (session) => session.destroy());
    assertEquals(cookies(response).length, denied ? 0 : 1);
    assertEquals(await read(manager, token), undefined);
    assertEquals(await race.store.dump(), []);
  },
  revoke: async ({ race, manager, token, denied }) => {
    assertEquals(await manager.revoke(token.slice(0, 26)), !denied);
    assertEquals(await read(manager, token), undefined);
    assertEquals(await race.store.dump(), []);
  },
  edit: async (scene) => {
    const id = scene.token.slice(0, 26);
    const edited = await scene.manager.edit(id, (session) => {
      increment(session);
      return "edited";
    });
    assertEquals(edited, "edited");
    await assertAlone(scene, scene.token, { n: 1 });
  },
};

for (const [kind, act] of Object.entries(KINDS)) {
  for (const [loss, fault] of Object.entries(LOST)) {
    const run = (storeTimeout: number) => async (race: Race) => {
      const clock = new TestClock();
      const manager = race.manager({ clock: clock.now, storeTimeout });
      const token = await start(manager, (session) => session.set("n", 0));
      let lost = 0;
      race.store.onCommit = async (call) => {
        const result = await call();
        const { ok } = result as StoreCommitResult;
        // the first one that takes place: of those that race, one does
        return ok && lost++ === 0
          ? await fault(() => Promise.resolve(result))
          : result;
      };
      const denied = loss === "reported as a conflict";
      await act({ race, manager, token, clock, denied });
      assert(lost > 0, "nothing was lost");
    };
    const name =
      `${kind} counts once when the commit takes place and is ${loss}`;
    // memory answers before any timer fires; a database has to be given time
    testRacesInMemory(name, run(20));
    const hangs = loss === "never answered";
    if (!hangs || kind === "login") testRacesOnKv(name, run(500));
  }
}

testRacesInMemory(
  "an eviction whose answer gets lost takes the oldest session, and no other",
  async (race) => {
    for (const fault of Object.values(LOST)) {
      const clock = new TestClock();
      const manager = race.manager({
        clock: clock.now,
        storeTimeout: 20,
        maxSessionsPerSubject: 2,
      });
      const tokens: string[] = [];
      for (let n = 0; n < 3; n++) {
        clock.advance(1);
        // the third login is one commit, and the eviction another one
        let commits = 0;
        race.store.onCommit = (call) =>
          n === 2 && ++commits === 2 ? fault(call) : call();
        tokens.push(
          await start(manager, (session) => {
            session.set("n", n);
            session.login("alice");
          }),
        );
        assertEquals(commits, n === 2 ? 2 : 0);
      }
      race.store.onCommit = undefined;
      const found = [];
      for (const token of tokens) found.push(await read(manager, token));
      assertEquals(found, [undefined, { n: 1 }, { n: 2 }]);
      await manager.revokeAll("alice");
    }
  },
);

testRaces(
  "a commit that failed for unknown reasons may be repeated, and counts once",
  async (race) => {
    const changes: Record<string, (session: Session) => void> = {
      update: increment,
      regenerate: (session) => {
        increment(session);
        session.regenerate();
      },
      login: (session) => {
        increment(session);
        session.login("alice");
      },
    };
    for (const [name, change] of Object.entries(changes)) {
      for (const applied of [true, false]) {
        const manager = race.manager();
        const token = await start(manager, (session) => session.set("n", 0));
        const response = await use(manager, token, async (session) => {
          change(session);
          race.store.onCommit = async (call) => {
            if (applied) await call();
            throw new Error("connection reset");
          };
          race.store.onGet = fails; // so that it cannot be found out
          await assertRejects(() => session.commit(), SessionStoreError);
          // what may have been stored must not be added to
          assertThrows(
            () => session.set("n", 7),
            SessionClosedError,
            "the session must still be open",
          );
          race.store.onCommit = race.store.onGet = undefined;
          await session.commit();
        });
        const current = name === "update" ? token : tokenOf(response);
        assertEquals(await read(manager, current), { n: 1 }, name);
        const living = await Array.fromAsync(manager.list());
        assertEquals(living.map(({ id }) => id), [current.slice(0, 26)]);
        await manager.revoke(current.slice(0, 26));
      }
    }
  },
);

testRaces(
  "a first commit that failed for unknown reasons may be repeated, and makes one session",
  async (race) => {
    for (const applied of [true, false]) {
      const manager = race.manager();
      const response = await manager.handle(get(), async (session) => {
        session.set("n", 1);
        race.store.onCommit = async (call) => {
          if (applied) await call();
          throw new Error("connection reset");
        };
        race.store.onGet = fails;
        await assertRejects(() => session.commit(), SessionStoreError);
        race.store.onCommit = race.store.onGet = undefined;
        return new Response(); // the manager repeats it
      });
      const token = tokenOf(response);
      assertEquals(await read(manager, token), { n: 1 });
      assertEquals((await race.store.dump()).length, 1);
      await manager.revoke(token.slice(0, 26));
    }
  },
);
