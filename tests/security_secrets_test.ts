// deno-lint-ignore-file no-console -- it listens to the console
/**
 * No credential is ever shown.
 */

import { assert, assertEquals } from "@std/assert";
import {
  headerTransport,
  MemoryStore,
  type Session,
  SessionManager,
  type SessionOptions,
  type SessionStore,
  withSession,
} from "@tessera/session";
import { TestClient } from "@tessera/session/testing";
import {
  COOKIE,
  type CountingStore,
  get,
  getWith,
  inspect,
  key,
  testOnStores,
} from "./_helpers.ts";

/** Collects what a program writes to its console. */
async function withConsole(run: () => Promise<void>): Promise<string> {
  const methods = ["debug", "info", "log", "warn", "error"] as const;
  const own = methods.map((method) => [method, console[method]] as const);
  const written: string[] = [];
  for (const method of methods) {
    console[method] = (...values: unknown[]) => {
      written.push(values.map(inspect).join(" "));
    };
  }
  try {
    await run();
  } finally {
    for (const [method, write] of own) console[method] = write;
  }
  return written.join("\n");
}

/** Shows a value in every way that it may get into a log. */
function show(value: unknown): string {
  const json = (() => {
    try {
      return JSON.stringify(value);
    } catch (error) {
      return String(error);
    }
  })();
  const error = value instanceof Error
    ? `${value.message}\n${value.stack}\n${show(value.cause)}`
    : "";
  return `${inspect(value)}\n${json}\n${String(value)}\n${error}`;
}

testOnStores(
  "R56 no token, secret or key is in any event, error, inspection or log",
  async ({ store }) => {
    const [k1, k2] = [key("first key "), key("other key ")];
    const credentials = new Set([k1, k2]);
    const shown: string[] = [];
    const logged = await withConsole(async () => {
      for (const secrets of [undefined, [k1], [k2, k1]]) {
        await tellStory(store, secrets, credentials, shown);
      }
      await tellStory(store, [k1], credentials, shown, { stateless: true });
    });
    const text = `${shown.join("\n")}\n${logged}`;
    assert(credentials.size > 30, `${credentials.size} credentials`);
    for (const type of ["created", "refused", "login", "ended", "dropped"]) {
      assert(text.includes(`type: "${type}"`), `the story has ${type}`);
    }
    assert(text.includes("SessionClosedError") && text.includes("TypeError"));
    for (const credential of credentials) {
      assert(!text.includes(credential), `${credential} is shown`);
    }
  },
);

