import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  MemoryStore,
  type Session,
  SessionManager,
  type SessionOptions,
  SessionValidationError,
} from "@tessera/session";
import { SpyStore } from "./_spy_store.ts";
import { Visitor } from "./_visitor.ts";
import { checkShop, type Shop, testSchemas } from "./_schemas.ts";

/** A session that was stored without a schema, and a browser that has its cookie. */
async function setUpStored(
  data: Record<string, unknown>,
  options: SessionOptions<Shop>,
) {
  const store = new SpyStore(new MemoryStore());
  const before = new Visitor({ store });
  await before.visit((session) => {
    for (const [key, value] of Object.entries(data)) session.set(key, value);
    session.login("alice");
    session.flash("notice", "hi");
  });
  const events: Visitor["events"] = [];
  const sessions = new SessionManager<Shop>({
    store,
    onEvent: (event) => events.push(event),
    ...options,
  });
  const headers = { cookie: `__Host-session=${before.token}` };
  const request = () => new Request("https://example.com/", { headers });
  const [id = ""] = before.token.split(".");
  return { store, sessions, events, request, id };
}

testSchemas(
  "schema migrates what is loaded, without writing it",
  async (schema) => {
    const { store, sessions, events, request } = await setUpStored(
      { cart: ["apples"] },
      { schema: schema() },
    );
    store.reset();
    const response = await sessions.handle(request(), (session) => {
      assertEquals(session.get("count"), 0);
      assertEquals([...session.entries()], [["count", 0], ["cart", [
        "apples",
      ]]]);
      return new Response();
    });
    assertEquals(response.headers.getSetCookie(), []);
    assertEquals(store.calls, { get: 1, commit: 0, list: 0 });
    assertEquals(events, []);
  },
);

testSchemas(
  "stored data that no longer fits is reset: same session and subject, empty data, and an event",
  async (schema) => {
    const { store, sessions, events, request, id } = await setUpStored(
      { old: true, count: "many" },
      { schema: schema() },
    );
    store.reset();
    for (let count = 0; count < 2; count++) {
      await sessions.handle(request(), (session) => {
        assertEquals(session.size, 0);
        assertEquals([session.isNew, session.id], [false, id]);
        assertEquals(session.subject, "alice");
        return new Response();
      });
    }
    assertEquals(store.calls.commit, 0);
    assertEquals(events.map(({ type, id }) => [type, id]), [
      ["invalid", id],
      ["invalid", id],
    ]);
    const [event] = events;
    assert(event?.type === "invalid");
    assertEquals(event.issues, [
      { message: "bad count: many", path: ["count"] },
      { message: "unknown key", path: ["old"] },
    ]);
    // what the request does to it is stored in place of the old data
    events.length = 0;
    await sessions.handle(request(), (session) => {
      session.update("count", (count = 5) => count + 1);
      assertEquals(session.flash("notice" as never), "hi" as never);
      return new Response();
    });
    await sessions.handle(request(), (session) => {
      assertEquals([...session.entries()], [["count", 6]]);
      return new Response();
    });
    assertEquals(events.map(({ type }) => type), ["invalid"]);
  },
);

testSchemas(
  "a touch or a flash value leaves stored data as it is, whatever the schema makes of it",
  async (schema) => {
    const { store, sessions, request, id } = await setUpStored(
      { old: true },
      { schema: schema() },
    );
    await sessions.handle(request(), (session) => {
      session.flash("notice" as never, "more" as never);
      return new Response();
    });
    const { record } = await store.get(id) ?? {};
    assertEquals(
      [...(record as { data: Map<string, unknown> }).data],
      [["old", true]],
    );
  },
);

testSchemas(
  "a new id leaves stored data as it is, whatever the schema makes of it",
  async (schema) => {
    for (
      const rotate of [
        (session: Session<Shop>) => session.regenerate(),
        (session: Session<Shop>) => session.login("bob"),
      ]
    ) {
      const { store, sessions, request } = await setUpStored(
        { cart: ["apples"] },
        { schema: schema() },
      );
      const response = await sessions.handle(request(), (session) => {
        rotate(session);
        assertEquals(session.get("count"), 0);
        return new Response(session.id);
      });
      const { record } = await store.get(await response.text()) ?? {};
      assertEquals(
        [...(record as { data: Map<string, unknown> }).data],
        [["cart", ["apples"]]],
      );
    }
  },
);

testSchemas(
  "what another stateless request has left meanwhile is reset too if it no longer fits",
  async (schema) => {
    let most = 99;
    const visitor = new Visitor<Shop>(
      new SessionManager<Shop>({
        stateless: true,
        secrets: ["k".repeat(32)],
        schema: schema((data) =>
          checkShop({ ...data, ...(Number(data.count) > most && { old: 1 }) })
        ),
      }),
    );
    await visitor.visit((session) => session.set("count", 1));
    await visitor.visit(async (session) => {
      session.set("cart", ["pears"]);
      await visitor.visit((other) => other.set("count", 50));
      most = 9;
    });
    assertEquals(await visitor.read(), [["count", 0], ["cart", ["pears"]]]);
  },
);

testSchemas(
  'onInvalid: "fail" throws what does not fit, and keeps it',
  async (schema) => {
    const { store, sessions, events, request, id } = await setUpStored(
      { old: true },
      { schema: schema(), onInvalid: "fail" },
    );
    const before = await store.dump();
    const error = await assertRejects(
      () => sessions.handle(request(), () => new Response()),
      SessionValidationError,
      "Cannot load session: the data must fit the schema: received 1 issue(s)",
    );
    assertEquals(error.issues, [{ message: "unknown key", path: ["old"] }]);
    assertEquals(events.map(({ type }) => type), ["invalid"]);
    assertEquals(await store.dump(), before);
    await assertRejects(
      () => sessions.edit(id, () => 1),
      SessionValidationError,
    );
    // it can be ended without being understood
    assertEquals(await sessions.revoke(id), true);
  },
);

testSchemas(
  "schema works on a copy, and what it keeps of it changes nothing",
  async (schema) => {
    const seen: Record<string, unknown>[] = [];
    const visitor = new Visitor<Shop>({
      schema: schema((data) => {
        seen.push(data);
        (data.cart as string[] | undefined)?.push("from the schema");
        return { value: { count: 1, cart: ["as returned"] } };
      }),
    });
    const cart = ["mine"];
    await visitor.visit((session) => session.set("cart", cart));
    assertEquals(cart, ["mine"]);
    assertEquals(await visitor.visit((session) => session.get("cart")), [
      "as returned",
    ]);
    assert(seen.length >= 2);
  },
);

testSchemas(
  "a session without data is not invalid, though the schema wants some",
  async (schema) => {
    const visitor = new Visitor<Shop>({
      onInvalid: "fail",
      schema: schema((data) =>
        "count" in data
          ? { value: data as unknown as Shop }
          : { issues: [{ message: "count is missing" }] }
      ),
    });
    await visitor.visit((session) => session.login("alice"));
    await visitor.visit((session) => {
      assertEquals([session.subject, session.size], ["alice", 0]);
      session.set("count", 1);
    });
    assertEquals(await visitor.read(), [["count", 1]]);
    assertEquals(visitor.events.map(({ type }) => type), ["created", "login"]);
  },
);
