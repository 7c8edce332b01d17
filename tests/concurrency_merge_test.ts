import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Session } from "@tessera/session";
import { get, tokenOf } from "./_helpers.ts";
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

testRaces("R33 50 parallel updates of one key are 50", async (race) => {
  const [manager, other] = [race.manager(), race.manager()];
  const token = await start(manager, (session) => session.set("n", 0));
  const increment = (session: Session) =>
    session.update<number>("n", (n = 0) => n + 1);
  await together(times(50, manager, token, increment));
  assertEquals(await read(manager, token), { n: 50 });

  // and of two managers, as in two processes
  await together([
    ...times(25, manager, token, increment),
    ...times(25, other, token, increment),
  ]);
  assertEquals(await read(other, token), { n: 100 });
});

testRaces("R33 50 parallel sets of 50 keys are 50 keys", async (race) => {
  const managers = [race.manager(), race.manager()];
  const token = await start(race.manager());
  await together(
    managers.flatMap((manager, half) =>
      times(25, manager, token, (session, index) => {
        session.set(`key ${half * 25 + index}`, index);
      })
    ),
  );
  const { here, ...keys } = await read(race.manager(), token) ?? {};
  assertEquals(here, 1);
  assertEquals(Object.keys(keys).length, 50);
});

testRaces(
  "changes in place merge key by key when requests race",
  async (race) => {
    const managers = [race.manager(), race.manager()];
    const token = await start(race.manager(), (session) => {
      for (let n = 0; n < 10; n++) session.set(`list ${n}`, ["old"]);
      session.set("map", new Map([["old", 1]]));
      session.set("date", new Date(0));
    });
    await together([
      ...managers.flatMap((manager, half) =>
        times(5, manager, token, (session, index) => {
          session.get<string[]>(`list ${half * 5 + index}`)?.push("new");
        })
      ),
      ...times(1, race.manager(), token, (session) => {
        session.get<Map<string, number>>("map")?.set("new", 2);
      }),
      ...times(1, race.manager(), token, (session) => {
        session.get<Date>("date")?.setTime(1);
      }),
    ]);
    const data = await read(race.manager(), token) ?? {};
    for (let n = 0; n < 10; n++) {
      assertEquals(data[`list ${n}`], ["old", "new"]);
    }
    assertEquals(data.map, new Map([["old", 1], ["new", 2]]));
    assertEquals(data.date, new Date(1));
  },
);

testRaces(
  "of racing sets of one key the last commit wins, whoever loaded first",
  async (race) => {
    const [first, second] = [race.manager(), race.manager()];
    const token = await start(first);
    for (const manager of [first, second]) {
      const early = await suspend(
        manager,
        token,
        (session) => session.set("key", "early"),
      );
      const late = await suspend(
        first,
        token,
        (session) => session.set("key", "late"),
      );
      await early.resume();
      await late.resume();
      assertEquals((await read(first, token))?.key, "late");
    }
  },
);

/** What one request does while another does something else, and what is left. */
const PAIRS: {
  name: string;
  late: (session: Session) => void;
  early: (session: Session) => void;
  left: Record<string, unknown>;
}[] = [
  {
    name: "clear takes what another request has set meanwhile",
    early: (session) => session.set("b", 2),
    late: (session) => session.clear(),
    left: {},
  },
  {
    name: "what is set after another request's clear stays",
    early: (session) => session.clear(),
    late: (session) => session.set("b", 2),
    left: { b: 2 },
  },
  {
    name: "what a request sets after its own clear stays",
    early: (session) => session.set("b", 2),
    late: (session) => {
      session.clear();
      session.set("c", 3);
    },
    left: { c: 3 },
  },
  {
    name: "delete takes one key alone",
    early: (session) => session.set("b", 2),
    late: (session) => assert(session.delete("a")),
    left: { b: 2 },
  },
  {
    name: "delete wins over a set that came first",
    early: (session) => session.set("a", 2),
    late: (session) => assert(session.delete("a")),
    left: {},
  },
  {
    name: "update starts anew after another request's delete",
    early: (session) => assert(session.delete("a")),
    late: (session) => session.update<number>("a", (a) => (a ?? 10) + 1),
    left: { a: 11 },
  },
  {
    name: "update starts anew after another request's clear",
    early: (session) => session.clear(),
    late: (session) => session.update<number>("a", (a) => (a ?? 10) + 1),
    left: { a: 11 },
  },
  {
    name: "update after an own set takes the value of the set",
    early: (session) => session.set("a", 100),
    late: (session) => {
      session.set("a", 5);
      session.update<number>("a", (a = 0) => a * 2);
    },
    left: { a: 10 },
  },
  {
    name: "two updates of one request both count, on the newest value",
    early: (session) => session.set("a", 100),
    late: (session) => {
      session.update<number>("a", (a = 0) => a + 1);
      session.update<number>("a", (a = 0) => a * 2);
    },
    left: { a: 202 },
  },
  {
    name: "persist takes no data with it",
    early: (session) => session.set("b", 2),
    late: (session) => session.persist(false),
    left: { a: 1, b: 2 },
  },
];

