/**
 * What a session shows between an early commit and its response, whoever writes meanwhile.
 */

import { assert, assertEquals } from "@std/assert";
import {
  type Session,
  SessionManager,
  type SessionStore,
} from "@tessera/session";
import { get, getWith, testOnStores, tokenOf } from "./_helpers.ts";

/** What the early commit has to tell, if anything. */
const EARLY: Record<string, (session: Session) => void> = {
  "nothing to tell": () => {},
  regenerate: (session) => session.regenerate(),
  persist: (session) => session.persist(false),
};

async function start(store: SessionStore) {
  const sessions = new SessionManager({ store });
  const token = tokenOf(
    await sessions.handle(get(), (session) => {
      session.set("total", 1);
      return new Response();
    }),
  );
  return { sessions, token };
}

for (const [what, early] of Object.entries(EARLY)) {
  testOnStores(
    `a body that is read after an early commit sees what was committed, though others have written since (${what})`,
    async ({ store }) => {
      const { sessions, token } = await start(store);
      let mine: unknown;
      const response = await sessions.handle(
        getWith(token),
        async (session) => {
          session.update<number>("total", (total = 0) => total + 1);
          session.set("mine", { a: 1 });
          early(session);
          await session.commit();
          mine = session.get("mine");
          await sessions.handle(getWith(token), (other) => {
            other.update<number>("total", (total = 0) => total + 100);
            other.delete("mine");
            return new Response();
          });
          return new Response(
            new ReadableStream({
              pull: (controller) => {
                assertEquals(session.get("total"), 2);
                assert(session.get("mine") === mine);
                controller.close();
              },
            }, { highWaterMark: 0 }),
          );
        },
      );
      await response.text();
    },
  );
}

testOnStores(
  "a schema is not asked again between an early commit and the response",
  async ({ store }) => {
    const { token } = await start(store);
    let checks = 0;
    const sessions = new SessionManager({
      store,
      schema: {
        "~standard": {
          version: 1,
          vendor: "test",
          validate: (value: unknown) => {
            checks++;
            return { value: value as { total: number } };
          },
        },
      },
    });
    const response = await sessions.handle(getWith(token), async (session) => {
      session.regenerate();
      await session.commit();
      checks = 0;
      return new Response();
    });
    assertEquals(checks, 0);
    assert(response.headers.getSetCookie().length === 1);
  },
);
