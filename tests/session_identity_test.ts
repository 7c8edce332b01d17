import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Session } from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { SpyStore } from "./_spy_store.ts";
import { Visitor } from "./_visitor.ts";

Deno.test("Session tells when it was made, used, and ends", async () => {
  const clock = new TestClock(1_000_000);
  const visitor = new Visitor({
    clock: clock.now,
    idleTimeout: 10_000,
    absoluteTimeout: 25_000,
  });
  const times = (session: Session) => [
    session.isNew,
    session.createdAt,
    session.lastSeenAt,
    session.expiresAt,
    session.authenticatedAt,
  ];
  const created = await visitor.visit((session) => {
    session.set("a", 1);
    return times(session);
  });
  assertEquals(created, [true, 1_000_000, 1_000_000, 1_010_000, undefined]);
  clock.advance(999);
  assertEquals(await visitor.visit(times), [
    false,
    1_000_000,
    1_000_000,
    1_010_000,
    undefined,
  ]);
  clock.advance(1_001);
  await visitor.visit(times);
  assertEquals(await visitor.visit(times), [
    false,
    1_000_000,
    1_002_000,
    1_012_000,
    undefined,
  ]);
  clock.advance(8_000);
  const login = await visitor.visit((session) => {
    session.login("alice");
    return times(session);
  });
  assertEquals(login.slice(3), [1_020_000, 1_010_000]);
  assertEquals(await visitor.visit(times), [
    false,
    1_000_000,
    1_010_000,
    1_020_000,
    1_010_000,
  ]);
  clock.advance(9_000);
  await visitor.visit(times);
  clock.advance(9_000);
  await visitor.visit(times);
  assertEquals(await visitor.visit(times), [
    false,
    1_000_000,
    1_028_000,
    1_035_000,
    1_010_000,
  ]);
});

Deno.test("Session.id is known at once, and stays what it will be", async () => {
  const visitor = new Visitor();
  const ids = await visitor.visit((session) => {
    const ids = [session.id, session.id];
    session.set("a", 1);
    session.regenerate(); // nobody knows the id yet
    return [...ids, session.id];
  });
  assertEquals(new Set(ids).size, 1);
  assertEquals(await visitor.visit(({ id }) => id), ids[0]);
  assertEquals(visitor.token.split(".")[0], ids[0]);
  assert(/^[0-9A-HJKMNP-TV-Z]{26}$/.test(ids[0] ?? ""));

  for (
    const change of [
      (session: Session) => session.regenerate(),
      (session: Session) => session.login("alice"),
    ]
  ) {
    const before = await visitor.visit(({ id }) => id);
    const after = await visitor.visit((session) => {
      change(session);
      return session.id;
    });
    assert(after !== before);
    assertEquals(await visitor.visit(({ id }) => id), after);
  }
});

Deno.test("Session.login() binds the subject, and is seen at once", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => {
    session.set("cart", ["apples"]);
    assertEquals(session.subject, undefined);
    session.login("bob");
    session.login("alice", { label: "Firefox" });
    assertEquals(session.subject, "alice");
  });
  const [info] = await Array.fromAsync(visitor.sessions.list());
  assertEquals([info?.subject, info?.label], ["alice", "Firefox"]);
  await visitor.visit((session) => {
    assertEquals(session.subject, "alice");
    assertEquals(session.get("cart"), ["apples"]);
    // a later regenerate does not undo a login
    session.login("carol");
    session.regenerate();
  });
  assertEquals(await visitor.visit(({ subject }) => subject), "carol");
  assertEquals((await Array.fromAsync(visitor.sessions.list())).length, 1);
});

Deno.test("Session.login() refuses what is no subject and no option", async () => {
  await new Visitor().visit((session) => {
    for (const subject of [1, null, undefined, {}]) {
      assertThrows(
        () => session.login(subject as unknown as string),
        TypeError,
        '"subject" must be a string',
      );
    }
    assertThrows(
      () => session.login("a", { label: 1 as unknown as string }),
      TypeError,
      '"label" must be a string: received number',
    );
    assertThrows(
      () => session.login("a", { device: "x" } as { label?: string }),
      TypeError,
      'want an option of label: received "device"',
    );
    assertThrows(
      () => session.persist("yes" as unknown as boolean),
      TypeError,
      '"persistent" must be a boolean: received string',
    );
    assertEquals(session.subject, undefined);
  });
});

