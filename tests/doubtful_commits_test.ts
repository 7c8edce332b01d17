/**
 * Commits of which a request cannot know at once whether they took place, and which it
 * tries again while others write to the same session.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  MemoryStore,
  type Session,
  SessionConflictError,
  type SessionEvent,
  SessionManager,
  type SessionStore,
  SessionStoreError,
} from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { Events } from "./_helpers.ts";

/** A store that can keep what it was told without saying so, and then fall silent. */
function deceiving() {
  const memory = new MemoryStore();
  let state: "well" | "about to deceive" | "away" = "well";
  const store: SessionStore = {
    get: async (id) => {
      if (state === "away") throw new Error("away");
      return await memory.get(id);
    },
    commit: async (commit) => {
      const result = await memory.commit(commit);
      if (state === "about to deceive") {
        state = "away";
        throw new Error("the connection was lost");
      }
      return result;
    },
    list: (options) => memory.list(options),
  };
  return {
    store,
    deceive: () => state = "about to deceive",
    recover: () => state = "well",
  };
}

/** Makes requests of one client. */
function client(sessions: SessionManager, cookie = "") {
  const visit = async (run: (session: Session) => unknown) => {
    const request = new Request("https://example.com/", {
      headers: cookie === "" ? {} : { cookie },
    });
    const response = await sessions.handle(request, async (session) => {
      await run(session);
      return new Response();
    });
    const [line] = response.headers.getSetCookie();
    if (line !== undefined) cookie = line.slice(0, line.indexOf(";"));
    return response;
  };
  return Object.assign(visit, { cookie: () => cookie });
}

for (const batch of [true, false]) {
  for (const others of [0, 3, 4, 5, 31]) {
    Deno.test(`an early commit that took place unnoticed counts once, after ${others} other commits (batch: ${batch})`, async () => {
      const { store, deceive, recover } = deceiving();
      const sessions = new SessionManager({ store, batch });
      const visit = client(sessions);
      await visit((session) => session.set("n", 0));
      await visit(async (session) => {
        session.update<number>("n", (n = 0) => n + 1);
        deceive();
        await assertRejects(() => session.commit(), SessionStoreError);
        recover();
        for (let count = 0; count < others; count++) {
          await visit((session) => session.set("other", count));
        }
      });
      let found: unknown;
      await visit((session) => found = session.get("n"));
      assertEquals(found, 1);
    });
  }
}

Deno.test("a regenerate that took place unnoticed counts once, though the new id was replaced since", async () => {
  const { store, deceive, recover } = deceiving();
  const sessions = new SessionManager({ store });
  const visit = client(sessions);
  await visit((session) => session.set("n", 0));
  let found: unknown;
  await visit(async (session) => {
    session.update<number>("n", (n = 0) => n + 1);
    session.regenerate();
    deceive();
    await assertRejects(() => session.commit(), SessionStoreError);
    recover();
    // joins the regenerate that took place, and gets its id replaced in turn
    await visit((session) => session.get("n"));
    await visit((session) => session.regenerate());
  });
  await visit((session) => found = session.get("n"));
  assertEquals(found, 1);
});

Deno.test("a commit that fails at once can be tried again", async () => {
  let broken = false;
  const sessions = new SessionManager({
    store: new MemoryStore(),
    clock: () => {
      if (broken) throw new Error("the clock stands still");
      return 1_800_000_000_000;
    },
  });
  const visit = client(sessions);
  await visit((session) => session.set("n", 0));
  await visit(async (session) => {
    session.set("n", 1);
    broken = true;
    await assertRejects(() => session.commit(), Error, "stands still");
    broken = false;
    session.set("m", 2);
  });
  let found: unknown;
  await visit((session) => found = [...session.entries()]);
  assertEquals(found, [["n", 1], ["m", 2]]);
});

Deno.test("the login that came last stays, whichever manager of a process it came by", async () => {
  for (let round = 0; round < 20; round++) {
    const options = {
      store: new MemoryStore(),
      maxSessionsPerSubject: 1,
      clock: () => 1_800_000_000_000, // all within one millisecond
    };
    const [one, other] = [
      new SessionManager(options),
      new SessionManager(options),
    ];
    await client(round % 2 === 0 ? one : other)((session) =>
      session.login("ada")
    );
    const visit = client(round % 2 === 0 ? other : one);
    await visit((session) => session.login("ada"));
    let subject: string | undefined;
    await visit((session) => subject = session.subject);
    assertEquals(subject, "ada", `round ${round}`);
  }
});

Deno.test("SessionConflictError leaves nothing in doubt", async () => {
  const memory = new MemoryStore();
  let refuse = false;
  const store: SessionStore = {
    get: (id) => memory.get(id),
    commit: async (commit) =>
      refuse ? { ok: false } : await memory.commit(commit),
    list: (options) => memory.list(options),
  };
  const sessions = new SessionManager({ store });
  const visit = client(sessions);
  await visit((session) => session.set("n", 0));
  await visit(async (session) => {
    session.update<number>("n", (n = 0) => n + 1);
    refuse = true;
    await assertRejects(() => session.commit(), SessionConflictError);
    refuse = false;
  });
  let found: unknown;
  await visit((session) => found = session.get("n"));
  assert(found === 1);
});

