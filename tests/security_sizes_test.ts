/**
 * Large values, and keys that the library uses itself.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { deepStrictEqual } from "node:assert/strict";
import {
  MemoryStore,
  type Session,
  SessionManager,
  type SessionStore,
  SessionTooLargeError,
} from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { get, getWith, testOnStores, tokenOf } from "./_helpers.ts";

function remember(session: Session): Response {
  session.set("kept", "old");
  return new Response();
}

/** Reads a value in a request of its own. */
async function read(
  sessions: SessionManager,
  token: string,
  name: string,
): Promise<unknown> {
  let value: unknown;
  await sessions.handle(getWith(token), (session) => {
    value = session.get(name);
    return new Response();
  });
  return value;
}

testOnStores("R39 values around 64 KiB come back whole", async ({ store }) => {
  const sessions = new SessionManager({ store });
  const token = tokenOf(await sessions.handle(get(), remember));
  for (let size = 65_400; size <= 65_540; size++) {
    const value = size % 2 === 0
      ? "x".repeat(size)
      : new Uint8Array(size).fill(size % 251);
    await sessions.handle(getWith(token), (session) => {
      session.set("big", value);
      return new Response();
    });
    const same = await read(sessions, token, "big");
    if (typeof value === "string") assert(same === value, `${size}`);
    else deepStrictEqual(same, value);
  }
  await sessions.handle(getWith(token), (session) => {
    session.delete("big");
    return new Response();
  });
  assertEquals((await Array.fromAsync(store.list())).length, 1);
});

testOnStores(
  "R39 subjects of 2,100 bytes sign in, are found, and sign out",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    const subjects = [
      "s".repeat(2_100),
      "s".repeat(2_099) + "t",
      "é".repeat(1_050),
    ];
    for (const subject of subjects) {
      const response = await sessions.handle(get(), (session) => {
        session.login(subject);
        return new Response(session.id);
      });
      const id = await response.text();
      const found = await Array.fromAsync(sessions.list({ subject }));
      assertEquals(found.map((info) => info.id), [id]);
      await sessions.handle(getWith(tokenOf(response)), (session) => {
        assert(session.subject === subject);
        session.logout();
        return new Response();
      });
      assertEquals(await Array.fromAsync(sessions.list({ subject })), []);
    }
  },
);

Deno.test("R39 what is too large for Deno KV is an error with both sizes, and the old data stays", async () => {
  using kv = await Deno.openKv(":memory:");
  const sessions = new SessionManager({ store: kv });
  const token = tokenOf(await sessions.handle(get(), remember));
  const bytes = (size: number) => (session: Session) => {
    session.set("big", new Uint8Array(size));
    session.set("kept", "new");
    session.login("ada");
    return new Response("done");
  };
  for (const request of [() => getWith(token), () => get()]) {
    for (const size of [800_000, 2_000_000]) {
      const error = await assertRejects(
        () => sessions.handle(request(), bytes(size)),
        SessionTooLargeError,
        "bytes",
      );
      assert(error.size > size && error.size < size + 2_000, `${error.size}`);
      assert(error.limit > 770_000 && error.limit < 800_000);
      assert(error.message.includes(String(error.size)), error.message);
      assert(error.message.includes(String(error.limit)), error.message);
    }
  }
  assertEquals(await read(sessions, token, "kept"), "old");
  assertEquals(await read(sessions, token, "big"), undefined);
  const fits = await sessions.handle(getWith(token), bytes(780_000));
  const next = tokenOf(fits);
  assertEquals(await read(sessions, next, "kept"), "new");
  deepStrictEqual(await read(sessions, next, "big"), new Uint8Array(780_000));
});

testOnStores(
  "R54 keys of the app change nothing of the library's",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    const names = [
      "id",
      "isNew",
      "subject",
      "label",
      "createdAt",
      "lastSeenAt",
      "expiresAt",
      "endsAt",
      "authenticatedAt",
      "persistent",
      "flash",
      "data",
      "v",
      "nonce",
      "secretHash",
      "forward",
      "sealed",
    ];
    const metadata = (session: Session) => [
      session.id,
      session.subject,
      session.createdAt,
      session.lastSeenAt,
      session.expiresAt,
      session.authenticatedAt,
    ];
    const first = await sessions.handle(get(), (session) => {
      session.login("ada");
      session.flash("notice", "hello");
      return new Response();
    });
    const token = tokenOf(first);
    let before: unknown[] = [];
    await sessions.handle(getWith(token), (session) => {
      before = metadata(session);
      for (const name of names) session.set(name, "root");
      return new Response();
    });
    const info = await sessions.get(token.slice(0, 26));
    await sessions.handle(getWith(token), (session) => {
      assertEquals(metadata(session), before);
      for (const name of names) assertEquals(session.get(name), "root");
      assertEquals(session.flash("notice"), "hello");
      session.clear();
      assertEquals(metadata(session), before);
      return new Response();
    });
    assertEquals(info?.subject, "ada");
    assertEquals(info?.expiresAt, before[4]);
    assertEquals(
      (await Array.fromAsync(sessions.list({ subject: "root" }))).length,
      0,
    );
  },
);

Deno.test("R39 a session that has no room left can still be read when a touch is due, and ended", async () => {
  let full = false;
  const memory = new MemoryStore();
  const store: SessionStore = {
    get: (id) => memory.get(id),
    commit: async (commit) => {
      if (full && commit.put.length > 0) {
        throw new SessionTooLargeError("Cannot store session: full", {
          size: 2,
          limit: 1,
        });
      }
      return await memory.commit(commit);
    },
    list: (options) => memory.list(options),
  };
  const clock = new TestClock();
  const warnings: string[] = [];
  const sessions = new SessionManager({
    store,
    clock: clock.now,
    onEvent: (event) => {
      if (event.type === "warning") warnings.push(event.message);
    },
  });
  const token = tokenOf(await sessions.handle(get(), remember));
  full = true;
  clock.advance({ days: 1 });
  assertEquals(await read(sessions, token, "kept"), "old");
  assertEquals(warnings.length, 1);
  await assertRejects(
    () => sessions.handle(getWith(token), remember),
    SessionTooLargeError,
  );
  const response = await sessions.handle(getWith(token), (session) => {
    session.logout();
    return new Response();
  });
  assertEquals(response.headers.getSetCookie().length, 1);
  assertEquals(memory.size, 0);
});
