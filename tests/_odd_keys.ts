/**
 * Keys that other libraries trip over. As a program, tells what becomes of them
 * where `__proto__` is an accessor: `deno run --unstable-unsafe-proto`.
 */

import { assert, assertEquals } from "@std/assert";
import {
  KvStore,
  MemoryStore,
  SessionManager,
  type SessionStore,
} from "@tessera/session";

/** Keys that mean something to JavaScript, to promises or to JSON. */
export const ODD_KEYS = [
  "__proto__",
  "constructor",
  "prototype",
  "hasOwnProperty",
  "toString",
  "valueOf",
  "toJSON",
  "then",
  "length",
  "size",
  "__defineGetter__",
  "__lookupSetter__",
  "",
  " ",
  "\0",
  "\ud800",
  "0",
] as const;

/** Stores values under odd keys, at every depth, and reads them in another request. */
export async function checkOddKeys(store: SessionStore): Promise<void> {
  const sessions = new SessionManager({ store });
  const nested = () =>
    JSON.parse(
      `{${
        ODD_KEYS.map((key) => `${JSON.stringify(key)}:{"admin":true}`).join()
      }}`,
    );
  const first = await sessions.handle(request(), (session) => {
    assertEquals([...session.entries()], []);
    for (const key of ODD_KEYS) {
      assertEquals([session.has(key), session.get(key)], [false, undefined]);
      assertEquals(session.flash(key), undefined);
    }
    for (const [index, key] of ODD_KEYS.entries()) {
      session.set(key, { index });
      session.flash(key, index);
    }
    session.update("", (value) => ({ ...value as object, updated: true }));
    session.set("nested", nested());
    return new Response();
  });
  const cookie = first.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  await sessions.handle(request(cookie), (session) => {
    assertEquals(session.size, ODD_KEYS.length + 1);
    for (const [index, key] of ODD_KEYS.entries()) {
      const expected = key === "" ? { index, updated: true } : { index };
      assert(session.has(key));
      assertEquals(session.get(key), expected);
      assertEquals(session.flash(key), index);
    }
    assertEquals(
      Array.from(session.entries(), ([key]) => key),
      [...ODD_KEYS, "nested"],
    );
    const read = session.get<Record<string, unknown>>("nested") ?? {};
    assertEquals(Object.keys(read).sort(), [...ODD_KEYS].sort());
    assertEquals(Object.getPrototypeOf(read), Object.prototype);
    for (const key of ODD_KEYS) {
      const own = Object.getOwnPropertyDescriptor(read, key);
      assertEquals(own?.value, { admin: true });
    }
    assertEquals(Reflect.get(read, "admin"), undefined);
    return new Response();
  });
  // a change in place, and removal
  await sessions.handle(request(cookie), (session) => {
    for (const key of ODD_KEYS) {
      const value = session.get<{ seen?: boolean }>(key);
      if (value !== undefined) value.seen = true;
    }
    assertEquals(session.delete("constructor"), true);
    return new Response();
  });
  await sessions.handle(request(cookie), (session) => {
    assertEquals(session.get<{ seen: boolean }>("__proto__")?.seen, true);
    assertEquals(session.has("constructor"), false);
    assertEquals(session.get("constructor"), undefined);
    return new Response();
  });
  assertEquals(Reflect.get({}, "admin"), undefined, "nothing is polluted");
  assertEquals(Reflect.get({}, "index"), undefined);
}

function request(cookie = ""): Request {
  return new Request("https://example.com/", { headers: { cookie } });
}

if (import.meta.main) {
  assert(Object.hasOwn(Object.prototype, "__proto__"), "the flag is missing");
  await checkOddKeys(new MemoryStore());
  using kv = await Deno.openKv(":memory:");
  await checkOddKeys(new KvStore(kv));
}
