/**
 * `session.attach` and the states of a socket.
 */

import { assertEquals, assertThrows } from "@std/assert";
import { MemoryStore, SessionManager } from "@tessera/session";
import { getWith } from "./_helpers.ts";
import { liveStore, settled, until } from "./_live.ts";
import { Visitor } from "./_visitor.ts";

/** A socket that does what the test says. */
class FakeSocket extends EventTarget {
  readyState: number;
  readonly closed: [number, string][] = [];

  constructor(readyState: number) {
    super();
    this.readyState = readyState;
  }

  become(readyState: number, type: string): void {
    this.readyState = readyState;
    this.dispatchEvent(new Event(type));
  }

  close(code: number, reason: string): void {
    this.closed.push([code, reason]);
  }

  get socket(): WebSocket {
    return this as unknown as WebSocket;
  }
}

Deno.test("Session.attach() closes a socket that was connecting when the session ended, once it is open", async () => {
  const store = liveStore(new MemoryStore());
  const sessions = new SessionManager({ store });
  const visitor = new Visitor(sessions);
  const id = await visitor.visit((session) => {
    session.login("ada");
    return session.id;
  });
  const fakes = [0, 1, 2, 3].map((state) => new FakeSocket(state));
  const never = new FakeSocket(0);
  await visitor.visit((session) => {
    for (const fake of [...fakes, never]) session.attach(fake.socket);
  });
  assertEquals(store.watching, 1);
  await sessions.revoke(id);
  await settled();
  const [connecting, open, closing, closed] = fakes;
  assertEquals(connecting?.closed, []);
  assertEquals(open?.closed, [[3000, "session ended: revoked"]]);
  assertEquals([closing?.closed, closed?.closed], [[], []]);
  connecting?.become(1, "open");
  await until(() => connecting?.closed.length === 1);
  assertEquals(connecting?.closed, [[3000, "session ended: revoked"]]);
  assertEquals(store.watching, 0);
  assertEquals(never.closed, []);
});

Deno.test("Session.attach() works after the response too, and follows a login", async () => {
  const store = liveStore(new MemoryStore());
  const sessions = new SessionManager({ store });
  const visitor = new Visitor(sessions);
  const early = new FakeSocket(1);
  const late = new FakeSocket(1);
  let attach = () => {};
  const id = await visitor.visit((session) => {
    session.attach(early.socket); // nothing is stored yet
    attach = () => session.attach(late.socket);
    session.set("n", 1);
    session.login("ada");
    return session.id;
  });
  attach();
  await settled();
  assertEquals(store.watching, 1);
  early.become(3, "close");
  assertEquals(store.watching, 1);
  await visitor.visit((session) => session.regenerate());
  await visitor.visit((session) => session.logout());
  await until(() => late.closed.length === 1);
  assertEquals(late.closed, [[3000, "session ended: logout"]]);
  assertEquals(early.closed, []);
  assertEquals(store.watching, 0);
  assertEquals(await sessions.get(id), undefined);
});

Deno.test("Session.attach() lets go when the handler throws, and refuses what is no socket", async () => {
  const store = liveStore(new MemoryStore());
  const sessions = new SessionManager({ store });
  const visitor = new Visitor(sessions);
  await visitor.visit((session) => session.login("ada"));
  const fake = new FakeSocket(1);
  await sessions.handle(getWith(visitor.token), (session) => {
    session.attach(fake.socket);
    assertEquals(store.watching, 1);
    throw new Error("handler");
  }).catch(() => {});
  assertEquals(store.watching, 0);
  await visitor.visit((session) => {
    for (const socket of [undefined, null, {}, "ws://localhost"]) {
      assertThrows(
        () => Reflect.apply(session.attach, session, [socket]),
        TypeError,
        "want a WebSocket",
      );
    }
  });
  assertEquals(store.watched, 1);
});

Deno.test("Session.attach() does not watch for a socket that has closed before the commit", async () => {
  const store = liveStore(new MemoryStore());
  const sessions = new SessionManager({ store });
  const visitor = new Visitor(sessions);
  await visitor.visit((session) => session.set("n", 1));
  const fake = new FakeSocket(1);
  await visitor.visit((session) => {
    session.attach(fake.socket);
    fake.become(3, "close");
    session.login("ada"); // which it would be moved to
  });
  assertEquals(store.watching, 0);
});

Deno.test("a socket that cannot be closed keeps neither the others open nor the session alive", async () => {
  const sessions = new SessionManager({ store: new MemoryStore() });
  const visitor = new Visitor(sessions);
  await visitor.visit((session) => session.login("ada"));
  const [broken, sound] = [new FakeSocket(1), new FakeSocket(1)];
  broken.close = () => {
    throw new Error("not this one");
  };
  const id = await visitor.visit((session) => {
    session.attach(broken.socket);
    session.attach(sound.socket);
    return session.id;
  });
  assertEquals(await sessions.revoke(id), true);
  assertEquals(sound.closed, [[3000, "session ended: revoked"]]);
});

Deno.test("Session.attach() tells a socket once of an end that a sign-in did not come to leave behind", async () => {
  const store = new MemoryStore();
  for (const how of ["throws", "destroys"] as const) {
    const sessions = new SessionManager({ store });
    const visitor = new Visitor(sessions);
    const id = await visitor.visit((session) => {
      session.login("ada");
      return session.id;
    });
    const fake = new FakeSocket(1);
    let attach = () => {};
    let signal: AbortSignal | undefined;
    const visit = visitor.visit(async (session) => {
      session.attach(fake.socket);
      attach = () => session.attach(new FakeSocket(1).socket);
      signal = session.signal;
      session.login("eve");
      await sessions.revoke(id);
      if (how === "throws") throw new Error("the handler's own");
      session.destroy();
    });
    await visit.catch(() => {});
    attach();
    await settled();
    assertEquals(fake.closed, [[3000, "session ended: revoked"]], how);
    assertEquals(signal?.aborted, true);
  }
});
