/**
 * What is given in place of a key may be user data: no message shows it.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Session, SessionClosedError } from "@tessera/session";
import { Visitor } from "./_visitor.ts";

const CYCLE: Record<string, unknown> = { password: "hunter2" };
CYCLE.cycle = CYCLE;

/** What is no key, and how it is named. */
const NO_KEYS: [unknown, string][] = [
  [{ card: "hunter2" }, "object"],
  [["hunter2"], "an array"],
  [CYCLE, "object"],
  [new Map([["hunter2", 1]]), "object"],
  [Symbol("hunter2"), "symbol"],
  [() => "hunter2", "function"],
  [
    {
      toJSON() {
        throw new Error("hunter2");
      },
    },
    "object",
  ],
  [12345678n, "bigint"],
  [12345678, "number"],
  [true, "boolean"],
  [null, "null"],
  [undefined, "undefined"],
];

/** Every use of a session that changes something under a key. */
const CHANGES: [string, string, (session: Session, key: never) => unknown][] = [
  ["set session value", "key", (session, key) => session.set(key, 1)],
  ["delete session value", "key", (session, key) => session.delete(key)],
  [
    "update session value",
    "key",
    (session, key) => session.update(key, () => 1),
  ],
  ["flash session value", "kind", (session, key) => session.flash(key, 1)],
  ["flash session value", "kind", (session, key) => session.flash(key)],
];

for (const [action, name, change] of CHANGES) {
  Deno.test(`a ${name} that is no string is not shown by ${change}`, async () => {
    const visitor = new Visitor();
    await visitor.visit(async (session) => {
      for (const [key, type] of NO_KEYS) {
        const error = assertThrows(
          () => change(session, key as never),
          TypeError,
        );
        assertEquals(
          error.message,
          `Cannot ${action}: "${name}" must be a string: received ${type}`,
        );
      }
      assertEquals(session.size, 0);

      for (const [key] of NO_KEYS) {
        session.update("n", () => {
          const error = assertThrows(
            () => change(session, key as never),
            TypeError,
          );
          assert(error.message.startsWith(`Cannot ${action}: want`));
          return 1;
        });
      }

      await session.commit();
      for (const [key] of NO_KEYS) {
        const error = assertThrows(
          () => change(session, key as never),
          SessionClosedError,
        );
        assert(error.message.startsWith(`Cannot ${action}: the session`));
      }
    });
  });
}

Deno.test("what is no key has no value", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => {
    for (const [key] of NO_KEYS) {
      assertEquals(session.get(key as never), undefined);
      assertEquals(session.has(key as never), false);
    }
  });
});
