import { assertEquals } from "@std/assert";
import { Endings } from "../src/_endings.ts";

Deno.test("Endings.isLeaving() holds until the last of those who end a session is done", () => {
  const endings = new Endings();
  endings.leave(["a"]);
  endings.leave(["a"]);
  endings.stay(["a"]); // the one that lost
  assertEquals(endings.isLeaving("a"), true);
  endings.ended("a", "logout");
  assertEquals(endings.isLeaving("a"), false);
  assertEquals(endings.reasonOf("a"), "logout");
});

Deno.test("Endings.moved() leaves alone who is about to end the session", () => {
  const endings = new Endings();
  const moves: string[][] = [];
  endings.listener = {
    ended: () => {},
    moved: (from, to) => moves.push([from, to]),
  };
  endings.leave(["a"]);
  endings.moved("a", "b");
  assertEquals(endings.isLeaving("a"), true);
  assertEquals(moves, [["a", "b"]]);
});
