/**
 * What clients may send, byte by byte, to a real server.
 */

import { assert, assertEquals } from "@std/assert";
import { type Session, SessionManager, withSession } from "@tessera/session";
import {
  COOKIE as N,
  type CountingStore,
  Events,
  get,
  key,
  NO_CALLS,
  rawRequest,
  serve,
  testOnStores,
  tokenOf,
} from "./_helpers.ts";

/** What a Cookie header must lead to. */
interface Case {
  /** The bytes of the Cookie headers. */
  readonly cookies: string[];
  /** Whose session it leads to; `undefined`: it is anonymous. */
  readonly loads?: "ada" | undefined;
  /** How many records are looked up for it. */
  readonly gets: number;
  /** What is reported. */
  readonly events?: string[];
}

/** Tells whose session it is, if it is one. */
function whose(_request: Request, session: Session): Response {
  return Response.json(session.get("who") ?? null);
}

/** Makes a live session. */
async function signIn(sessions: SessionManager, who: string): Promise<string> {
  return tokenOf(
    await sessions.handle(get(), (session) => {
      session.set("who", who);
      return new Response();
    }),
  );
}

/** The corpus: T is a live token of ada's, E one of an attacker's. */
function corpus(T: string, E: string): Case[] {
  const ada = (...cookies: string[]): Case => ({
    cookies,
    loads: "ada",
    gets: 1,
  });
  const nobody = (...cookies: string[]): Case => ({ cookies, gets: 0 });
  const malformed = (value: string): Case => ({
    cookies: [`${N}=${value}`],
    gets: 0,
    events: ["refused malformed"],
  });
  const duplicate = (...cookies: string[]): Case => ({
    cookies,
    gets: 2,
    events: ["refused duplicate"],
  });
  const besideJunk = (...cookies: string[]): Case => ({
    ...ada(...cookies),
    events: ["refused malformed"],
  });
  const names = [
    `\xa0${N}`,
    `${N}\xa0`,
    `\x85${N}`,
    `\xff${N}`,
    `%5F%5FHost-session`,
    `__Host%2Dsession`,
    `__HOST-session`,
    `__host-Session`,
    `=${N}`,
    `; =${N}`,
    `"${N}"`,
    `${N}.`,
    `${N}[]`,
    `${N}2`,
    `2${N}`,
    `__Host_session`,
    `__Host session`,
    `__Host.session`,
    `session`,
    `$${N}`,
  ];
  const id = T.slice(0, 26);
  return [
    ada(`${N}=${T}`),
    ...names.flatMap((name) => [
      ada(`${name}=evil; ${N}=${T}`),
      ada(`${N}=${T}; ${name}=evil`),
      ada(`${name}=${E}; ${N}=${T}`),
      ada(`${N}=${T}; ${name}=${E}`),
      nobody(`${name}=${E}`),
    ]),
    ...["=x", "x", "x=", "=", "==", ";", ";;", "a=b;=x", "__proto__=1"]
      .flatMap((pair) => [
        ada(`${pair}; ${N}=${T}`),
        ada(`${N}=${T}; ${pair}`),
        nobody(pair),
      ]),
    nobody(""),
    nobody(";;;;"),
    nobody(";=;="),
    nobody(N),
    nobody(`${N};`),
    nobody(`${N}; x`),
    nobody(`;${N};=${T}`),
    ada(`a=1, b=2; ${N}=${T}`),
    ada(`$Version=1; ${N}=${T}; $Path=/`),
    ada(`constructor=1; toString=2; ${N}=${T}`),
    // blanks are SP and TAB, and are no part of name or value
    ada(` \t${N}=${T}\t `),
    ada(`${N} =${T}`),
    ada(`${N}\t= ${T}`),
    ada(`x=y;${N}=${T};z`),
    // the same token twice is one; two live ones are none
    ada(`${N}=${T}; ${N}=${T}`),
    ada(`${N}=${T}; ${N}=${T}; ${N}=${T}; ${N}=${T}; ${N}=${T}`),
    duplicate(`${N}=${T}; ${N}=${E}`),
    duplicate(`${N}=${E}; ${N}=${T}`),
    duplicate(`${N}=${T}`, `${N}=${E}`),
    // a token and garbage: the token
    besideJunk(`${N}=junk; ${N}=${T}`),
    besideJunk(`${N}=${T}; ${N}=junk`),
    besideJunk(`${N}=; ${N}=${T}`),
    besideJunk(`${N}="${T}"; ${N}=${T}`),
    { ...ada(`${N}=1; ${N}=2; ${N}=3; ${N}=${T}`), events: JUNK_3 },
    { ...nobody(`${N}=1; ${N}=2; ${N}=3; ${N}=4; ${N}=${T}`), events: JUNK_4 },
    // several lines
    ada("a=b", `${N}=${T}`),
    ada(`${N}=${T}`, "a=b"),
    ada("", "=x", `${N}=${T}`, ";"),
    ada(`\xa0${N}=${E}`, `${N}=${T}`),
    // one spelling of a token
    malformed(""),
    malformed(`"${T}"`),
    malformed(`${T}=`),
    malformed(`=${T}`),
    malformed(`${T}\xa0`),
    malformed(`\xa0${T}`),
    malformed(`${T},${N}=${T}`),
    malformed(T.slice(0, -1) + spareBit(T)),
    malformed(T.slice(0, -1)),
    malformed(T + T),
    malformed(`${T}.${T}`),
    malformed([...T].reverse().join("")),
    malformed(id.toLowerCase() + T.slice(26)),
    malformed(encodeURIComponent(T).replace(".", "%2E")),
    malformed(id),
    malformed("__proto__"),
    malformed("null"),
    malformed("x".repeat(60_000)),
    // size alone harms nobody
    ada(`big=${"x".repeat(60_000)}; ${N}=${T}`),
    ada(`${N}=${T}; ${"x".repeat(60_000)}`),
    besideJunk(`${N}=${"x".repeat(60_000)}; ${N}=${T}`),
    ada(`${pairs(2_000, (index) => `c${index}=${index}`)}; ${N}=${T}`),
    ada(`${N}=${T}; ${pairs(2_000, (index) => `c${index}=${index}`)}`),
    ada(`${pairs(400, () => `\xa0${N}=${E}`)}; ${N}=${T}`),
    { ...nobody(pairs(2_000, (index) => `${N}=${index}`)), events: JUNK_4 },
    ada(`${";".repeat(30_000)}${N}=${T}`),
    ada(`${N}=${T}${";".repeat(30_000)}`),
    nobody(";".repeat(30_000)),
    nobody("=".repeat(30_000)),
    nobody(`${N} `.repeat(3_000)),
  ];
}

