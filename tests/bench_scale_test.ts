/** The files that `--scale` fills. */

import { assert, assertEquals } from "@std/assert";
import { populate } from "../bench/_scale.ts";
import { printed, temporaryFolder } from "./_bench.ts";

Deno.test("populate() gives each session a secret of its own", async () => {
  await using folder = await temporaryFolder();
  await using stack = new AsyncDisposableStack();
  const path = `${folder.path}/sessions.db`;

  const { value: { size, visit } } = await printed(() =>
    populate(path, 20, stack)
  );

  assertEquals(size, 20);
  const steps = ["read", "write", "kv.set", "kv.get", "read"] as const;
  for (const step of steps) {
    // all of them, most likely; a visit of a session that is not there throws
    for (let count = 0; count < 100; count++) await visit(step);
  }
  using kv = await Deno.openKv(path);
  const hashes = new Set<string>();
  const entries = kv.list<{ secretHash: string }>({
    prefix: ["sessions", "id"],
  });
  for await (const { value } of entries) hashes.add(value.secretHash);
  assertEquals(hashes.size, 20);
  assert(!hashes.has(""));
});
