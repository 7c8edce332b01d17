import { assert, assertEquals, assertFalse } from "@std/assert";
import { firstNonce, NonceSource, remembersNonce } from "../src/_nonce.ts";

/** Makes a commit's name and puts it before what a record remembers. */
function commit(source: NonceSource, remembered: string): [string, string] {
  const nonce = source.next();
  return [nonce, source.remember(nonce, remembered)];
}

Deno.test("NonceSource.next() makes names that grow, and that no other source makes", () => {
  const [one, other] = [new NonceSource(), new NonceSource()];
  const names = Array.from({ length: 1_000 }, () => one.next());
  assertEquals(names.toSorted(), names);
  assertEquals(new Set(names).size, names.length);
  assert(!names.includes(other.next()));
});

Deno.test("NonceSource.remember() keeps what another writer looks for, however busy its own is", () => {
  const [busy, other] = [new NonceSource(), new NonceSource()];
  let [looked, remembered] = commit(other, busy.next());
  for (let round = 0; round < 1_000; round++) {
    [, remembered] = commit(busy, remembered);
    assert(remembersNonce(remembered, looked), `round ${round}`);
  }
  [looked, remembered] = commit(busy, remembered);
  assert(remembersNonce(remembered, looked));
});

Deno.test("NonceSource.remember() keeps the name that made the record", () => {
  const source = new NonceSource();
  const made = source.next();
  let remembered = made;
  for (let round = 0; round < 100; round++) {
    [, remembered] = commit(source, remembered);
    [, remembered] = commit(new NonceSource(), remembered);
  }
  assertEquals(firstNonce(remembered), made);
});

Deno.test("NonceSource.remember() keeps few names of one writer, and 32 at most", () => {
  const source = new NonceSource();
  let remembered = source.next();
  const { length } = remembered;
  for (let round = 0; round < 100; round++) {
    [, remembered] = commit(source, remembered);
  }
  assertEquals(remembered.length, 5 * length);
  for (let round = 0; round < 100; round++) {
    [, remembered] = commit(new NonceSource(), remembered);
  }
  assertEquals(remembered.length, 32 * length);
});

Deno.test("NonceSource.remember() keeps 31 names of a writer whose commits race", () => {
  const source = new NonceSource({ serial: false });
  let remembered = source.next();
  const looked: string[] = [];
  for (let round = 0; round < 40; round++) {
    const [nonce, next] = commit(source, remembered);
    looked.push(nonce);
    remembered = next;
  }
  assert(looked.slice(-31).every((one) => remembersNonce(remembered, one)));
  assertFalse(remembersNonce(remembered, looked[0] ?? ""));
});

Deno.test("NonceSource.remember() keeps the names of the 10,000 latest commits in doubt", () => {
  const source = new NonceSource();
  let [doubted, remembered] = commit(source, source.next());
  source.doubt(doubted);
  const isKept = () => {
    for (let round = 0; round < 10; round++) {
      [, remembered] = commit(source, remembered);
    }
    return remembersNonce(remembered, doubted);
  };
  assert(isKept());
  for (let others = 1; others < 10_000; others++) source.doubt(source.next());
  assert(isKept());
  source.doubt(source.next());
  assertFalse(isKept());
});
