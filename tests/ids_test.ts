import { assert, assertEquals, assertMatch } from "@std/assert";
import { decodeTime } from "@std/ulid";
import { IdSource } from "../src/_ids.ts";

Deno.test("IdSource.next() makes ULIDs that sort in the order of their making", () => {
  const ids = new IdSource();
  const made = Array.from({ length: 2_000 }, () => ids.next(1_000_000));
  for (const [index, id] of made.entries()) {
    assertMatch(id, /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/);
    assertEquals(decodeTime(id), 1_000_000);
    if (index > 0 && id < (made[index - 1] ?? "")) {
      // the count of a millisecond may begin near its end, once in 500 times
      assert(made[index - 1]?.slice(10, 14) === "ZZZZ", id);
    }
  }
  assertEquals(new Set(made).size, made.length);
});

Deno.test("IdSource.next() follows a clock that goes back", () => {
  const ids = new IdSource();
  assert(ids.next(2_000) > ids.next(1_000));
  assert(ids.next(-5).startsWith("0000000000"));
});

Deno.test("IdSource.next() keeps sixty random bits within a millisecond", () => {
  const ids = new IdSource();
  const tails = Array.from({ length: 1_000 }, () => ids.next(7).slice(14));
  assertEquals(new Set(tails).size, tails.length);
  for (let position = 0; position < 12; position++) {
    const seen = new Set(tails.map((tail) => tail.charAt(position)));
    assertEquals(seen.size, 32, `position ${position}`);
  }
});
