/**
 * The store of the guide "Write a store": the contract, and a life of its own.
 */

import { assertEquals, assertMatch } from "@std/assert";
import { SessionManager } from "@tessera/session";
import { testSessionStore } from "@tessera/session/testing";
import { FileStore } from "../examples/custom_store.ts";
import { ROOT } from "../tools/std.ts";
import { Visitor } from "./_visitor.ts";

/** A store in a folder of its own, which goes with it. */
class TemporaryStore extends FileStore {
  readonly #folder: string;

  constructor() {
    const folder = Deno.makeTempDirSync({ prefix: "tessera_" });
    super(`${folder}/sessions.bin`);
    this.#folder = folder;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

testSessionStore("FileStore", () => new TemporaryStore());

Deno.test("FileStore keeps sessions across restarts, whatever is in them", async () => {
  using store = new TemporaryStore();
  const visitor = new Visitor(new SessionManager({ store }));
  const data: [string, unknown][] = [
    ["map", new Map<unknown, unknown>([[1n, new Set([new Date(0)])]])],
    ["bytes", new Uint8Array(Uint8Array.of(1, 2, 3, 4).buffer, 1, 2)],
    ["text", "a\0\ud800 \u{1f600}"],
    ["none", undefined],
    ["nan", [NaN, -0]],
  ];
  const id = await visitor.visit((session) => {
    session.login("ada \ud800");
    for (const [key, value] of data) session.set(key, value);
    return session.id;
  });

  const later = new SessionManager({ store: new FileStore(store.path) });
  assertEquals((await later.get(id))?.subject, "ada \ud800");
  assertEquals(
    await later.edit(id, (session) => [...session.entries()]),
    data,
  );
  const [info] = await Array.fromAsync(later.list({ subject: "ada \ud800" }));
  assertEquals(info?.id, id);
  // the unfinished file is gone
  const folder = store.path.slice(0, store.path.lastIndexOf("/"));
  assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), [
    "sessions.bin",
  ]);
});

Deno.test("FileStore drops what has expired when it writes", async () => {
  using store = new TemporaryStore();
  const put = (id: string, expireIn: number) =>
    store.commit({ check: [], put: [{ id, record: 1, expireIn }], delete: [] });
  await put("A", 1);
  await new Promise((resolve) => setTimeout(resolve, 5));
  await put("B", 60_000);
  assertEquals(
    (await Array.fromAsync(store.list())).map(({ id }) => id),
    ["B"],
  );
});

Deno.test("examples/custom_store.ts has 64 lines, as README.md says", async () => {
  const read = (path: string) => Deno.readTextFile(new URL(path, ROOT));
  const source = await read("examples/custom_store.ts");
  assertEquals(source.split("\n").length - 1, 64);
  assertMatch(await read("README.md"), /complete store of 64 lines/);
});
