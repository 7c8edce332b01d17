import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { SessionClosedError } from "@tessera/session";
import { getWith } from "./_helpers.ts";
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

testRaces(
  "a commit before a stream merges like any request, and the stream sees it",
  async (race) => {
    const [manager, other] = [race.manager(), race.manager()];
    const token = await start(manager, (session) => session.set("n", 0));
    const closed = Promise.withResolvers<void>();
    const response = await manager.handle(getWith(token), async (session) => {
      session.update<number>("n", (n = 0) => n + 1);
      await use(other, token, (session) => session.set("n", 10));
      await session.commit();
      const body = new ReadableStream<Uint8Array>({
        async start(controller) {
          await closed.promise;
          assertThrows(
            () => session.set("n", 0),
            SessionClosedError,
            "use manager.edit from sockets and queues",
          );
          controller.enqueue(new TextEncoder().encode(`${session.get("n")}`));
          controller.close();
        },
      });
      return new Response(body);
    });
    // it is stored before the first byte, and others go on meanwhile
    assertEquals(await read(other, token), { n: 11 });
    await use(other, token, (session) => session.set("n", 20));
    closed.resolve();
    assertEquals(await response.text(), "11");
    assertEquals(await read(manager, token), { n: 20 });
  },
);

testRaces(
  "a session that a handler committed early is committed once",
  async (race) => {
    const manager = race.manager();
    const token = await start(manager, (session) => session.set("n", 0));
    race.store.reset();
    const response = await use(manager, token, async (session) => {
      session.update<number>("n", (n = 0) => n + 1);
      session.regenerate();
      await Promise.all([session.commit(), session.commit()]);
      await session.commit();
    });
    assertEquals(race.store.calls.commit, 1);
    assertEquals(cookies(response).length, 1);
    assertEquals(await read(manager, token), { n: 1 });
  },
);

testRaces(
  "SessionManager.edit merges with requests and other edits",
  async (race) => {
    const [manager, other] = [race.manager(), race.manager()];
    const token = await start(manager, (session) => session.set("list", []));
    const id = token.slice(0, 26);
    const results = await Promise.all([
      ...Array.from(
        { length: 20 },
        (_, index) =>
          (index % 2 === 0 ? manager : other).edit(id, (session) => {
            session.update<number>("n", (n = 0) => n + 1);
            session.set(`edit ${index}`, true);
            session.flash("notice", index);
            return index;
          }),
      ),
      together(times(20, manager, token, (session) => {
        session.update<number>("n", (n = 0) => n + 1);
      })),
    ]);
    assertEquals(results.slice(0, 20), Array.from(results.slice(0, 20).keys()));
    const data = await read(other, token) ?? {};
    assertEquals(data.n, 40);
    assertEquals(Object.keys(data).length, 22);
  },
);

testRaces(
  "SessionManager.edit follows a session to its new id, and finds none that ended",
  async (race) => {
    const [manager, other] = [race.manager(), race.manager()];
    const token = await start(manager, (session) => session.set("n", 0));
    const id = token.slice(0, 26);
    const gate = Promise.withResolvers<void>();
    const loaded = Promise.withResolvers<void>();
    const editing = manager.edit(id, async (session) => {
      loaded.resolve();
      await gate.promise;
      session.update<number>("n", (n = 0) => n + 1);
      return "edited";
    });
    await loaded.promise;
    await use(other, token, (session) => session.regenerate());
    gate.resolve();
    assertEquals(await editing, "edited");
    assertEquals(await read(manager, token), { n: 1 });
    // the old id leads to the new one for edits that begin now, too
    assertEquals(
      await other.edit(id, (session) => session.get("n")),
      1,
    );

    const late = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    const dropped = other.edit(id, async (session) => {
      started.resolve();
      await late.promise;
      session.set("n", 100);
      return "edited";
    });
    await started.promise;
    assertEquals(await manager.revoke(id), true);
    late.resolve();
    assertEquals(await dropped, undefined);
    assertEquals(await other.edit(id, () => "edited"), undefined);
    assertEquals(await read(manager, token), undefined);
  },
);

testRaces("an edit that throws saves nothing", async (race) => {
  const manager = race.manager();
  const token = await start(manager, (session) => session.set("n", 0));
  await assertRejects(
    () =>
      manager.edit(token.slice(0, 26), (session) => {
        session.set("n", 1);
        throw new Error("no");
      }),
    Error,
    "no",
  );
  assertEquals(await read(manager, token), { n: 0 });
});

testRaces(
  "an edit is no use of a session: it neither prolongs it nor brings it back",
  async (race) => {
    let now = 1_900_000_000_000;
    const manager = race.manager({ clock: () => now, idleTimeout: 10_000 });
    const token = await start(manager);
    const id = token.slice(0, 26);
    const before = await manager.get(id);
    now += 5_000;
    await manager.edit(id, (session) => session.set("n", 1));
    assertEquals(await manager.get(id), before);

    // begun while the session lived, and through when it had expired
    const edited = await manager.edit(id, (session) => {
      now += 5_000;
      session.set("n", 2);
      return "edited";
    });
    assertEquals(edited, undefined);
    assertEquals(race.takeEvents().includes("dropped idle-timeout"), true);
    assertEquals(await manager.get(id), undefined);
    assertEquals(await race.store.dump(), []);
  },
);

testRaces(
  "R37 the target of a redirect sees what the redirecting request wrote, 200 times",
  async (race) => {
    const [manager, other] = [race.manager(), race.manager()];
    const token = await start(manager);
    for (let n = 0; n < 200; n++) {
      // a reader under way must not make the next one see the past
      const slow = await suspend(other, token, (session) => session.get("n"));
      const response = await manager.handle(getWith(token), (session) => {
        session.set("n", n);
        return new Response(null, { status: 303, headers: { location: "/" } });
      });
      assert(response.status === 303);
      const [seen] = await Promise.all([read(other, token), slow.resume()]);
      assertEquals(seen?.n, n);
    }
  },
);
