/**
 * Schemas of the libraries that apps use: zod and valibot, by type alone.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import {
  MemoryStore,
  SessionManager,
  type SessionOptions,
  type SessionStore,
  SessionValidationError,
  type StandardSchema,
  withSession,
} from "@tessera/session";
import * as v from "valibot";
import { z } from "zod";
import { Events, key } from "./_helpers.ts";
import { Visitor } from "./_visitor.ts";

/** The same shop in both libraries. */
interface Shop {
  count: number;
  email?: string | undefined;
  tags: string[];
}

const LIBRARIES: Record<string, {
  shop: StandardSchema<Shop>;
  slow: StandardSchema<{ name: string }>;
}> = {
  zod: {
    shop: z.object({
      count: z.number().int().default(0),
      email: z.email().optional(),
      // old records hold text with commas
      tags: z.union([
        z.array(z.string()),
        z.string().transform((text) => text.split(",")),
      ]).default([]),
    }),
    slow: z.object({
      name: z.string().refine(async (name) => {
        await Promise.resolve();
        return name !== "eve";
      }, "not eve"),
    }),
  },
  valibot: {
    shop: v.object({
      count: v.optional(v.pipe(v.number(), v.integer()), 0),
      email: v.optional(v.pipe(v.string(), v.email())),
      tags: v.optional(
        v.union([
          v.array(v.string()),
          v.pipe(v.string(), v.transform((text) => text.split(","))),
        ]),
        [],
      ),
    }),
    slow: v.objectAsync({
      name: v.pipeAsync(
        v.string(),
        v.checkAsync(async (name) => {
          await Promise.resolve();
          return name !== "eve";
        }, "not eve"),
      ),
    }),
  },
};

/** A browser whose session holds what no schema has seen. */
async function withData(
  store: SessionStore,
  data: Record<string, unknown>,
): Promise<{ id: string; cookie: string }> {
  const visitor = new Visitor(new SessionManager({ store }));
  const id = await visitor.visit((session) => {
    session.login("ada");
    for (const [key, value] of Object.entries(data)) session.set(key, value);
    return session.id;
  });
  return { id, cookie: `__Host-session=${visitor.token}` };
}

/** Reads a session through a manager: its subject and all of its data. */
async function read<Data extends object>(
  sessions: SessionManager<Data>,
  cookie: string,
): Promise<unknown> {
  const response = await sessions.handle(
    new Request("https://example.com/", { headers: { cookie } }),
    (session) =>
      Response.json({
        subject: session.subject,
        ...Object.fromEntries(session.entries()),
      }),
  );
  return await response.json();
}

for (const [library, { shop, slow }] of Object.entries(LIBRARIES)) {
  Deno.test(`a schema of ${library} fills in defaults, and lets nothing invalid into the store`, async () => {
    const store = new MemoryStore();
    const sessions = new SessionManager({ store, schema: shop });
    const visitor = new Visitor(sessions);
    await visitor.visit(async (session) => {
      session.set("email", "ada@example.com");
      await session.commit();
      assertEquals(session.get("count"), 0);
    });
    const good: [string, unknown][] = [["count", 0], [
      "email",
      "ada@example.com",
    ], ["tags", []]];
    const sorted = async () => (await visitor.read()).sort();
    assertEquals(await sorted(), good);

    for (
      const [key, value] of [["email", "nobody"], ["count", 1.5], ["tags", 7]]
    ) {
      const error = await assertRejects(
        () =>
          visitor.visit((session) => {
            session.set("count", 99);
            Reflect.apply(session.set, session, [key, value]);
          }),
        SessionValidationError,
        "Cannot commit session: the data must fit the schema",
      );
      assertEquals(error.issues.length > 0, true);
      const [step] = error.issues[0]?.path ?? [];
      assertEquals(typeof step === "object" ? step.key : step, key);
      assert(!error.message.includes("nobody"));
      assertEquals(await sorted(), good);
    }
  });

  Deno.test(`a schema of ${library} migrates old records by defaults and transforms`, async () => {
    const store = new MemoryStore();
    const { id, cookie } = await withData(store, { tags: "new,sale" });
    const events = new Events();
    const sessions = new SessionManager({
      store,
      schema: shop,
      onEvent: events.push,
    });
    const migrated = { subject: "ada", count: 0, tags: ["new", "sale"] };
    assertEquals(await read(sessions, cookie), migrated);
    // a read does not write
    const plain = new SessionManager({ store });
    assertEquals(await read(plain, cookie), {
      subject: "ada",
      tags: "new,sale",
    });
    await sessions.edit(
      id,
      (session) => session.update("count", (n = 0) => n + 1),
    );
    assertEquals(await read(plain, cookie), { ...migrated, count: 1 });
    assertEquals(events.take(), []);
  });

  Deno.test(`a record that no longer fits a schema of ${library} is reset, or fails, with an event`, async () => {
    const store = new MemoryStore();
    const { id, cookie } = await withData(store, { count: "many", email: "x" });
    const events = new Events();
    const reset = new SessionManager({
      store,
      schema: shop,
      onEvent: events.push,
    });
    assertEquals(await read(reset, cookie), { subject: "ada" });
    const [event] = events.all;
    assert(event?.type === "invalid");
    assertEquals([event.id, event.issues.length], [id, 2]);

    events.take();
    const failing = new SessionManager({
      store,
      schema: shop,
      onInvalid: "fail",
      onEvent: events.push,
    });
    const error = await assertRejects(
      () => read(failing, cookie),
      SessionValidationError,
      "Cannot load session",
    );
    assertEquals(error.issues.length, 2);
    assertEquals(events.take(), ["invalid"]);

    // it can still be listed, got, and ended
    assertEquals((await failing.get(id).catch((error) => error))?.id, id);
    assertEquals((await Array.fromAsync(failing.list())).length, 1);
    assertEquals(await failing.revokeAll("ada"), 1);
  });

  Deno.test(`an asynchronous schema of ${library} works, with a store and without`, async () => {
    for (
      const options of [
        { store: new MemoryStore() },
        { stateless: true, secrets: [key("s")] },
      ]
    ) {
      const sessions = new SessionManager({ ...options, schema: slow });
      const visitor = new Visitor(sessions);
      await visitor.visit((session) => session.set("name", "ada"));
      const error = await assertRejects(
        () => visitor.visit((session) => session.set("name", "eve")),
        SessionValidationError,
      );
      assertEquals(error.issues.map(({ message }) => message), ["not eve"]);
      assertEquals(await visitor.read(), [["name", "ada"]]);
    }
  });
}

