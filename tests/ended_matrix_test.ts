import { assert, assertEquals } from "@std/assert";
import {
  KvStore,
  MemoryStore,
  type Session,
  type SessionManager,
} from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { tokenOf } from "./_helpers.ts";
import { cookies, Race, read, start, suspend, use } from "./_races.ts";
import { SpyStore } from "./_spy_store.ts";

const HOUR = 3_600_000;

/** A session that is about to end. */
interface Doomed {
  readonly manager: SessionManager;
  readonly token: string;
  readonly id: string;
  readonly clock: TestClock;
}

/** Each way in which a session ends, and what its manager calls it. */
const ENDS: Record<
  string,
  { reason: string; end: (doomed: Doomed) => unknown; idle?: number }
> = {
  destroy: {
    reason: "logout",
    end: ({ manager, token }) => use(manager, token, (one) => one.destroy()),
  },
  logout: {
    reason: "logout",
    end: ({ manager, token }) => use(manager, token, (one) => one.logout()),
  },
  revoke: {
    reason: "revoked",
    end: async ({ manager, id }) => assert(await manager.revoke(id)),
  },
  revokeAll: {
    reason: "revoked",
    end: async ({ manager }) =>
      assertEquals(await manager.revokeAll("alice"), 1),
  },
  "the idle timeout": {
    reason: "idle-timeout",
    end: ({ clock }) => clock.advance(HOUR),
  },
  "the absolute timeout": {
    reason: "absolute-timeout",
    end: ({ clock }) => clock.advance(2 * HOUR),
  },
  "the absolute timeout, noticed by another request": {
    reason: "absolute-timeout",
    end: async ({ clock, manager, token }) => {
      clock.advance(2 * HOUR);
      await use(manager, token, (session) => assert(session.isNew));
    },
  },
  login: {
    reason: "rotated",
    end: ({ manager, token }) => use(manager, token, (one) => one.login("bob")),
  },
  eviction: {
    reason: "evicted",
    end: async ({ manager, clock }) => {
      clock.advance(1);
      await start(manager, (session) => session.login("alice"));
    },
  },
};

/** Each way to write late. */
const WRITES: Record<string, (session: Session) => unknown> = {
  set: (session) => session.set("late", 1),
  update: (session) => session.update<number>("n", (n = 0) => n + 1),
  "change in place": (session) => session.get<number[]>("list")?.push(1),
  delete: (session) => session.delete("n"),
  clear: (session) => session.clear(),
  flash: (session) => session.flash("notice", "late"),
  "flash that is taken": (session) => assert(session.flash("notice")),
  touch: () => {},
  persist: (session) => session.persist(false),
  regenerate: (session) => session.regenerate(),
  destroy: (session) => session.destroy(),
  commit: async (session) => {
    session.set("late", 1);
    await session.commit();
  },
};

/** On every store, with batches and without, for one manager and for two. */
async function inEachWay(
  run: (doomed: Doomed, late: SessionManager, race: Race) => Promise<void>,
): Promise<void> {
  for (const batch of [true, false]) {
    for (const two of [false, true]) {
      for (const kind of ["MemoryStore", "KvStore"]) {
        using kv = await Deno.openKv(":memory:");
        const store = kind === "KvStore"
          ? new KvStore(kv, { batch })
          : new MemoryStore();
        const race = new Race(new SpyStore(store), batch);
        const clock = new TestClock();
        const options = {
          clock: clock.now,
          idleTimeout: HOUR,
          absoluteTimeout: 2 * HOUR,
          maxSessionsPerSubject: 1,
        };
        const manager = race.manager(options);
        const token = await start(manager, (session) => {
          session.login("alice");
          session.set("n", 1);
          session.set("list", [0]);
          session.flash("notice", "early");
        });
        clock.advance(HOUR / 5); // so that the next request has to touch
        const id = token.slice(0, 26);
        try {
          await run(
            { manager, token, id, clock },
            two ? race.manager(options) : manager,
            race,
          );
        } catch (error) {
          throw new Error(`${kind}, batch: ${batch}, two managers: ${two}`, {
            cause: error,
          });
        }
      }
    }
  }
}

