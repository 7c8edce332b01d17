import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  KvStore,
  type Session,
  SessionConflictError,
  SessionStoreError,
} from "@tessera/session";
import { tokenOf } from "./_helpers.ts";
import {
  Race,
  read,
  start,
  suspend,
  testRaces,
  times,
  together,
  use,
} from "./_races.ts";
import { fails, SpyStore } from "./_spy_store.ts";

const increment = (session: Session) =>
  session.update<number>("n", (n = 0) => n + 1);

testRaces(
  "a commit that failed is a typed error, and everything is as it was",
  async (race) => {
    const manager = race.manager();
    const token = await start(manager, (session) => session.set("n", 0));
    const before = await race.store.dump();
    const uses: ((session: Session) => void)[] = [
      increment,
      (session) => session.login("alice"),
      (session) => session.regenerate(),
      (session) => session.destroy(),
    ];
    race.store.onCommit = fails;
    for (const run of uses) {
      await assertRejects(
        () => use(manager, token, run),
        SessionStoreError,
        "Cannot commit session: the store must answer",
      );
    }
    await assertRejects(
      () => manager.revoke(token.slice(0, 26)),
      SessionStoreError,
    );
    race.store.onCommit = undefined;
    assertEquals(await race.store.dump(), before);
    assertEquals(await read(manager, token), { n: 0 });
  },
);

testRaces(
  "a logout that failed while a login moved the session is not reported as done",
  async (race) => {
    const manager = race.manager();
    const token = await start(manager);
    const leaving = await suspend(manager, token, (session) => {
      session.logout();
    });
    let commits = 0;
    const rotated = tokenOf(
      await use(manager, token, (session) => session.login("alice")),
    );
    race.store.onCommit = () => {
      commits++;
      return Promise.reject(new Error("connection reset"));
    };
    await assertRejects(() => leaving.resume(), SessionStoreError);
    race.store.onCommit = undefined;
    assertEquals(commits, 1);
    assertEquals(await read(manager, rotated), { here: 1 });
  },
);

testRaces(
  "writers who always lose are told so by a SessionConflictError, and nothing is written",
  async (race) => {
    const [manager, other] = [race.manager(), race.manager()];
    const token = await start(manager, (session) => session.set("n", 0));
    let busy = false;
    let others = 0;
    race.store.onCommit = async (call) => {
      if (!busy) {
        busy = true;
        others++;
        await use(other, token, (session) => session.set("other", others));
        busy = false;
      }
      return await call();
    };
    // no waiting: the pauses between the tries are not what this is about
    const { random } = Math;
    Math.random = () => 0;
    try {
      await assertRejects(
        () => use(manager, token, increment),
        SessionConflictError,
        "tries to come before other writers",
      );
    } finally {
      Math.random = random;
    }
    race.store.onCommit = undefined;
    assertEquals(await read(manager, token), { n: 0, other: others });
    await use(manager, token, increment);
    assertEquals((await read(manager, token))?.n, 1);
  },
);

/** A database whose commits take place, and then say that it was locked, at times. */
function lockedAtTimes(kv: Deno.Kv, locked: () => boolean): Deno.Kv {
  const wrap = (atomic: Deno.AtomicOperation): Deno.AtomicOperation =>
    new Proxy(atomic, {
      get: (target, name) => {
        if (name === "commit") {
          return async () => {
            const result = await target.commit();
            if (locked()) throw new TypeError("database is locked");
            return result;
          };
        }
        return (...args: unknown[]) => {
          Reflect.apply(Reflect.get(target, name), target, args);
          return wrap(target);
        };
      },
    });
  return new Proxy(kv, {
    get: (target, name) => {
      if (name === "atomic") return () => wrap(target.atomic());
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

for (const batch of [true, false]) {
  Deno.test(`"database is locked" after the fact counts no update twice (batch: ${batch})`, async () => {
    using kv = await Deno.openKv(":memory:");
    let commits = 0;
    const locked = lockedAtTimes(kv, () => ++commits % 3 === 0);
    const race = new Race(new SpyStore(new KvStore(locked, { batch })), batch);
    const [manager, other] = [race.manager(), race.manager()];
    let token = await start(manager, (session) => session.set("n", 0));
    for (let round = 1; round <= 5; round++) {
      await together([
        ...times(5, manager, token, increment),
        ...times(5, other, token, increment),
      ]);
      assertEquals(await read(manager, token), { n: 10 * round });
      const rotate = round % 2 === 0
        ? (session: Session) => session.login("alice")
        : (session: Session) => session.regenerate();
      token = tokenOf(await use(other, token, rotate));
      assertEquals((await Array.fromAsync(manager.list())).length, 1);
    }
    assert(commits > 20, `${commits} commits`);
  });
}