Deno.test("Session.persist() chooses the kind of cookie, and is kept", async () => {
  const clock = new TestClock();
  for (const persistent of [true, false]) {
    const visitor = new Visitor({
      cookie: { persistent: !persistent },
      clock: clock.now,
      idleTimeout: { hours: 1 },
    });
    const maxAge = () =>
      visitor.response.headers.getSetCookie().map((line) =>
        /Max-Age=(\d+)/.exec(line)?.[1]
      );
    await visitor.visit((session) => session.set("a", 1));
    assertEquals(maxAge(), [persistent ? undefined : "3600"]);
    await visitor.visit((session) => session.persist(persistent));
    const chosen = persistent ? "3600" : undefined;
    assertEquals(maxAge(), [chosen]);
    await visitor.visit((session) => session.persist(persistent));
    assertEquals(maxAge(), []);
    await visitor.visit((session) => session.regenerate());
    assertEquals(maxAge(), [chosen]);
    await visitor.visit((session) => session.login("alice"));
    assertEquals(maxAge(), [chosen]);
    clock.advance({ minutes: 30 });
    await visitor.visit(() => {});
    assertEquals(maxAge(), persistent ? ["3600"] : []);
    visitor.client.restart();
    assertEquals(visitor.token === "", !persistent);
  }
});

Deno.test("Session.regenerate() is no use of its own: within the throttle all times stay", async () => {
  const clock = new TestClock();
  const visitor = new Visitor({ clock: clock.now });
  await visitor.visit((session) => session.set("a", 1));
  const info = async () => {
    const { id = "", ...times } =
      await visitor.sessions.get(visitor.token.slice(0, 26)) ?? {};
    return { id, times };
  };
  const before = await info();
  clock.advance({ minutes: 1 });
  await visitor.visit((session) => session.regenerate());
  const after = await info();
  assert(after.id !== before.id);
  assertEquals(after.times, before.times);
});

Deno.test("Session.regenerate() lets the old id lead to the session for the rotationGrace", async () => {
  const clock = new TestClock();
  const visitor = new Visitor({ clock: clock.now });
  await visitor.visit((session) => session.set("a", 1));
  const headers = { cookie: `__Host-session=${visitor.token}` };
  await visitor.visit((session) => session.regenerate());
  for (const [wait, known] of [[9_999, true], [1, false]] as const) {
    clock.advance(wait);
    const request = new Request("https://example.com/", { headers });
    const session = await visitor.sessions.load(request);
    assertEquals(session.isNew, !known);
    assertEquals(session.get("a"), known ? 1 : undefined);
  }
});

Deno.test("Session.regenerate() leaves nothing of the old id without a rotationGrace", async () => {
  const store = new SpyStore();
  const visitor = new Visitor({ store, rotationGrace: 0 });
  await visitor.visit((session) => session.set("a", 1));
  const old = visitor.token;
  await visitor.visit((session) => session.regenerate());
  assertEquals(await visitor.read(), [["a", 1]]);
  assertEquals((await store.dump()).map(({ id }) => id), [
    visitor.token.split(".")[0],
  ]);
  const headers = { cookie: `__Host-session=${old}` };
  const request = new Request("https://example.com/", { headers });
  assertEquals((await visitor.sessions.load(request)).isNew, true);
});

Deno.test("Session.persist() with what is so already stores and sends nothing", async () => {
  const store = new SpyStore();
  const visitor = new Visitor({ store });
  await visitor.visit((session) => session.set("a", 1));
  const { length } = store.commits;
  await visitor.visit((session) => session.persist(true));
  await visitor.visit((session) => {
    session.persist(false);
    session.persist(true);
  });
  assertEquals(store.commits.length, length);
  assertEquals(visitor.response.headers.getSetCookie(), []);
  await visitor.visit((session) => session.persist(false));
  assertEquals(store.commits.length, length + 1);
});

Deno.test("Session.login() of who is signed in already keeps the label, unless it gets another", async () => {
  const visitor = new Visitor();
  const labels = async () =>
    (await Array.fromAsync(visitor.sessions.list())).map(({ label }) => label);
  await visitor.visit((session) => session.login("ada", { label: "Firefox" }));
  await visitor.visit((session) => session.login("ada"));
  assertEquals(await labels(), ["Firefox"]);
  await visitor.visit((session) => session.login("ada", { label: "phone" }));
  assertEquals(await labels(), ["phone"]);
  await visitor.visit((session) => session.login("eve"));
  assertEquals(await labels(), [undefined]);
});

Deno.test("Session.persist() counts beside a login, though the session that it was so for is gone", async () => {
  const visitor = new Visitor({ cookie: { persistent: false } });
  await visitor.visit((session) => session.persist(true));
  await visitor.visit((session) => {
    session.set("a", 1);
    session.persist(true);
  });
  await visitor.visit(async (session) => {
    await visitor.sessions.revoke(session.id);
    session.login("ada");
    session.persist(true);
  });
  const [cookie] = visitor.response.headers.getSetCookie();
  assert(cookie?.includes("Max-Age="));
});
