import { assert, assertFalse, assertThrows } from "@std/assert";
import { handOver, isHandedOver } from "../src/_handover.ts";

Deno.test("isHandedOver() says yes to the commit that a store is being called with, and then no more", () => {
  const commit = { check: [], put: [], delete: [] };
  assertFalse(isHandedOver(commit));
  handOver(commit, () => {
    assert(isHandedOver(commit));
    assertFalse(isHandedOver({ ...commit }));
  });
  assertFalse(isHandedOver(commit));
  assertThrows(
    () =>
      handOver(commit, () => {
        throw new Error("broken store");
      }),
    Error,
    "broken store",
  );
  assertFalse(isHandedOver(commit));
});