Deno.test("a read whose touch always meets another writer does not fail", async () => {
  const clock = new TestClock();
  const memory = new MemoryStore();
  let contended = false;
  let commits = 0;
  const store: SessionStore = {
    get: (id) => memory.get(id),
    commit: (commit) => {
      if (!contended) return memory.commit(commit);
      commits++;
      return Promise.resolve({ ok: false });
    },
    list: (options) => memory.list(options),
  };
  const sessions = new SessionManager({ store, clock: clock.now });
  const visit = client(sessions);
  await visit((session) => session.set("n", 1));
  clock.advance({ days: 2 });
  contended = true;
  let found: unknown;
  await visit((session) => found = session.get("n"));
  assertEquals([found, commits], [1, 3]);
  await assertRejects(
    () => visit((session) => session.set("n", 2)),
    SessionConflictError,
    "tries",
  );
});

for (const report of ["a conflict", "a failure"]) {
  Deno.test(`a regenerate that is reported as ${report} counts once, though others use the session meanwhile`, async () => {
    const memory = new MemoryStore();
    let others: (() => Promise<void>) | undefined;
    const store: SessionStore = {
      get: (id) => memory.get(id),
      commit: async (commit) => {
        const result = await memory.commit(commit);
        const run = others;
        if (run === undefined || commit.put.length < 2) return result;
        others = undefined;
        await run();
        if (report === "a failure") throw new Error("the connection was lost");
        return { ok: false };
      },
      list: (options) => memory.list(options),
    };
    const events = new Events();
    const sessions = new SessionManager({ store, onEvent: events.push });
    const visit = client(sessions);
    const count = (session: Session) =>
      session.update<number>("n", (n = 0) => n + 1);
    await visit(count);
    others = async () => {
      const old = client(sessions, visit.cookie());
      for (let n = 0; n < 6; n++) await old(count);
    };
    await visit((session) => {
      count(session);
      session.regenerate();
    });
    let found: unknown;
    await visit((session) => found = session.get("n"));
    assertEquals(found, 8);
    assertEquals(
      events.take().filter((event) => event === "regenerated").length,
      1,
    );
  });
}

for (
  const [what, first] of [
    ["login", (session: Session) => session.login("ada")],
    ["set", (session: Session) => session.set("n", 1)],
  ] as const
) {
  Deno.test(`a first ${what} that is carried out after its repetition, and after the logout, is of no use to anybody`, async () => {
    const memory = new MemoryStore();
    let late: (() => Promise<unknown>) | undefined;
    let deceived = false;
    const store: SessionStore = {
      get: (id) => memory.get(id),
      commit: (commit) => {
        if (deceived) return memory.commit(commit);
        deceived = true;
        const copy = structuredClone(commit);
        late = () => memory.commit(copy);
        return Promise.reject(new Error("the connection was lost"));
      },
      list: (options) => memory.list(options),
    };
    const sessions = new SessionManager({ store });
    const visit = client(sessions);
    await visit(async (session) => {
      first(session);
      await assertRejects(() => session.commit(), SessionStoreError);
      await session.commit();
    });
    const cookie = visit.cookie();
    await visit((session) => session.logout());
    await late?.();
    let isNew: unknown;
    await client(sessions, cookie)((session) => isNew = session.isNew);
    assertEquals(isNew, true);
  });

  Deno.test(`a first ${what} that took place after all is not made again, and its token is the one in force`, async () => {
    const memory = new MemoryStore();
    let fails = true;
    const store: SessionStore = {
      get: (id) => {
        if (fails) throw new Error("away");
        return memory.get(id);
      },
      commit: async (commit) => {
        const result = await memory.commit(commit);
        if (fails) throw new Error("the connection was lost");
        return result;
      },
      list: (options) => memory.list(options),
    };
    const events = new Events();
    const sessions = new SessionManager({ store, onEvent: events.push });
    const visit = client(sessions);
    await visit(async (session) => {
      first(session);
      await assertRejects(() => session.commit(), SessionStoreError);
      fails = false;
    });
    let isNew: unknown;
    await visit((session) => isNew = session.isNew);
    assertEquals(isNew, false);
    assertEquals((await Array.fromAsync(memory.list())).length, 1);
    const created = events.take().filter((event) => event === "created");
    assertEquals(created.length, 1);
  });
}

Deno.test("a login that took place unnoticed ends, when it is repeated, what it took the place of", async () => {
  const { store, deceive, recover } = deceiving();
  const events: SessionEvent[] = [];
  const sessions = new SessionManager({
    store,
    onEvent: (event) => events.push(event),
  });
  const visit = client(sessions);
  await visit((session) => session.set("n", 0));
  const old = visit.cookie();
  let replaced = "";
  await visit(async (session) => {
    session.login("ada");
    const other = client(sessions, old);
    await other((session) => session.regenerate());
    await other((session) => replaced = session.id);
    events.length = 0;
    deceive();
    await assertRejects(() => session.commit(), SessionStoreError);
    recover();
    await session.commit();
  });
  const told = events.filter(({ type }) =>
    type !== "store-error" && type !== "conflict"
  );
  assertEquals(
    told.map((event) =>
      event.type === "ended" ? [event.reason, event.id] : event.type
    ),
    [["rotated", replaced], "login"],
  );
});
