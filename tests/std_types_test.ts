/**
 * The declarations in `tools/std_types/`, held against the modules they
 * describe, whichever registry those come from.
 */

import {
  assertEquals,
  AssertionError,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import * as stdAssert from "@std/assert";
import * as stdCookie from "@std/http/cookie";
import * as stdUlid from "@std/ulid";
import { STD_MODULES, STD_TYPES } from "../tools/std.ts";

const EXPORTS: Record<string, string[]> = {
  "@std/assert": Object.keys(stdAssert),
  "@std/http/cookie": Object.keys(stdCookie),
  "@std/ulid": Object.keys(stdUlid),
};

for (const [module, file] of Object.entries(STD_MODULES)) {
  Deno.test(`std_types/${file} declares only what ${module} exports`, () => {
    const url = new URL(file.replace(/\.ts$/, ".d.ts"), STD_TYPES);
    const declared = Deno.readTextFileSync(url)
      .matchAll(/^export (?:class|function) (\w+)/gm)
      .map((match) => match[1] ?? "")
      .toArray();
    assertNotEquals(declared, []);
    const exported = EXPORTS[module] ?? [];
    assertEquals(declared.filter((name) => !exported.includes(name)), []);
  });
}

Deno.test("std_types/assert.ts returns and narrows as the real one", async () => {
  const thrown = assertThrows(() => stdAssert.fail("no"), AssertionError);
  thrown satisfies stdAssert.AssertionError;
  const rejected = await assertRejects(
    () => Promise.reject(new RangeError("no")),
    RangeError,
    "no",
  );
  rejected satisfies RangeError;

  const narrowed: unknown = "text";
  stdAssert.assertStrictEquals<string>(narrowed, "text");
  narrowed satisfies string;

  // @ts-expect-error: both sides are of one type
  assertThrows(() => assertEquals<string>("1", 1), AssertionError);
});

Deno.test("std_types/http_cookie.ts is as strict as the real one", () => {
  const headers = new Headers({ cookie: "a=1" });
  const value: string | undefined = stdCookie.getCookies(headers)["a"];
  assertEquals(value, "1");

  // @ts-expect-error: attributes are named as in RFC 6265
  stdCookie.setCookie(headers, { name: "a", value: "1", sameSite: "lax" });
  // @ts-expect-error: an absent attribute is left out
  stdCookie.setCookie(headers, { name: "a", value: "1", maxAge: undefined });
  // @ts-expect-error: SameSite is not among what identifies a cookie
  stdCookie.deleteCookie(headers, "a", { sameSite: "Lax" });
});

Deno.test("std_types/ulid.ts reads back the time it was given", () => {
  assertEquals(stdUlid.decodeTime(stdUlid.ulid(150_000)), 150_000);
});