for (const { name, early, late, left } of PAIRS) {
  testRaces(`${name} when requests race`, async (race) => {
    const [here, there] = [race.manager(), race.manager()];
    for (const [first, second] of [[here, here], [here, there]] as const) {
      const token = await start(here, (session) => session.set("a", 1));
      const suspended = await suspend(second, token, late);
      await use(first, token, early);
      await suspended.resume();
      assertEquals(await read(here, token), left);
    }
  });
}

testRaces(
  "flash values queued by racing requests all stay, in the order of the commits",
  async (race) => {
    const managers = [race.manager(), race.manager()];
    const token = await start(race.manager());
    await together(
      managers.flatMap((manager, half) =>
        times(10, manager, token, (session, index) => {
          session.flash("notice", half * 10 + index);
          session.flash("other", index);
        })
      ),
    );
    const shown: unknown[] = [];
    await use(race.manager(), token, (session) => {
      for (let n = 0; n < 21; n++) shown.push(session.flash("notice"));
    });
    assertEquals(shown.pop(), undefined);
    const numbers = Array.from({ length: 20 }, (_, index) => index);
    assertEquals(new Set(shown), new Set(numbers));
  },
);

testRaces(
  "a callback of update may run again, on a copy, and must be synchronous",
  async (race) => {
    const [here, there] = [race.manager(), race.manager()];
    const token = await start(here, (session) => session.set("list", [1]));
    const seen: number[][] = [];
    const suspended = await suspend(here, token, (session) => {
      session.update<number[]>("list", (list = []) => {
        seen.push([...list]);
        list.push(list.length + 1);
        return list;
      });
    });
    await use(there, token, (session) => session.set("list", [7, 8]));
    await suspended.resume();
    assertEquals(seen, [[1], [7, 8]]);
    assertEquals(await read(here, token), { list: [7, 8, 3] });

    await use(here, token, async (session) => {
      await assertRejects(
        async () => await session.update("list", () => Promise.resolve([])),
        TypeError,
        "want a synchronous callback, which may run again: received a promise",
      );
    });
    assertEquals(await read(here, token), { list: [7, 8, 3] });

    // one that turns asynchronous only when it runs again
    let runs = 0;
    const late = await suspend(here, token, (session) => {
      session.update("list", () => ++runs === 1 ? [] : Promise.resolve([]));
    });
    await use(there, token, (session) => session.set("list", [9]));
    await assertRejects(() => late.resume(), TypeError, "received a promise");
    assertEquals(await read(here, token), { list: [9] });
  },
);

testRaces("R34 a reader never writes back over a writer", async (race) => {
  let now = Date.now();
  const clock = () => now;
  const [here, there] = [race.manager({ clock }), race.manager({ clock })];
  const token = await start(here, (session) => {
    session.set("list", ["old"]);
    session.set("gone", 1);
  });
  // once within the throttle of the touch, and once beyond it
  for (const step of [0, 86_400_000]) {
    now += step;
    const readers = await Promise.all(
      [here, here, there].map((manager) =>
        suspend(manager, token, (session) => [...session.entries()])
      ),
    );
    await use(here, token, (session) => {
      session.get<string[]>("list")?.push("new");
      session.delete("gone");
    });
    const expected = await read(here, token);
    for (const reader of readers) await reader.resume();
    assertEquals(await read(there, token), expected);
  }
  assertEquals(await read(there, token), { list: ["old", "new", "new"] });
});

testRaces("R41 20 parallel first requests are each sound", async (race) => {
  const manager = race.manager();
  const responses = await Promise.all(
    Array.from(
      { length: 20 },
      (_, index) =>
        manager.handle(get(), (session) => {
          session.set("mine", index);
          return new Response();
        }),
    ),
  );
  const tokens = responses.map((response) => tokenOf(response));
  assertEquals(new Set(tokens).size, 20);
  for (const [index, token] of tokens.entries()) {
    assertEquals(await read(manager, token), { mine: index });
  }
  assertEquals((await race.store.dump()).length, 20);
  assertEquals(race.takeEvents(), Array(20).fill("created"));
});

testRaces(
  "a write inside the throttle sends no cookie, however many race",
  async (race) => {
    const manager = race.manager();
    const token = await start(manager);
    const responses = await together(
      times(10, manager, token, (session, index) => session.set("n", index)),
    );
    assertEquals(responses.flatMap(cookies), []);
  },
);
