import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import {
  MemoryStore,
  SessionManager,
  type SessionOptions,
  SessionValidationError,
  type SessionValidationIssue,
  type StandardSchema,
  type StandardSchemaResult,
} from "@tessera/session";
import { SpyStore } from "./_spy_store.ts";
import { Visitor } from "./_visitor.ts";

interface Shop {
  count: number;
  cart?: string[];
}

type Check = (data: Record<string, unknown>) => StandardSchemaResult<Shop>;

/** A Standard Schema by hand: at once, or after a while. */
function schemaOf(check: Check, later: boolean): StandardSchema<Shop> {
  return {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) => {
        assert(typeof value === "object" && value !== null);
        const result = () => check(value as Record<string, unknown>);
        return later ? Promise.resolve().then(result) : result();
      },
    },
  };
}

/** Wants a count of 0 to 99, fills it in, and takes nothing but a cart beside it. */
const checkShop: Check = ({ count = 0, cart, ...rest }) => {
  const issues: SessionValidationIssue[] = [];
  if (typeof count !== "number" || count < 0 || count > 99) {
    issues.push({ message: `bad count: ${count}`, path: ["count"] });
  }
  if (cart !== undefined && !Array.isArray(cart)) {
    issues.push({ message: "bad cart", path: [{ key: "cart" }] });
  }
  for (const key of Object.keys(rest)) {
    issues.push({ message: "unknown key", path: [key] });
  }
  if (issues.length > 0) return { issues };
  const value: Shop = { count: count as number };
  if (cart !== undefined) value.cart = cart as string[];
  return { value };
};

/** Registers a test twice: with a schema that answers at once, and with one that does not. */
function testSchemas(
  name: string,
  run: (schema: (check?: Check) => StandardSchema<Shop>) => Promise<void>,
): void {
  for (const later of [false, true]) {
    Deno.test(`${name} (${later ? "async" : "sync"})`, async () => {
      await run((check = checkShop) => schemaOf(check, later));
    });
  }
}

testSchemas(
  "schema sees the whole data when a commit changes it, and what it returns is stored",
  async (schema) => {
    const store = new SpyStore();
    const visitor = new Visitor<Shop>({ store, schema: schema() });
    await visitor.visit(async (session) => {
      session.set("cart", ["apples"]);
      assertEquals(session.get("count"), undefined);
      await session.commit();
      assertEquals(session.get("count"), 0); // as the schema filled it in
    });
    const [stored] = await store.dump();
    assertEquals(
      (stored?.record as { data: Map<string, unknown> }).data,
      new Map<string, unknown>([["count", 0], ["cart", ["apples"]]]),
    );
    assertEquals(await visitor.visit((session) => session.get("count")), 0);
  },
);

testSchemas(
  "schema keeps invalid data out of the store, by whatever way it comes",
  async (schema) => {
    const store = new SpyStore();
    const visitor = new Visitor<Shop>({ store, schema: schema() });
    const changes: Parameters<typeof visitor.visit>[0][] = [
      (session) => session.set("count", 100),
      (session) => session.set("count", "1" as unknown as number),
      (session) => session.update("count", () => -1),
      (session) => session.set("other" as "count", 1),
      (session) => {
        session.login("alice");
        session.set("count", 100);
      },
      (session) => {
        session.regenerate();
        session.set("count", 100);
      },
      (session) => {
        session.flash("notice", "hi");
        session.set("count", 100);
      },
      async (session) => {
        session.set("count", 100);
        await session.commit();
      },
    ];
    for (const known of [false, true]) {
      if (known) await visitor.visit((session) => session.set("count", 7));
      const before = await store.dump();
      const { token } = visitor;
      for (const change of changes) {
        const error = await assertRejects(
          async () => void await visitor.visit(change),
          SessionValidationError,
          "Cannot commit session: the data must fit the schema: received 1 issue(s), see error.issues",
        );
        assertEquals(error.issues.length, 1);
        assert(!error.message.includes("count"));
      }
      assertEquals(await store.dump(), before);
      assertEquals(visitor.token, token);
    }
    assertEquals(await visitor.visit((session) => session.get("count")), 7);
    const [id = ""] = visitor.token.split(".");
    await assertRejects(
      () => visitor.sessions.edit(id, (session) => session.set("count", 100)),
      SessionValidationError,
    );
    assertEquals(await visitor.visit((session) => session.get("count")), 7);
  },
);

