/**
 * What each step of a request costs by itself:
 *
 * ```sh
 * deno run -A tools/deno.ts bench -A bench/micro_bench.ts
 * ```
 *
 * @module
 */

import { getCookies, setCookie } from "@std/http/cookie";
import {
  cookieTransport,
  MemoryStore,
  SessionManager,
  type SessionStore,
  withLazySession,
  withSession,
} from "@tessera/session";
import { createHmac } from "node:crypto";
import { parseRecord, type SessionRecord } from "../src/_record.ts";
import { cloneValue, equalValues } from "../src/_value.ts";
import {
  generateSecret,
  hashSecret,
  matchesHash,
  TokenCodec,
} from "../src/token.ts";
import { PROFILE, SECRET } from "./_data.ts";

const NAME = "__Host-session";
const ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const ok = () => new Response("ok");

/** What was computed last, so that it cannot be optimised away. */
let result: unknown;

// tokens

const secret = generateSecret();
const hash = hashSecret(secret);
/** More than are remembered, so that the hash of the next one never is. */
const secrets = Array.from({ length: 10_000 }, generateSecret);
const hashes = secrets.map(hashSecret);
let turn = 0;
const plain = new TokenCodec(undefined);
const signed = new TokenCodec([SECRET]);
const plainToken = plain.format(NAME, ID, secret);
const signedToken = signed.format(NAME, ID, secret);
const forgedToken = signed.format("another", ID, secret);

Deno.bench("token: generate a secret", () => {
  result = generateSecret();
});
Deno.bench("token: format, plain", () => {
  result = plain.format(NAME, ID, secret);
});
Deno.bench("token: format, signed", () => {
  result = signed.format(NAME, ID, secret);
});
Deno.bench("token: parse, plain", () => {
  result = plain.parse(NAME, plainToken);
});
Deno.bench("token: parse and verify, signed", () => {
  result = signed.parse(NAME, signedToken);
});
Deno.bench("token: parse and refuse, forged", () => {
  result = signed.parse(NAME, forgedToken);
});
Deno.bench("token: hash the secret", () => {
  result = hashSecret(secret);
});
Deno.bench("token: hash and compare, many secrets in turn", () => {
  turn = (turn + 1) % secrets.length;
  result = matchesHash(secrets[turn] ?? "", hashes[turn] ?? "");
});
Deno.bench("token: compare, hash remembered", () => {
  result = matchesHash(secret, hash);
});
Deno.bench("for comparison: createHmac", () => {
  result = createHmac("sha256", SECRET).update(plainToken).digest("base64url");
});

// cookies

const transport = cookieTransport();
const other = "theme=dark; consent=yes; ";
const cookie = `${other}${NAME}=${plainToken}`;
const withCookie = new Request("http://localhost/", { headers: { cookie } });
const withOther = new Request("http://localhost/", {
  headers: { cookie: other },
});

Deno.bench("cookie: read", () => {
  result = transport.read(withCookie);
});
Deno.bench("cookie: read, none of ours", () => {
  result = transport.read(withOther);
});
Deno.bench("cookie: write", () => {
  transport.write(new Headers(), plainToken, 604_800);
});
Deno.bench("for comparison: getCookies", () => {
  result = getCookies(withCookie.headers);
});
Deno.bench("for comparison: setCookie", () => {
  setCookie(new Headers(), { name: NAME, value: plainToken, path: "/" });
});

// values and records

const copy = cloneValue(PROFILE, "copy", "profile");
const { record, cookies } = await begunSession();

Deno.bench("value: clone 500 bytes", () => {
  result = cloneValue(PROFILE, "copy", "profile");
});
Deno.bench("value: compare 500 bytes", () => {
  result = equalValues(PROFILE, copy);
});
Deno.bench("for comparison: structuredClone", () => {
  result = structuredClone(PROFILE);
});
Deno.bench("record: parse", () => {
  result = parseRecord(record);
});

// requests, on a store that does nothing

/** Answers at once, always the same. */
const stub: SessionStore = {
  get: () => Promise.resolve({ record, version: "1" }),
  commit: () => Promise.resolve({ ok: true, version: "2" }),
  async *list() {},
};
const sessions = new SessionManager({ store: stub });
const signing = new SessionManager({ store: stub, secrets: [SECRET] });
const live = new Request("http://localhost/", { headers: { cookie: cookies } });
const none = new Request("http://localhost/");
const forged = new Request("http://localhost/", {
  headers: { cookie: `${NAME}=${forgedToken}` },
});

const read = withSession((_request, session) => {
  result = session.get("count");
  return ok();
}, sessions);
const readObject = withSession((_request, session) => {
  result = session.get("profile");
  return ok();
}, sessions);
const write = withSession((_request, session) => {
  session.set("count", (session.get<number>("count") ?? 0) + 1);
  return ok();
}, sessions);
const update = withSession((_request, session) => {
  session.update<number>("count", (count = 0) => count + 1);
  return ok();
}, sessions);
const create = withSession((_request, session) => {
  session.set("profile", PROFILE);
  return ok();
}, sessions);
const untouched = withSession(ok, sessions);
const lazy = withLazySession(ok, sessions);
const verify = withSession(ok, signing);

Deno.bench(
  "request: bare handler",
  { baseline: true, group: "request" },
  () => {
    ok();
  },
);
Deno.bench("request: untouched", { group: "request" }, async () => {
  await untouched(none);
});
Deno.bench("request: lazy", { group: "request" }, async () => {
  await lazy(live);
});
Deno.bench("request: forged", { group: "request" }, async () => {
  await verify(forged);
});
Deno.bench("request: read a number", { group: "request" }, async () => {
  await read(live);
});
Deno.bench("request: read an object", { group: "request" }, async () => {
  await readObject(live);
});
Deno.bench("request: write", { group: "request" }, async () => {
  await write(live);
});
Deno.bench("request: update", { group: "request" }, async () => {
  await update(live);
});
Deno.bench("request: create", { group: "request" }, async () => {
  await create(none);
});

addEventListener("unload", () => {
  if (result === undefined) throw new Error("Nothing was measured");
});

/** A record as the manager writes it, and the cookie that leads to it. */
async function begunSession(): Promise<
  { record: SessionRecord; cookies: string }
> {
  const store = new MemoryStore();
  let id = "";
  const handler = withSession((_request, session) => {
    id = session.id;
    session.set("profile", PROFILE);
    session.set("count", 1);
    return ok();
  }, { store });
  const response = await handler(new Request("http://localhost/"));
  const found = await store.get(id);
  const [line = ""] = response.headers.getSetCookie();
  return {
    record: found?.record as SessionRecord,
    cookies: line.slice(0, line.indexOf(";")),
  };
}
