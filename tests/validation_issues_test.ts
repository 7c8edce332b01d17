/**
 * What is told of data that does not fit, and what a schema can do wrong.
 */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import {
  MemoryStore,
  type Session,
  SessionManager,
  type SessionOptions,
  SessionValidationError,
  type StandardSchema,
  type StandardSchemaResult,
} from "@tessera/session";
import * as v from "valibot";
import { z } from "zod";
import { inspect, key } from "./_helpers.ts";
import { SpyStore } from "./_spy_store.ts";
import { Visitor } from "./_visitor.ts";

/** What the sessions hold. */
interface Account {
  name: string;
}

/** With a store, and without one. */
const WAYS: Record<string, () => SessionOptions<Account>> = {
  "with a store": () => ({ store: new SpyStore() }),
  stateless: () => ({
    store: undefined,
    stateless: true,
    secrets: [key("k")],
  }),
};

const REQUIRED: Record<string, StandardSchema<Account>> = {
  zod: z.object({ name: z.string() }),
  valibot: v.object({ name: v.string() }),
};

for (const [library, schema] of Object.entries(REQUIRED)) {
  for (const [way, options] of Object.entries(WAYS)) {
    Deno.test(`data may be emptied though the schema of ${library} wants a key (${way})`, async () => {
      const empty: ((session: Session<Account>) => void)[] = [
        (session) => session.clear(),
        (session) => session.delete("name"),
        (session) => {
          session.clear();
          session.login("ada");
        },
        (session) => {
          session.clear();
          session.regenerate();
          session.flash("notice" as never, "hi" as never);
        },
      ];
      for (const run of empty) {
        const visitor = new Visitor<Account>({
          ...options(),
          schema,
          onInvalid: "fail",
        });
        await visitor.visit((session) => session.set("name", "ada"));
        await visitor.visit(run);
        assertEquals(await visitor.read(), []);
        await visitor.visit((session) => session.set("name", "bob"));
        assertEquals(await visitor.read(), [["name", "bob"]]);
        await assertRejects(
          () => visitor.visit((session) => session.set("name", 1 as never)),
          SessionValidationError,
        );
      }
    });
  }
}

Deno.test("manager.edit may empty data though the schema wants a key", async () => {
  const visitor = new Visitor<Account>({
    schema: v.object({ name: v.string() }),
  });
  await visitor.visit((session) => session.set("name", "ada"));
  const [id = ""] = visitor.token.split(".");
  await visitor.sessions.edit(id, (session) => session.clear());
  assertEquals(await visitor.read(), []);
});

/** A schema that lets everything pass until it is changed. */
function changing() {
  let check: (data: object) => StandardSchemaResult<Account> = (data) => ({
    value: data as Account,
  });
  const schema: StandardSchema<Account> = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (data) => check(data as object),
    },
  };
  return { schema, become: (next: typeof check) => check = next };
}

class Cart {}

const THROWN = new RangeError("hunter2 is no name");

/** What a schema does to a record from before it was changed, and the issue it is. */
const FAULTS: Record<string, {
  check: (data: object) => unknown;
  issue: object;
  cause?: string;
}> = {
  throws: {
    check: () => {
      throw THROWN;
    },
    issue: { message: "the schema must not throw" },
    cause: THROWN.message,
  },
  rejects: {
    check: () => Promise.reject(THROWN),
    issue: { message: "the schema must not throw" },
    cause: THROWN.message,
  },
  "throws while its issues are read": {
    check: () => ({
      issues: [{
        get message(): string {
          throw THROWN;
        },
      }],
    }),
    issue: { message: "the schema must not throw" },
    cause: THROWN.message,
  },
  "returns what cannot be stored": {
    check: (data) => ({ value: { ...data, cart: new Cart() } }),
    issue: {
      message: "the schema must return what can be stored",
      path: ["cart"],
    },
    cause:
      'Cannot set session value "cart": want a value that structured clone carries as it is: received an instance of Cart',
  },
  "returns a Map": {
    check: (data) => ({ value: new Map(Object.entries(data)) }),
    issue: { message: "the schema must return an object" },
  },
  "returns a list": {
    check: (data) => ({ value: Object.entries(data) }),
    issue: { message: "the schema must return an object" },
  },
  "returns nothing": {
    check: () => undefined,
    issue: { message: "the schema must return an object" },
  },
};

