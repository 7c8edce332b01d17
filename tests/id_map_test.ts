import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { IdMap } from "../src/_id_map.ts";

Deno.test("IdMap does as a Map does, whatever shares a slot", () => {
  // some end in the same eight characters, and so share one
  const id = fc.constantFrom(
    "",
    "a",
    "b",
    "1-abcdefgh",
    "2-abcdefgh",
    "é\ud800",
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(id, fc.boolean())), (steps) => {
      const map = new IdMap<number>();
      const model = new Map<string, number>();
      for (const [index, [id, adds]] of steps.entries()) {
        if (!adds) {
          map.delete(id);
          model.delete(id);
        } else if (!model.has(id)) {
          map.add(id, index);
          model.set(id, index);
        }
        assertEquals(map.get(id), model.get(id));
        assertEquals(map.has(id), model.has(id));
        assertEquals(map.size, model.size);
      }
      for (const [id, value] of model) assertEquals(map.get(id), value);
    }),
  );
});
