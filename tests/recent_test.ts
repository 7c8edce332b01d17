import { assertEquals } from "@std/assert";
import { RecentMap } from "../src/_recent.ts";

Deno.test("RecentMap forgets what was not used while two generations passed", () => {
  const map = new RecentMap<number, string>(3);
  for (let key = 0; key < 6; key++) map.set(key, `value ${key}`);
  assertEquals(map.get(0), "value 0"); // used, so it begins a third generation
  for (let key = 6; key < 8; key++) map.set(key, `value ${key}`);
  for (const key of [1, 2, 8]) assertEquals(map.get(key), undefined);
  for (const key of [0, 6, 7, 3]) assertEquals(map.get(key), `value ${key}`);
});

Deno.test("RecentMap keeps no more than two generations", () => {
  const map = new RecentMap<number, number>(10);
  for (let key = 0; key < 1_000; key++) map.set(key, key);
  const kept = Array.from({ length: 1_000 }, (_, key) => key)
    .filter((key) => map.get(key) !== undefined);
  assertEquals(kept.length <= 20, true);
  assertEquals(kept.at(-1), 999);
});
