/**
 * Records that are none.
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { type Session, SessionManager } from "@tessera/session";
import { Events, get, getWith, testOnStores, tokenOf } from "./_helpers.ts";
import { SpyStore } from "./_spy_store.ts";
import { Visitor } from "./_visitor.ts";

/** Names who a session belongs to. */
function remember(who: string): (session: Session) => Response {
  return (session) => {
    session.set("who", who);
    return new Response();
  };
}

async function whose(
  sessions: SessionManager,
  request: Request,
): Promise<unknown> {
  const response = await sessions.handle(
    request,
    (session) => Response.json(session.get("who") ?? null),
  );
  return await response.json();
}

function rotate(session: Session): Response {
  session.regenerate();
  return new Response();
}

/** What a record may not be: each replaces a good one, or a part of it. */
const CORRUPT: Record<string, (record: Record<string, unknown>) => unknown> = {
  "1": () => 1,
  "null": () => null,
  "true": () => true,
  "a string": () => "x",
  "an empty string": () => "",
  "{}": () => ({}),
  "[]": () => [],
  "a Map": (record) => new Map(Object.entries(record)),
  "bytes": () => new Uint8Array(9),
  "a Date": () => new Date(0),
  ...without("v", [undefined, 0, 2, "1", NaN]),
  ...without("secretHash", [undefined, null, 1]),
  ...without("data", [undefined, null, {}, [], "x", new Set()]),
  ...without("data", [new Map<unknown, number>([[1, 1]])]),
  ...without("flash", [undefined, null, {}, "x", [1], [null], [{ id: 1 }]]),
  ...without("flash", [[{ id: "a", kind: 1, value: 1 }]]),
  ...without("subject", [null, 1, {}]),
  ...without("label", [null, 1, {}]),
  ...without("persistent", [undefined, null, 1, "true"]),
  ...without("createdAt", [undefined, null, NaN, Infinity, "0", 0n]),
  ...without("authenticatedAt", [null, NaN, "0"]),
  ...without("lastSeenAt", [undefined, null, NaN, -Infinity, "0"]),
  ...without("expiresAt", [undefined, null, NaN, Infinity, "9", 1e300, 1.5]),
  ...without("endsAt", [undefined, null, NaN, Infinity, "9", 0.5, 1]),
  ...without("nonce", [null, 1]),
  ...without("forward", [null, 1, {}]),
  "a forward without its secret": (record) => ({
    v: 1,
    forward: "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    secretHash: record["secretHash"],
    expiresAt: record["expiresAt"],
  }),
};

/** Puts each of the values in the place of one field. */
function without(field: string, values: readonly unknown[]): typeof CORRUPT {
  return Object.fromEntries(values.map((value) => [
    `${field} ${Deno.inspect(value, { breakLength: Infinity })}`,
    (record: Record<string, unknown>) => ({ ...record, [field]: value }),
  ]));
}

testOnStores(
  "R40 a corrupt record is no session, and no error",
  async ({ store }) => {
    const events = new Events();
    const sessions = new SessionManager({ store, onEvent: events.push });
    for (const [what, corrupt] of Object.entries(CORRUPT)) {
      const token = tokenOf(await sessions.handle(get(), remember("ada")));
      const id = token.slice(0, 26);
      const { record } = await store.get(id) ?? {};
      const bad = corrupt(record as Record<string, unknown>);
      await store.commit({
        check: [],
        put: [{ id, record: bad, expireIn: 60_000 }],
        delete: [],
      });
      events.take();

      const read = await sessions.handle(
        getWith(token),
        (session) => Response.json([session.isNew, session.size]),
      );
      assertEquals(await read.json(), [true, 0], what);
      assertEquals(read.headers.getSetCookie(), [], what);
      assertEquals(events.take(), ["refused corrupt"], what);

      // not a loop: the visitor gets another session, and goes on
      const next = tokenOf(
        await sessions.handle(getWith(token), remember("bob")),
      );
      assertNotEquals(next.slice(0, 26), id);
      assertEquals(await whose(sessions, getWith(next)), "bob", what);
      assertEquals(events.take(), ["refused corrupt", "created"], what);

      assertEquals(await sessions.get(id), undefined, what);
      assertEquals(await sessions.edit(id, () => 1), undefined, what);
      assertEquals(await sessions.revoke(id), false, what);
    }
    const listed = await Array.fromAsync(sessions.list());
    assertEquals(listed.length, Object.keys(CORRUPT).length, "the good ones");
  },
);

testOnStores(
  "R40 a record that forwards to itself, or in a circle, is no session",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    const token = tokenOf(await sessions.handle(get(), remember("ada")));
    const id = token.slice(0, 26);
    const second = tokenOf(await sessions.handle(getWith(token), rotate));
    const { record } = await store.get(id) ?? {};
    for (const [from, to] of [[id, id], [second.slice(0, 26), id]]) {
      await store.commit({
        check: [],
        put: [{
          id: from as string,
          record: { ...record as object, forward: to },
          expireIn: 60_000,
        }],
        delete: [],
      });
    }
    store.take();
    assertEquals(await whose(sessions, getWith(token)), null);
    assertEquals(await whose(sessions, getWith(second)), null);
    assertEquals(await sessions.get(id), undefined);
    assertEquals(await sessions.revoke(id), false);
    assert(store.take().gets < 300, "it gives up some time");
  },
);

testOnStores(
  "R40 a session whose record turns corrupt while a request is under way is dropped",
  async ({ store }) => {
    const events = new Events();
    const sessions = new SessionManager({ store, onEvent: events.push });
    const token = tokenOf(await sessions.handle(get(), remember("ada")));
    events.take();
    const response = await sessions.handle(getWith(token), async (session) => {
      session.set("who", "bob");
      await store.commit({
        check: [],
        put: [{ id: session.id, record: 1, expireIn: 60_000 }],
        delete: [],
      });
      return new Response("done");
    });
    assertEquals([response.status, await response.text()], [200, "done"]);
    assertEquals(response.headers.getSetCookie(), []);
    assertEquals(events.take(), ["conflict", "dropped corrupt"]);
  },
);

Deno.test("A record that remembers no commits is a session all the same", async () => {
  const store = new SpyStore();
  const visitor = new Visitor({ store });
  await visitor.visit((session) => session.set("a", 1));
  const [stored] = await store.dump();
  assert(stored !== undefined);
  const { id, version } = stored;
  const { nonce: _, ...record } = stored.record as Record<string, unknown>;
  await store.commit({
    check: [{ id, version }],
    put: [{ id, record, expireIn: 60_000 }],
    delete: [],
  });
  assertEquals(await visitor.read(), [["a", 1]]);
  await visitor.visit((session) => session.set("b", 2));
  await visitor.visit((session) => session.regenerate());
  assertEquals(await visitor.read(), [["a", 1], ["b", 2]]);
});