for (const [fault, { check, issue, cause }] of Object.entries(FAULTS)) {
  for (const [way, options] of Object.entries(WAYS)) {
    Deno.test(`a stored record for which the schema ${fault} is reset, or fails, with an event (${way})`, async () => {
      for (const onInvalid of ["reset", "fail"] as const) {
        const { schema, become } = changing();
        const visitor = new Visitor<Account>({
          ...options(),
          schema,
          onInvalid,
        });
        await visitor.visit((session) => {
          session.set("name", "hunter2");
          session.login("ada");
        });
        visitor.events.length = 0;
        become(check as Parameters<typeof become>[0]);
        if (onInvalid === "reset") {
          await visitor.visit((session) => {
            assertEquals([session.subject, session.size], ["ada", 0]);
          });
        } else {
          const error = await assertRejects(
            () => visitor.read(),
            SessionValidationError,
            "Cannot load session: the data must fit the schema",
          );
          assertEquals(error.issues, [issue] as unknown);
          assertEquals((error.cause as Error | undefined)?.message, cause);
        }
        assertEquals(visitor.events.length, 1);
        const [event] = visitor.events;
        assert(event?.type === "invalid");
        assertEquals(event.issues, [issue] as unknown);
        assert(!inspect(event).includes("hunter2"));
      }
    });
  }
}

Deno.test("a schema that throws while a commit applies it fails the request with what it threw", async () => {
  for (const known of [false, true]) {
    const { schema, become } = changing();
    const visitor = new Visitor<Account>({ schema });
    if (known) await visitor.visit((session) => session.set("name", "ada"));
    const { token } = visitor;
    const changes: ((session: Session<Account>) => void)[] = [
      (session) => session.set("name", "bob"),
      (session) => {
        session.set("name", "bob");
        session.login("bob");
      },
    ];
    if (known) changes.push((session) => session.clear());
    for (const change of changes) {
      const error = await assertRejects(() =>
        visitor.visit((session) => {
          become(() => {
            throw THROWN;
          });
          change(session);
        })
      );
      assertStrictEquals(error, THROWN);
      become((data) => ({ value: data as Account }));
    }
    assertEquals(visitor.token, token);
    assertEquals(await visitor.read(), known ? [["name", "ada"]] : []);
  }
});

interface Secretive {
  password: string;
  inner: { pin: number }[];
  map: Map<unknown, number>;
}

const SECRETIVE: Record<string, StandardSchema<Secretive>> = {
  zod: z.object({
    password: z.string().min(99, "too short"),
    inner: z.array(z.object({ pin: z.number() })),
    map: z.map(z.any(), z.number()),
  }),
  valibot: v.object({
    password: v.pipe(v.string(), v.minLength(99, "too short")),
    inner: v.array(v.object({ pin: v.number("no number") })),
    map: v.map(v.any(), v.number("no number")),
  }),
};

for (const [library, schema] of Object.entries(SECRETIVE)) {
  Deno.test(`issues of ${library} reach the error and the event without user data`, async () => {
    const store = new MemoryStore();
    const anything = new Visitor({ store });
    const fill = (session: Session) => {
      session.set("password", "hunter2");
      session.set("inner", [{ pin: 1 }, { pin: "hunter2" }]);
      session.set("map", new Map([[{ card: "hunter2" }, "hunter2"]]));
    };
    await anything.visit(fill);
    const shown: string[] = [];
    const sessions = new SessionManager<Secretive>({
      store,
      schema,
      onInvalid: "fail",
      onEvent: (event) => {
        assert(event.type === "invalid");
        shown.push(inspect(event), JSON.stringify(event));
      },
    });
    const headers = { cookie: `__Host-session=${anything.token}` };
    const errors = [
      await assertRejects(
        () =>
          sessions.handle(
            new Request("https://example.com/", { headers }),
            () => new Response(),
          ),
        SessionValidationError,
      ),
      await assertRejects(
        () =>
          sessions.handle(new Request("https://example.com/"), (session) => {
            fill(session as unknown as Session);
            return new Response();
          }),
        SessionValidationError,
      ),
    ];
    for (const error of errors) {
      shown.push(inspect(error), JSON.stringify(error));
      for (const issue of error.issues) {
        assert(Object.keys(issue).every((key) => /^(message|path)$/.test(key)));
      }
      assertEquals(error.issues.map(({ path }) => path), [
        ["password"],
        ["inner", 1, "pin"],
        ["map"],
      ]);
    }
    assertEquals(shown.length, 6);
    for (const text of shown) assert(!text.includes("hunter2"), text);
  });
}

Deno.test("issues keep their keys, whatever form the path has", async () => {
  const symbol = Symbol("s");
  class Path extends Array<PropertyKey> {}
  const { schema, become } = changing();
  const visitor = new Visitor<Account>({ schema });
  become(() => ({
    issues: [
      { message: "1" },
      { message: "2", path: undefined },
      { message: "3", path: [] },
      { message: "4", path: ["a", 0, { key: "b" }, { key: symbol }] },
      { message: "5", path: Path.from(["a", { key: {} as string }, "b"]) },
    ],
  }));
  const error = await assertRejects(
    () => visitor.visit((session) => session.set("name", "ada")),
    SessionValidationError,
    "received 5 issue(s)",
  );
  assertEquals(error.issues, [
    { message: "1" },
    { message: "2" },
    { message: "3", path: [] },
    { message: "4", path: ["a", 0, "b", symbol] },
    { message: "5", path: ["a"] },
  ]);
});
