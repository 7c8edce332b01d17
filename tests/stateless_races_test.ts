/**
 * Stateless sessions whose requests race in one process.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type Session,
  type SessionOptions,
  SessionTooLargeError,
} from "@tessera/session";
import { collectGarbage } from "./_garbage.ts";
import { key } from "./_helpers.ts";
import { DAY, Process } from "./_stateless_process.ts";

/** Everything that a request may do to a session beside a login. */
const USES: Record<string, (session: Session) => void> = {
  "a touch": () => {},
  "a write": (session) => session.set("late", 1),
  "an update": (session) => session.update<number>("n", (n = 0) => n + 1),
  "a flash": (session) => session.flash("notice", "late"),
  "persist": (session) => session.persist(false),
  "regenerate": (session) => session.regenerate(),
  "logout": (session) => session.logout(),
};

Deno.test("R34 a stateless read that ends late leaves what others wrote meanwhile", async () => {
  const one = new Process();
  const token = await one.signIn();
  one.clock.advance(DAY); // a touch is due
  const slow = await one.begin(token);
  const written = await one.visit(token, (session) => session.set("cart", 1));
  const late = await one.end(slow);
  assertEquals(late, written); // the newest, not what it has read
  assertEquals(await one.read(late), { cart: 1 });
  assertEquals(slow.get("cart"), 1);
});

Deno.test("R34 a stateless session that is re-issued under a new key loses nothing", async () => {
  const token = await new Process().signIn();
  const one = new Process({ secrets: [key("b"), key("a")] });
  const slow = await one.begin(token);
  const other = await one.begin(token);
  const written = await one.visit(token, (session) => session.set("cart", 1));
  assertEquals(await one.end(slow), written);
  assertEquals(await one.end(other), written);
  const alone = new Process({ secrets: [key("b")] });
  assertEquals(await alone.read(written), { cart: 1 });
});

for (
  const [kind, options] of Object.entries<SessionOptions>({
    "": {},
    " with a schema": {
      schema: {
        "~standard": {
          version: 1,
          vendor: "test",
          validate: async (value) => {
            await undefined;
            return { value: value as object };
          },
        },
      },
    },
  })
) {
  Deno.test(`R33 20 parallel updates and 20 parallel sets of a stateless session all count${kind}`, async () => {
    const one = new Process(options);
    const token = await one.signIn();
    const sessions = await Promise.all(
      Array.from({ length: 20 }, () => one.begin(token)),
    );
    for (const [index, session] of sessions.entries()) {
      session.update<number>("n", (n = 0) => n + 1);
      session.set(`key ${index}`, index);
    }
    const tokens = await Promise.all(
      sessions.map((session) => one.end(session)),
    );
    const keys = Array.from({ length: 20 }, (_, index) => [
      `key ${index}`,
      index,
    ]);
    const all = { n: 20, ...Object.fromEntries(keys) };
    // whichever of the responses arrives last
    for (const sent of tokens) assertEquals(await one.read(sent), all);
    assertEquals(await one.read(token), all);
  });
}

for (const [name, use] of Object.entries(USES)) {
  Deno.test(`R25 a stateless logout beats ${name} in flight`, async () => {
    const one = new Process();
    const token = await one.signIn();
    one.clock.advance(DAY);
    const slow = await one.begin(token);
    use(slow);
    const logout = await one.begin(token);
    logout.logout();
    assertEquals(await one.end(logout), "clear");
    assertEquals(one.events(), ["ended logout"]);
    assertEquals(await one.end(slow), "");
    assertEquals(one.events(), ["dropped logout"]);
  });

  Deno.test(`R25 a stateless login beats ${name} in flight`, async () => {
    const one = new Process();
    const token = await one.visit("", (session) => session.set("n", 1));
    one.clock.advance(DAY);
    const slow = await one.begin(token);
    use(slow);
    one.events();
    const login = await one.visit(token, (session) => session.login("ada"));
    assertEquals(one.events(), ["ended rotated", "login"]);
    assertEquals(await one.end(slow), "");
    assertEquals(one.events(), ["dropped rotated"]);
    assertEquals(await one.read(login), { n: 1 });
  });
}

Deno.test("a stateless login whose session ended meanwhile signs in from a blank one", async () => {
  const one = new Process();
  const token = await one.visit("", (session) => session.set("n", 1));
  const slow = await one.begin(token);
  slow.set("m", 2);
  slow.login("ada");
  await one.visit(token, (session) => session.logout());
  one.events();
  const signedIn = await one.end(slow);
  assertEquals(one.events(), ["created", "login"]);
  assertEquals((await one.begin(signedIn)).subject, "ada");
  assertEquals(await one.read(signedIn), { m: 2 });
});

