/**
 * How long clients are told to keep their cookie, in whole seconds, beside how long its
 * session lives.
 */

import { assert, assertEquals } from "@std/assert";
import {
  MemoryStore,
  type Session,
  type SessionOptions,
  withSession,
} from "@tessera/session";
import { TestClient, TestClock } from "@tessera/session/testing";
import { CountingStore, getWith, key, tokenOf } from "./_helpers.ts";

const COOKIE = "__Host-session";

const KINDS: Record<string, () => SessionOptions> = {
  store: () => ({ store: new MemoryStore() }),
  stateless: () => ({ stateless: true, secrets: [key("k")] }),
};

/** What makes the response send a token, by the path that asks for it. */
const USES: Record<string, (session: Session) => void> = {
  "/write": (session) => session.update<number>("n", (n = 0) => n + 1),
  "/regenerate": (session) => session.regenerate(),
  "/persist": (session) => session.persist(true),
};

function setUp(options: SessionOptions) {
  const clock = new TestClock();
  let isNew: boolean | undefined;
  const handler = withSession((request, session) => {
    isNew = session.isNew;
    USES[new URL(request.url).pathname]?.(session);
    return new Response();
  }, { clock: clock.now, ...options });
  const client = new TestClient(handler, { clock: clock.now });
  const visit = async (path: string) => {
    const response = await client.get(path);
    return { response, isNew };
  };
  return { clock, client, handler, visit };
}

for (const [kind, options] of Object.entries(KINDS)) {
  for (const path of Object.keys(USES)) {
    for (const seconds of [1, 2, 3, 5, 9]) {
      const idleTimeout = seconds * 1_000;
      Deno.test(`a session of ${seconds} s is not lost by the rounding of Max-Age (${kind}, ${path})`, async () => {
        const persistent = path !== "/persist";
        const { clock, visit } = setUp({
          ...options(),
          idleTimeout,
          cookie: { persistent },
        });
        await visit("/write");
        clock.advance(idleTimeout * 0.05);
        await visit(path); // a use
        clock.advance(idleTimeout * 0.89);
        assertEquals((await visit("/write")).isNew, false);
      });
    }
  }
}

for (const [kind, options] of Object.entries(KINDS)) {
  Deno.test(`an older token of a short session is exchanged for one that lasts, and nothing is written (${kind})`, async () => {
    const store = new CountingStore(new MemoryStore());
    const { clock, client, handler, visit } = setUp({
      ...options(),
      ...(kind === "store" ? { store } : {}),
      idleTimeout: 5_000,
    });
    await visit("/write");
    const old = client.cookie(COOKIE)?.value ?? "";
    clock.advance(40);
    await visit("/regenerate");
    store.take();
    for (let n = 0; n < 10; n++) {
      clock.advance(40);
      const response = await handler(getWith(old));
      const [line] = response.headers.getSetCookie();
      // Max-Age=4 would be a fifth too short
      assert(line !== undefined && !line.includes("Max-Age"), line);
    }
    assertEquals(store.take().commits, 0);
  });
}

Deno.test("a session that can end within seconds tells how many whole ones there are", async () => {
  for (const idleTimeout of [1_000, 1_500, 2_999, 60_500]) {
    const { visit } = setUp({ store: new MemoryStore(), idleTimeout });
    const { response } = await visit("/write");
    const seconds = Math.floor(idleTimeout / 1_000);
    const [line] = response.headers.getSetCookie();
    assert(line?.includes(`Max-Age=${seconds};`), line);
  }
});

Deno.test("in the last second before the absolute timeout a cookie is not deleted", async () => {
  const { clock, visit } = setUp({
    store: new MemoryStore(),
    absoluteTimeout: 10_000,
  });
  await visit("/write");
  clock.advance(9_500);
  const { response } = await visit("/regenerate");
  const [line] = response.headers.getSetCookie();
  assert(line !== undefined && !line.includes("Max-Age"), line);
  clock.advance(499);
  assertEquals((await visit("/write")).isNew, false);
  clock.advance(1);
  assertEquals((await visit("/write")).isNew, true);
});

Deno.test("a persistent cookie of a longer session keeps its Max-Age when it is sent anew", async () => {
  const clock = new TestClock();
  const [k1, k2] = [key("1"), key("2")];
  const options = {
    store: new MemoryStore(),
    clock: clock.now,
    idleTimeout: { minutes: 15, seconds: 5 },
  };
  const answer = (_request: Request, session: Session) => {
    session.set("seen", session.get("seen") ?? true);
    return new Response();
  };
  const before = withSession(answer, { ...options, secrets: [k1] });
  const first = await before(new Request("https://example.com/"));
  clock.advance(90_100); // within the throttle, and 0.4 s into a second
  const after = withSession((_request, session) => {
    session.get("seen");
    return new Response();
  }, { ...options, secrets: [k2, k1] });
  const response = await after(getWith(tokenOf(first)));
  const [line] = response.headers.getSetCookie();
  assert(line?.includes("Max-Age=814;"), line);
});
