import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { SessionManager, SessionValidationError } from "@tessera/session";
import { SpyStore } from "./_spy_store.ts";
import { Visitor } from "./_visitor.ts";
import { type Shop, testSchemas } from "./_schemas.ts";

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

Deno.test("schema that says null for no issues is satisfied", async () => {
  const schema = {
    "~standard": {
      version: 1 as const,
      vendor: "test",
      validate: (value: unknown) => ({ value, issues: null }) as never,
    },
  };
  const visitor = new Visitor({ schema });
  await visitor.visit((session) => session.set("a", 1));
  assertEquals(await visitor.read(), [["a", 1]]);
});