/** What the late manager knows of the end: its own ends, and what the clock says. */
function reasonFor(name: string, doomed: Doomed, late: SessionManager): string {
  const reason = ENDS[name]?.reason ?? "";
  return late === doomed.manager || reason.endsWith("timeout")
    ? reason
    : "unknown";
}

async function assertEnded(
  { id, token }: Doomed,
  late: SessionManager,
  race: Race,
): Promise<void> {
  assertEquals(await race.store.get(id), undefined, "a record");
  assertEquals(await read(late, token), undefined, "a session");
  assertEquals(await late.get(id), undefined, "an entry");
}

for (const [ending, { end }] of Object.entries(ENDS)) {
  for (const [writing, write] of Object.entries(WRITES)) {
    Deno.test(`R25 a late ${writing} does not bring a session back after ${ending}`, () =>
      inEachWay(async (doomed, late, race) => {
        const request = await suspend(late, doomed.token, write);
        await end(doomed);
        const before = await race.store.dump();
        race.takeEvents();

        const response = await request.resume();

        assertEquals(cookies(response), []);
        assertEquals(response.headers.get("cache-control"), null);
        const dropped = race.events.filter(({ type }) => type === "dropped");
        assertEquals(dropped.map(({ id }) => id), [doomed.id]);
        assertEquals(race.takeEvents().filter((one) => /^dropped/.test(one)), [
          `dropped ${reasonFor(ending, doomed, late)}`,
        ]);
        const others = before.filter(({ id }) => id !== doomed.id);
        assertEquals(await race.store.dump(), others);
        await assertEnded(doomed, late, race);
      }));
  }

  Deno.test(`R25 a late edit does not bring a session back after ${ending}`, () =>
    inEachWay(async (doomed, late, race) => {
      const started = Promise.withResolvers<void>();
      const resumed = Promise.withResolvers<void>();
      const editing = late.edit(doomed.id, async (session) => {
        started.resolve();
        await resumed.promise;
        session.set("late", 1);
        return "edited";
      });
      await started.promise;
      await end(doomed);
      race.takeEvents();
      resumed.resolve();

      assertEquals(await editing, undefined);
      assertEquals(race.takeEvents().filter((one) => /^dropped/.test(one)), [
        `dropped ${reasonFor(ending, doomed, late)}`,
      ]);
      await assertEnded(doomed, late, race);
    }));

  Deno.test(`R25 a late login after ${ending} signs in from a blank session`, () =>
    inEachWay(async (doomed, late, race) => {
      const request = await suspend(late, doomed.token, (session) => {
        session.set("late", 1);
        session.update<number>("n", (n = 100) => n + 1);
        session.login("carol");
      });
      await end(doomed);

      const token = tokenOf(await request.resume());

      assert(token.slice(0, 26) !== doomed.id);
      assertEquals(await read(late, token), { late: 1, n: 101 });
      await use(late, token, (session) => {
        assertEquals(session.subject, "carol");
        assertEquals(session.flash("notice"), undefined);
        assertEquals(session.createdAt, doomed.clock.now());
      });
      await assertEnded(doomed, late, race);
    }));
}

Deno.test("R25 a request that outlasts the idle timeout counts if others used the session", () =>
  inEachWay(async ({ manager, token, clock }, late) => {
    const slow = await suspend(late, token, (session) => {
      session.set("late", 1);
    });
    const slowLogin = await suspend(late, token, (session) => {
      session.login("dave");
    });
    clock.advance(0.7 * HOUR);
    await use(manager, token);
    clock.advance(0.4 * HOUR);
    await slow.resume();
    assertEquals((await read(manager, token))?.late, 1);
    const rotated = tokenOf(await slowLogin.resume());
    assertEquals(await read(manager, rotated), { n: 1, list: [0], late: 1 });
  }));
