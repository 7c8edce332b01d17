import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Session } from "@tessera/session";
import { collectGarbage } from "./_garbage.ts";
import { tokenOf } from "./_helpers.ts";
import {
  start,
  suspend,
  type Suspended,
  testRaces,
  testRacesInMemory,
  times,
  together,
  use,
} from "./_races.ts";

testRaces(
  "R53 a flash value is seen exactly once by 20 parallel readers of one process",
  async (race) => {
    const managers = [race.manager(), race.manager()];
    for (let round = 0; round < 3; round++) {
      const token = await start(race.manager(), (session) => {
        session.flash("notice", "saved");
      });
      const seen: unknown[] = [];
      await together(
        managers.flatMap((manager) =>
          times(10, manager, token, (session) => {
            seen.push(session.flash("notice"));
          })
        ),
      );
      assertEquals(seen.filter((value) => value === "saved").length, 1);
      assertEquals(seen.length, 20);
      await use(race.manager(), token, (session) => {
        assertEquals(session.flash("notice"), undefined);
      });
    }
  },
);

testRaces(
  "R53 20 parallel readers of 20 flash values show each once, the oldest first",
  async (race) => {
    const manager = race.manager();
    const token = await start(manager, (session) => {
      for (let n = 0; n < 20; n++) session.flash("notice", n);
    });
    const seen: unknown[] = [];
    await together(times(20, manager, token, (session) => {
      seen.push(session.flash("notice"));
    }));
    assertEquals(seen, Array.from({ length: 20 }, (_, index) => index));
  },
);

testRaces(
  "R53 a reader that had loaded before another one showed a value does not show it",
  async (race) => {
    const [manager, other] = [race.manager(), race.manager()];
    const token = await start(manager, (session) => session.flash("n", "once"));
    const seen: unknown[] = [];
    const late = await suspend(manager, token, (session) => {
      seen.push(session.flash("n"));
    });
    await use(other, token, (session) => seen.push(session.flash("n")));
    await late.resume();
    assertEquals(seen, ["once", undefined]);
  },
);

const SHOWN_WITH: Record<string, (session: Session) => void> = {
  "nothing else": () => {},
  "a new id": (session) => session.regenerate(),
  "a login": (session) => session.login("alice"),
};

for (const [name, also] of Object.entries(SHOWN_WITH)) {
  testRacesInMemory(
    `R53 a value that was shown with ${name} stays shown when its request is forgotten`,
    async (race) => {
      const manager = race.manager();
      const token = await start(manager, (session) => session.flash("n", "x"));
      const seen: unknown[] = [];
      const late = await suspend(manager, token, (session) => {
        seen.push(session.flash("n"));
      });
      await use(manager, token, (session) => {
        seen.push(session.flash("n"));
        also(session);
      });
      await collectGarbage();
      await late.resume();
      assertEquals(seen, ["x", undefined]);
    },
  );
}

testRaces(
  "a flash value is not lost when the request that would show it throws",
  async (race) => {
    const manager = race.manager();
    const token = await start(manager, (session) => session.flash("n", "kept"));
    const failing = await suspend(manager, token, (session) => {
      assertEquals(session.flash("n"), "kept");
      throw new Error("no page");
    });
    const waiting = await suspend(manager, token, (session) => {
      assertEquals(session.flash("n"), "kept");
    });
    await assertRejects(() => failing.resume(), Error, "no page");
    // even to a request that had loaded before the other one failed
    await waiting.resume();
    await use(manager, token, (session) => {
      assertEquals(session.flash("n"), undefined);
    });
  },
);

testRaces(
  "a flash value is not lost when the store fails",
  async (race) => {
    const manager = race.manager();
    const token = await start(manager, (session) => session.flash("n", "kept"));
    race.store.onCommit = () => Promise.reject(new Error("disk on fire"));
    await assertRejects(
      () => use(manager, token, (session) => session.flash("n")),
      Error,
      "the store must answer",
    );
    race.store.onCommit = undefined;
    await use(manager, token, (session) => {
      assertEquals(session.flash("n"), "kept");
    });
  },
);

testRaces(
  "keepFlash puts a value back for a request that is waiting for its turn",
  async (race) => {
    const manager = race.manager();
    const token = await start(manager, (session) => session.flash("n", "kept"));
    const seen: unknown[] = [];
    const waiting = await suspend(manager, token, (session) => {
      seen.push(session.flash("n"));
    });
    await use(manager, token, (session) => {
      seen.push(session.flash("n"));
      session.keepFlash();
    });
    await waiting.resume();
    await use(manager, token, (session) => seen.push(session.flash("n")));
    assertEquals(seen, ["kept", "kept", undefined]);
  },
);

testRacesInMemory(
  "a flash value shown by a request that came too late is not shown again",
  async (race) => {
    const manager = race.manager();
    const token = await start(manager, (session) => session.flash("n", "once"));
    const seen: unknown[] = [];
    let late: Suspended | undefined = await suspend(manager, token, (one) => {
      seen.push(one.flash("n"));
    });
    const rotated = await use(
      manager,
      token,
      (session) => session.login("alice"),
    );
    await late.resume();
    late = undefined;
    await collectGarbage();
    assert(race.takeEvents().includes("dropped rotated"));
    await use(manager, tokenOf(rotated), (session) => {
      assertEquals(session.subject, "alice");
      seen.push(session.flash("n"));
    });
    assertEquals(seen, ["once", undefined]);
  },
);

testRacesInMemory(
  "a flash value that was shown is not shown again, however many others are shown meanwhile",
  async (race) => {
    const manager = race.manager();
    const token = await start(manager, (session) => session.flash("n", "once"));
    const seen: unknown[] = [];
    const late = await suspend(manager, token, (session) => {
      seen.push(session.flash("n"));
    });
    await use(manager, token, (session) => seen.push(session.flash("n")));
    const busy = await start(manager, (session) => {
      for (let n = 0; n < 1_000; n++) session.flash("n", n);
    });
    await use(manager, busy, (session) => {
      for (let n = 0; n < 1_000; n++) session.flash("n");
    });
    await late.resume();
    assertEquals(seen, ["once", undefined]);
  },
);

testRaces(
  "a flash value is claimed for as long as its request runs, whatever else is shown",
  async (race) => {
    const manager = race.manager();
    const token = await start(manager, (session) => session.flash("n", "mine"));
    const show = (session: Session) => session.flash("n");
    const seen: unknown[] = [];
    const waiting = await suspend(manager, token, (session) => {
      seen.push(show(session));
    });
    const slow = Promise.withResolvers<void>();
    const claimed = Promise.withResolvers<void>();
    const showing = use(manager, token, async (session) => {
      seen.push(show(session));
      claimed.resolve();
      await slow.promise;
    });
    await claimed.promise;
    // more than are remembered
    for (let round = 0; round < 11; round++) {
      const busy = await start(manager, (session) => {
        for (let n = 0; n < 1_000; n++) session.flash("n", n);
      });
      await use(manager, busy, (session) => {
        for (let n = 0; n < 1_000; n++) assertEquals(show(session), n);
      });
    }
    await waiting.resume();
    slow.resolve();
    await showing;
    assertEquals(seen, ["mine", undefined]);
  },
);