const JUNK_3 = new Array<string>(3).fill("refused malformed");
const JUNK_4 = new Array<string>(4).fill("refused malformed");

function pairs(count: number, pair: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => pair(index)).join("; ");
}

/** The last character of a token with a bit set that carries nothing. */
function spareBit(token: string): string {
  return String.fromCharCode(token.charCodeAt(token.length - 1) + 1);
}

/** Shows a header without drowning the reader. */
function brief(cookies: readonly string[]): string {
  return cookies.map((text) =>
    text.length < 300 ? text : `${text.slice(0, 300)}… (${text.length})`
  ).join(" | ");
}

async function sendAll(
  cases: readonly Case[],
  { sessions, store, events }: {
    sessions: SessionManager;
    store: CountingStore;
    events: Events;
  },
): Promise<void> {
  await using server = serve(withSession(whose, sessions));
  for (const { cookies, loads = null, gets, events: told = [] } of cases) {
    store.take();
    events.take();
    const { status, lines, body } = await rawRequest(
      server.addr.port,
      cookies.map((text) => `Cookie: ${text}`),
    );
    const what = brief(cookies);
    assertEquals([status, body], [200, JSON.stringify(loads)], what);
    assertEquals(store.take(), { ...NO_CALLS, gets }, what);
    assertEquals(events.take(), told, what);
    const headers = lines.join("\n").toLowerCase();
    assert(!headers.includes("set-cookie"), what);
    assert(headers.includes("vary: cookie"), what);
  }
}

testOnStores(
  "R7 R8 R9 R10 R12 the corpus of nasty Cookie headers, over a socket",
  async ({ store }) => {
    const events = new Events();
    const sessions = new SessionManager({ store, onEvent: events.push });
    const [T, E] = [
      await signIn(sessions, "ada"),
      await signIn(sessions, "eve"),
    ];
    await sendAll(corpus(T, E), { sessions, store, events });
  },
);