/** Does all that sessions can do, and collects all that can be seen of it. */
async function tellStory(
  store: CountingStore,
  secrets: string[] | undefined,
  credentials: Set<string>,
  shown: string[],
  options: { stateless?: boolean } = {},
): Promise<void> {
  const { stateless = false } = options;
  let outage = false;
  const flaky: SessionStore = {
    get: (id) => outage ? Promise.reject(new Error("down")) : store.get(id),
    commit: (commit) =>
      outage ? Promise.reject(new Error("down")) : store.commit(commit),
    list: (selection) => store.list(selection),
  };
  const see = (value: unknown) => void shown.push(show(value));
  const note = (token: string | undefined) => {
    if (token === undefined || token === "") return;
    credentials.add(token);
    const [, ...parts] = token.split(".");
    for (const part of parts) {
      credentials.add(part);
      credentials.add(
        Uint8Array.fromBase64(part, { alphabet: "base64url" }).toHex(),
      );
    }
  };
  const sessions = new SessionManager({
    onEvent: see,
    trace: (name, run) => (see(name), run()),
    ...(secrets === undefined ? {} : { secrets }),
    ...(stateless ? { stateless } : { store: flaky }),
  });
  const handle = async (
    request: Request,
    use: (session: Session) => unknown,
  ): Promise<Response | undefined> => {
    let kept: Session | undefined;
    const trial = async (run: () => unknown) => {
      try {
        see(await run());
      } catch (error) {
        see(error);
      }
    };
    try {
      const response = await sessions.handle(request, async (session) => {
        kept = session;
        see(session);
        await trial(() => use(session));
        see(session);
        return new Response();
      });
      note(response.headers.getSetCookie()[0]?.split(/[=;]/)[1]);
      return response;
    } catch (error) {
      see(error);
      return undefined;
    } finally {
      see(kept);
      await trial(() => kept?.set("late", 1)); // closed
    }
  };
  see(sessions);
  const client = new TestClient(async (request) => {
    const response = await handle(request, USES[step % USES.length] ?? see);
    return response ?? new Response("failed", { status: 500 });
  });
  let step = 0;
  for (; step < USES.length; step++) {
    await client.get("/");
    const token = client.cookie(COOKIE)?.value;
    note(token);
    if (token === undefined) continue;
    for (
      const bad of [
        token.slice(0, -1),
        `${token}x`,
        token.slice(0, -2) + "AA",
        token.slice(0, 27) + "a".repeat(42) + "A" + token.slice(70),
      ]
    ) await handle(getWith(bad), see);
    outage = true;
    await handle(getWith(token), (session) => session.set("x", 1));
    outage = false;
  }
  if (stateless) return;
  const token = client.cookie(COOKIE)?.value ?? "";
  await handle(getWith(token), async (session) => {
    session.set("late", true);
    await sessions.revoke(session.id);
  });
  for await (const info of sessions.list()) {
    see(info);
    see(await sessions.get(info.id));
    see(await sessions.edit(info.id, see));
    await sessions.revoke(info.id);
  }
}

/** What the story does, one request after the other. */
const USES: ((session: Session) => unknown)[] = [
  (session) => session.set("cart", ["apples"]),
  (session) => session.get("cart"),
  (session) => session.set("bad", () => {}),
  (session) => session.regenerate(),
  (session) => session.login("ada", { label: "a phone" }),
  (session) => session.update("n", () => Promise.resolve(1)),
  (session) => session.flash("notice", "hello"),
  (session) => session.commit(),
  (session) => session.set("big", new Uint8Array(900_000)),
  (session) => session.login(1 as unknown as string),
  (session) => {
    session.destroy();
    session.get("cart");
  },
  (session) => session.set("again", true),
];

Deno.test("R56 the errors of options do not show a key", () => {
  const secret = "a key that nobody should see.";
  const bad: object[] = [
    { secrets: [secret] },
    { secrets: [secret.repeat(2), secret.repeat(2)] },
    { secrets: secret.repeat(2) },
    { secrets: [secret.repeat(2)], stateless: true, store: new MemoryStore() },
    { secrets: [secret.repeat(2)], unknown: 1 },
    { secrets: { [secret]: secret } },
  ];
  for (const options of bad) {
    let thrown: unknown;
    try {
      new SessionManager(options as SessionOptions);
    } catch (error) {
      thrown = error;
    }
    assert(thrown instanceof Error);
    assert(!show(thrown).includes(secret), show(thrown));
  }
});

Deno.test("R56 a header transport shows no token either", async () => {
  const shown: string[] = [];
  const handler = withSession((_request, session) => {
    shown.push(show(session));
    session.set("seen", true);
    return new Response();
  }, {
    store: new MemoryStore(),
    transport: headerTransport(),
    onEvent: (event) => shown.push(show(event)),
  });
  const first = await handler(get());
  const token = first.headers.get("x-session") ?? "";
  assertEquals(token.length, 70);
  for (const value of [token, `${token}x`, token.toLowerCase()]) {
    await handler(
      new Request("https://example.com/", { headers: { "x-session": value } }),
    );
  }
  const text = shown.join("\n");
  assert(text.includes(`reason: "malformed"`));
  assert(!text.includes(token.slice(27)));
  assert(!text.includes(token.slice(27).toLowerCase()));
});
