/**
 * `revokeAll` and `maxSessionsPerSubject` while sessions are in use: expired ones that a
 * request could go on with, logins of the same millisecond, many logins at a time.
 */

import { assert, assertEquals } from "@std/assert";
import {
  type Session,
  type SessionEvent,
  SessionManager,
  type SessionOptions,
  type SessionStore,
} from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { get, getWith, testOnStores, tokenOf } from "./_helpers.ts";

const IDLE_MS = 60_000;

function setUp(store: SessionStore, options: SessionOptions = {}) {
  const clock = new TestClock();
  const events: SessionEvent[] = [];
  const sessions = new SessionManager({
    store,
    clock: clock.now,
    idleTimeout: IDLE_MS,
    onEvent: (event) => events.push(event),
    ...options,
  });
  return { clock, events, sessions };
}

async function signIn(sessions: SessionManager): Promise<string> {
  return tokenOf(
    await sessions.handle(get(), (session) => {
      session.login("ada");
      return new Response();
    }),
  );
}

/** Begins a request, and leaves it to the caller to let it end. */
async function begin(
  sessions: SessionManager,
  token: string,
  use: (session: Session) => void,
) {
  const { promise, resolve: end } = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const response = sessions.handle(getWith(token), async (session) => {
    use(session);
    begun.resolve();
    await promise;
    return new Response();
  });
  await begun.promise;
  return async () => {
    end();
    return await response;
  };
}

const write = (session: Session) =>
  session.update<number>("n", (n = 0) => n + 1);

const USES: Record<string, (session: Session) => void> = {
  read: (session) => void session.get("n"),
  write,
};

for (const [what, use] of Object.entries(USES)) {
  testOnStores(
    `revokeAll ends a session whose idle timeout ran out while it was in use (${what})`,
    async ({ store }) => {
      const { clock, sessions } = setUp(store);
      const token = await signIn(sessions);
      clock.advance(IDLE_MS - 1_000);
      const end = await begin(sessions, token, use);
      clock.advance(2_000);
      assertEquals(await sessions.revokeAll("ada"), 0); // it had expired by itself
      const response = await end();
      assertEquals(response.headers.getSetCookie(), []);
      assertEquals(await Array.fromAsync(sessions.list()), []);
    },
  );

  testOnStores(
    `a limit counts no session twice whose idle timeout ran out while it was in use (${what})`,
    async ({ store }) => {
      const { clock, sessions } = setUp(store, { maxSessionsPerSubject: 1 });
      const token = await signIn(sessions);
      clock.advance(IDLE_MS - 1_000);
      const end = await begin(sessions, token, use);
      clock.advance(2_000);
      await signIn(sessions);
      await end();
      assertEquals((await Array.fromAsync(sessions.list())).length, 1);
    },
  );
}

testOnStores(
  "revokeAll ends a session that signed in at the same millisecond, whoever writes to it",
  async ({ store }) => {
    const { clock, sessions } = setUp(store);
    let token = await signIn(sessions);
    let races = 3; // as often as each is tried before they are listed again
    const racing = setUp({
      get: (id) => store.get(id),
      list: (options) => store.list(options),
      commit: async (commit) => {
        if (commit.delete.length > 0 && races-- > 0) {
          await (await begin(sessions, token, write))();
        }
        return await store.commit(commit);
      },
    }, { clock: clock.now });
    assertEquals(await racing.sessions.revokeAll("ada"), 1);
    assertEquals(await Array.fromAsync(sessions.list()), []);
    token = await signIn(sessions);
    assertEquals((await Array.fromAsync(sessions.list())).length, 1);
  },
);

testOnStores(
  "100 logins at a time within a limit are counted together",
  async ({ store }) => {
    const { events, sessions } = setUp(store, { maxSessionsPerSubject: 5 });
    store.take();
    await Promise.all(Array.from({ length: 100 }, () => signIn(sessions)));
    assertEquals((await Array.fromAsync(sessions.list())).length, 5);
    const { commits } = store.take();
    assert(commits <= 100 + 95, `${commits} commits`);
    assertEquals(events.filter(({ type }) => type === "conflict"), []);
    assertEquals(events.filter(({ type }) => type === "ended").length, 95);
  },
);