testOnStores(
  "R7 R8 R9 R10 R12 the corpus of nasty Cookie headers, signed, over a socket",
  async ({ store }) => {
    const events = new Events();
    const sessions = new SessionManager({
      store,
      secrets: [key("wire")],
      onEvent: events.push,
    });
    const [T, E] = [
      await signIn(sessions, "ada"),
      await signIn(sessions, "eve"),
    ];
    const forged = T.slice(0, 71) + E.slice(71);
    await sendAll([...corpus(T, E), {
      cookies: [`${N}=${forged}; ${N}=${T}`],
      loads: "ada",
      gets: 1,
      events: ["refused bad-signature"],
    }, {
      cookies: [`${N}=${forged}`],
      gets: 0,
      events: ["refused bad-signature"],
    }], { sessions, store, events });
  },
);

testOnStores(
  "R8 no bytes in a Cookie header lead to a 5xx",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    const token = await signIn(sessions, "ada");
    store.take();
    await using server = serve(withSession(whose, sessions));
    const parts = [N, token, "=", ";", " ", "\t", ",", '"', "\\", "%", "\xa0"];
    let seed = 20_240_229;
    const random = (below: number) => {
      seed = (seed * 48_271) % 2_147_483_647; // Park and Miller's generator
      return seed % below;
    };
    for (let round = 0; round < 400; round++) {
      let cookie = "";
      for (let left = random(30); left > 0; left--) {
        cookie += random(3) === 0
          ? String.fromCharCode(random(256))
          : parts[random(parts.length)];
      }
      // these end the line, and are the server's business
      cookie = cookie.replace(/[\r\n]/g, "");
      const { status, lines } = await rawRequest(server.addr.port, [
        `Cookie: ${cookie}`,
      ]);
      const told = JSON.stringify(cookie);
      assert(status === 200 || status === 400, `${status} for ${told}`);
      assert(!lines.join("\n").toLowerCase().includes("set-cookie"), told);
    }
    assertEquals(store.take().commits, 0);
  },
);

testOnStores(
  "R11 a token in the query, the path, the body or another header is ignored",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    const token = await signIn(sessions, "ada");
    const handler = withSession(whose, sessions);
    await using server = serve(handler);
    const { port } = server.addr;
    store.take();
    const form = `${N}=${token}`;
    const type = "Content-Type: application/x-www-form-urlencoded";
    const answers = [
      await rawRequest(port, [], `GET /?${form} HTTP/1.1`),
      await rawRequest(port, [], `GET /;${form} HTTP/1.1`),
      await rawRequest(port, [], `GET /${token} HTTP/1.1`),
      await rawRequest(
        port,
        [type, `Content-Length: ${form.length}`, "", form],
        "POST / HTTP/1.1",
      ),
      await rawRequest(port, [`X-Session: ${token}`]),
      await rawRequest(port, [`Authorization: Bearer ${token}`]),
      await rawRequest(port, [`${N}: ${token}`]),
      await rawRequest(port, [`Set-Cookie: ${form}`]),
      await rawRequest(port, [`Cookie2: ${form}`]),
      await rawRequest(port, [`X-Cookie: ${form}`]),
    ];
    for (const { status, body } of answers) {
      assertEquals([status, body], [200, "null"]);
    }
    assertEquals(store.take(), NO_CALLS);
    const { body } = await rawRequest(port, [`Cookie: ${form}`]);
    assertEquals(body, `"ada"`);
  },
);

Deno.test("R10 the time that a Cookie header takes grows with its length, not faster", async () => {
  const sessions = new SessionManager();
  const time = async (cookie: string) => {
    let best = Infinity;
    for (let round = 0; round < 5; round++) {
      const request = get(cookie);
      const start = performance.now();
      await sessions.handle(request, () => new Response());
      best = Math.min(best, performance.now() - start);
    }
    return best;
  };
  const megabyte = 1_000_000;
  const patterns = [";", "=", `${N};`, `${N} `, "; ", " ", "\t", "a=b; "];
  for (const pattern of patterns) {
    const cookie = `x${pattern.repeat(megabyte / pattern.length)}; ${N}x=1`;
    // a square of the length would take minutes
    const taken = await time(cookie);
    assert(taken < 250, `${taken} ms for ${JSON.stringify(pattern)}`);
  }
});