Deno.test("parallel regenerates of a stateless session are one", async () => {
  const one = new Process();
  const token = await one.signIn();
  const { id } = await one.begin(token);
  const racing = await Promise.all([0, 1, 2].map(() => one.begin(token)));
  for (const [index, session] of racing.entries()) {
    session.set(`key ${index}`, index);
    session.regenerate();
  }
  const tokens = await Promise.all(racing.map((session) => one.end(session)));
  assertEquals(one.events(), ["regenerated"]);
  const [now] = racing;
  assert(now !== undefined && now.id !== id);
  for (const sent of tokens) {
    const session = await one.begin(sent);
    assertEquals([session.id, session.size], [now.id, 3]);
  }
  // one that comes by the old token joins them too
  const late = await one.begin(token);
  late.regenerate();
  await one.end(late);
  assertEquals([late.id, one.events()], [now.id, []]);
});

Deno.test("R33 updates by the old and the new id of a stateless session both count", async () => {
  const one = new Process();
  const token = await one.signIn();
  const before = await one.begin(token);
  const moved = await one.visit(token, (session) => session.regenerate());
  const racing = [before, await one.begin(moved), await one.begin(token)];
  for (const session of racing) {
    session.update<number>("n", (n = 0) => n + 1);
  }
  await Promise.all(racing.map((session) => one.end(session)));
  assertEquals(await one.read(moved), { n: 3 });
});

Deno.test("a stateless response that leaves late brings the newest token, or none", async () => {
  const one = new Process();
  const first = await one.signIn();
  const slow = [];
  for (let count = 0; count < 3; count++) {
    const session = await one.begin(first);
    session.set(`key ${count}`, count);
    await session.commit();
    slow.push(() => one.end(session));
  }
  const written = await one.visit(first, (session) => session.clear());
  assertEquals(await slow[0]?.(), written);
  const moved = await one.visit(written, (session) => session.regenerate());
  assertEquals(await slow[1]?.(), moved);
  await one.visit(moved, (session) => session.login("eve"));
  assertEquals(await slow[2]?.(), ""); // it would sign out again
});

Deno.test("a stateless commit that fails leaves those that wait for it alone", async () => {
  const one = new Process();
  const token = await one.signIn();
  const racing = await Promise.all([0, 1, 2].map(() => one.begin(token)));
  const [a, large, b] = racing as [Session, Session, Session];
  a.set("a", 1);
  large.set("large", "x".repeat(4_000));
  b.set("b", 1);
  const ends = [one.end(a), one.end(large), one.end(b)] as const;
  await assertRejects(() => ends[1], SessionTooLargeError);
  assertEquals(await one.read(await ends[2]), { a: 1, b: 1 });
  // it may be tried again, with less
  large.set("large", "x");
  const all = { a: 1, b: 1, large: "x" };
  assertEquals(await one.read(await one.end(large)), all);
  await ends[0];
});

Deno.test("a flash value that a stateless request took stays taken", async () => {
  const one = new Process();
  const first = await one.visit("", (session) => session.flash("notice", "hi"));
  const slow = await one.begin(first);
  slow.set("n", 1);
  await one.visit(first, (session) => {
    assertEquals(session.flash("notice"), "hi");
  });
  const other = new Process({}, one.clock);
  const end = await one.end(slow);
  // in another process, which cannot know that it was shown
  assertEquals((await other.begin(end)).flash("notice"), undefined);
  assertEquals(await other.read(end), { n: 1 });
});

for (const isLate of [false, true]) {
  const how = isLate ? "came too late" : "has ended";
  Deno.test(`R53 a stateless flash value stays shown when the request that showed it ${how}, and is forgotten`, async () => {
    const one = new Process();
    const token = await one.visit("", (session) => session.flash("n", "x"));
    const waiting = await one.begin(token);
    const seen: unknown[] = [];
    // in a function of its own, which holds nothing of it when it returns
    await (async () => {
      const showing = await one.begin(token);
      seen.push(showing.flash("n"));
      if (isLate) await one.visit(token, (session) => session.logout());
      await one.end(showing);
    })();
    await collectGarbage();
    seen.push(waiting.flash("n"));
    assertEquals(seen, ["x", undefined]);
  });
}