Deno.test("a login alone stores nothing that a schema could complain about", async () => {
  const events = new Events();
  const sessions = new SessionManager({
    store: new MemoryStore(),
    schema: z.object({ cart: z.array(z.string()) }),
    onInvalid: "fail",
    onEvent: events.push,
  });
  const visitor = new Visitor(sessions);
  await visitor.visit((session) => session.login("ada"));
  await visitor.visit((session) => session.flash("notice", "hello"));
  assertEquals(await visitor.visit(({ subject }) => subject), "ada");
  await visitor.visit((session) => session.set("cart", ["apples"]));
  assertEquals(await visitor.read(), [["cart", ["apples"]]]);
  assertEquals(
    events.take().filter((event) => event.startsWith("invalid")),
    [],
  );
});

Deno.test("the data is inferred from schemas of zod and valibot", () => {
  const store = new MemoryStore();
  withSession((_request, session) => {
    const count: number | undefined = session.get("count");
    session.set("tags", ["a"]);
    // @ts-expect-error -- no such key
    session.get("counts");
    // @ts-expect-error -- the wrong type
    session.set("count", "1");
    // @ts-expect-error -- not what goes in, but what comes out
    session.set("tags", "a,b");
    return Response.json(count);
  }, {
    store,
    schema: z.object({
      count: z.number(),
      tags: z.string().transform((text) => text.split(",")),
    }),
  });
  const sessions = new SessionManager({
    store,
    schema: v.object({ role: v.picklist(["admin", "user"]) }),
  });
  const typed: SessionManager<{ role: "admin" | "user" }> = sessions;
  void typed.edit("x", (session) => {
    const role: "admin" | "user" | undefined = session.get("role");
    // @ts-expect-error -- no such role
    session.set("role", "root");
    return role;
  });
});

Deno.test("a union types the keys of every variant, and the schema keeps them apart", async () => {
  const email = { step: z.literal(1), email: z.string() };
  const code = { step: z.literal(2), code: z.number() };
  const variants = [z.strictObject(email), z.strictObject(code)] as const;
  const schemas = [
    z.union(variants),
    z.discriminatedUnion("step", variants),
    v.variant("step", [
      v.strictObject({ step: v.literal(1), email: v.string() }),
      v.strictObject({ step: v.literal(2), code: v.number() }),
    ]),
  ];
  for (const schema of schemas) {
    const visitor = new Visitor({ schema });
    await visitor.visit((session) => {
      session.set("step", 1);
      session.set("email", "ada@example.com");
    });
    await assertRejects(
      () => visitor.visit((session) => session.set("code", 1234)),
      SessionValidationError,
    );
    await visitor.visit((session) => {
      const email: string | undefined = session.get("email");
      assertEquals(email, "ada@example.com");
      session.delete("email");
      session.set("step", 2);
      session.update("code", (value = 1233) => value + 1);
      // @ts-expect-error -- a number
      const text: string | undefined = session.get("code");
      // @ts-expect-error -- a key of none of them
      session.get("name");
      return text;
    });
    assertEquals((await visitor.read()).sort(), [["code", 1234], ["step", 2]]);
  }
});

Deno.test("StandardSchema takes whatever the specification describes", () => {
  type Output = { n: number };
  const given: StandardSchemaV1<unknown, Output> = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) => ({ value: value as Output }),
    },
  };
  const taken: StandardSchema<Output> = given;
  const options: SessionOptions<Output> = { schema: given };
  assertEquals(options.schema, taken);
  // and the other way round
  const standard: StandardSchemaV1<unknown, Output> = taken;
  assertEquals(standard["~standard"].vendor, "test");
});
