import { assertEquals, assertRejects } from "@std/assert";
import { Rounds } from "../src/_rounds.ts";

/** Lets what waits for nothing else go on. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("Rounds.join() is one round for all of a moment, and the next one for who comes later", async () => {
  const rounds = new Rounds<string>();
  const begun: string[] = [];
  const round = (key: string, name: string) => {
    const work = Promise.withResolvers<string>();
    const joined = rounds.join(key, () => {
      begun.push(name);
      return work.promise;
    });
    return { joined, ...work };
  };
  const [first, same] = [round("a", "first"), round("a", "same")];
  await settle();
  const [second, third] = [round("a", "second"), round("a", "third")];
  const other = round("b", "other");
  await settle();
  // the second may not begin before the first has ended
  assertEquals(begun, ["first", "other"]);
  first.reject(new Error("of the first"));
  for (const { joined } of [first, same]) {
    await assertRejects(() => joined, Error, "of the first");
  }
  await settle();
  assertEquals(begun, ["first", "other", "second"]);
  second.resolve("2");
  other.resolve("b");
  assertEquals(
    await Promise.all([second, third, other].map(({ joined }) => joined)),
    ["2", "2", "b"],
  );
  const last = round("a", "last");
  last.resolve("3");
  assertEquals(await last.joined, "3");
});
