/**
 * The conformance suite on Node.js: run with `node --test`.
 *
 * @module
 */

import { rm } from "node:fs/promises";
import { after } from "node:test";
import { openKv } from "@deno/kv";
import { KvStore } from "@tessera/session";
import { testSessionStore } from "@tessera/session/testing";

const path = "./conformance.db";
const kv = await openKv(path);
after(async () => {
  kv.close();
  await rm(path);
});

testSessionStore(
  "KvStore on Node.js",
  () => new KvStore(kv, { prefix: [crypto.randomUUID()] }),
);