testSchemas("schema sees what was changed in place", async (schema) => {
  const visitor = new Visitor<Shop>({
    schema: schema((data) =>
      (data.cart as string[] | undefined)?.includes("bad")
        ? { issues: [{ message: "bad", path: ["cart", 0] }] }
        : { value: data as unknown as Shop }
    ),
  });
  await visitor.visit((session) => session.set("cart", []));
  const error = await assertRejects(
    () => visitor.visit((session) => void session.get("cart")?.push("bad")),
    SessionValidationError,
  );
  assertEquals(error.issues, [{ message: "bad", path: ["cart", 0] }]);
  assertEquals(await visitor.visit((session) => session.get("cart")), []);
});

testSchemas(
  "a commit that the schema refused can be tried again",
  async (schema) => {
    const visitor = new Visitor<Shop>({ schema: schema() });
    await visitor.visit(async (session) => {
      session.set("count", 100);
      await assertRejects(() => session.commit(), SessionValidationError);
      session.set("count", 99);
    });
    assertEquals(await visitor.visit((session) => session.get("count")), 99);
  },
);

testSchemas(
  "one request whose data does not fit leaves those beside it alone",
  async (schema) => {
    for (const batch of [true, false]) {
      const visitor = new Visitor<Shop>({ batch, schema: schema() });
      await visitor.visit((session) => session.set("count", 90));
      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, () =>
          visitor.visit((session) => {
            session.update("count", (count = 0) => count + 1);
          })),
      );
      const failed = outcomes.filter(({ status }) => status === "rejected");
      assertEquals(failed.length, 11);
      for (const outcome of failed) {
        assert(
          outcome.status === "rejected" &&
            outcome.reason instanceof SessionValidationError,
        );
      }
      assertEquals(await visitor.visit((session) => session.get("count")), 99);
    }
  },
);

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
  "schema gets keys as plain properties, __proto__ too",
  async (schema) => {
    const seen: Record<string, unknown>[] = [];
    const visitor = new Visitor<Shop>({
      schema: schema((data) => {
        seen.push(data);
        return { value: data as unknown as Shop };
      }),
    });
    await visitor.visit((session) => {
      session.set("__proto__" as "cart", ["polluted"]);
      session.set("constructor" as "count", 1);
    });
    assertEquals(Object.keys(seen[0] ?? {}), ["__proto__", "constructor"]);
    assertStrictEquals(Object.getPrototypeOf(seen[0]), Object.prototype);
    assertEquals(await visitor.read(), [
      ["__proto__", ["polluted"]],
      ["constructor", 1],
    ]);
  },
);

testSchemas(
  "schema that returns no object, or what cannot be stored, is refused",
  async (schema) => {
    for (const value of [null, undefined, 7, "x"]) {
      const visitor = new Visitor<Shop>({
        schema: schema(() => ({ value: value as unknown as Shop })),
      });
      const error = await assertRejects(
        () => visitor.visit((session) => session.set("count", 1)),
        SessionValidationError,
      );
      assertEquals(error.issues, [
        { message: "the schema must return an object" },
      ]);
    }
    const visitor = new Visitor<Shop>({
      schema: schema(() => ({
        value: { count: (() => 1) as unknown as number },
      })),
    });
    await assertRejects(
      () => visitor.visit((session) => session.set("count", 1)),
      TypeError,
      'Cannot set session value "count": want a value',
    );
    assertEquals(visitor.token, "");
  },
);

testSchemas(
  "schema that throws fails the request with what it threw",
  async (schema) => {
    const failure = new RangeError("from the schema");
    const visitor = new Visitor<Shop>({
      schema: schema(() => {
        throw failure;
      }),
    });
    const error = await assertRejects(
      () => visitor.visit((session) => session.set("count", 1)),
    );
    assertStrictEquals(error, failure);
    assertEquals(visitor.token, "");
  },
);

testSchemas("schema works without a store too", async (schema) => {
  const sessions = new SessionManager<Shop>({
    schema: schema(),
    stateless: true,
    secrets: ["k".repeat(32)],
  });
  const visitor = new Visitor<Shop>(sessions);
  await visitor.visit((session) => session.set("cart", ["apples"]));
  assertEquals(await visitor.visit((session) => session.get("count")), 0);
  const { token } = visitor;
  await assertRejects(
    () => visitor.visit((session) => session.set("count", 100)),
    SessionValidationError,
  );
  assertEquals(visitor.token, token);
});
