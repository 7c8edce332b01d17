/**
 * What `withSession`, managers and options accept: checked by compiling.
 */

import { assertEquals } from "@std/assert";
import {
  KvStore,
  type LazySession,
  MemoryStore,
  requireSession,
  type Session,
  SessionManager,
  type SessionOptions,
  type SessionStore,
  type StandardSchema,
  withLazySession,
  withSession,
} from "@tessera/session";
import { get } from "./_helpers.ts";

/** Compiles only if both types are the same, to the letter. */
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends
  (<T>() => T extends B ? 1 : 2) ? true : false;

/** Checks at compile time; takes only `true`. */
function expectType<T extends true>(..._proof: T[]): void {}

interface Shop {
  cart: string[];
  count: number;
  coupon?: string;
}

interface Notices {
  notice: string;
  score: number;
}

const store = new MemoryStore();
const OK = new Response();

/** Compiles its callback, and does not run it. */
function compile(_check: (...never: never[]) => unknown): void {}

Deno.test("withSession() infers nothing where nothing is declared", async () => {
  const handler = withSession((request, session) => {
    expectType<Equal<typeof request, Request>>();
    expectType<Equal<typeof session, Session>>();
    return Response.json(session.get<number>("count") ?? 0);
  }, { store });
  const response: Promise<Response> = handler(get());
  assertEquals(await (await response).json(), 0);
});

Deno.test("withSession<Data>() types the session, and takes more arguments", () => {
  const typed = withSession<Shop>((_request, session) => {
    expectType<Equal<typeof session, Session<Shop>>>();
    session.set("cart", []);
    // @ts-expect-error: no such key
    session.set("basket", []);
    return OK;
  }, { store });
  const server: Deno.ServeHandler = typed;
  const withInfo = withSession<Shop>(
    (_request, session, info: Deno.ServeHandlerInfo) => {
      session.set("count", info.completed instanceof Promise ? 1 : 0);
      return OK;
    },
    { store },
  );
  const serverWithInfo: Deno.ServeHandler = withInfo;
  const flashed = withSession<Shop, Notices>((_request, session) => {
    session.flash("notice", "hello");
    return OK;
  }, { store });
  compile(() => [server, serverWithInfo, flashed]);
});

Deno.test("withSession() passes on what it does not know, with its types", () => {
  const withInfo = withSession(
    (_request, _session, info: Deno.ServeHandlerInfo) =>
      new Response(String(info.remoteAddr)),
    { store },
  );
  expectType<
    Equal<
      Parameters<typeof withInfo>,
      [request: Request, info: Deno.ServeHandlerInfo]
    >
  >();
  compile(() => Deno.serve(withInfo));
  compile(() => Deno.serve({ port: 0 }, withInfo));
  compile(() => Deno.serve(withSession(() => OK)));
  compile(() =>
    ({ fetch: withSession(() => OK) }) satisfies Deno.ServeDefaultExport
  );
  const routed = withSession(
    (_request, _session, params: URLPatternResult | null, info?: object) =>
      Response.json([params, info]),
    { store },
  );
  expectType<
    Equal<
      Parameters<typeof routed>,
      [
        request: Request,
        params: URLPatternResult | null,
        info?: object | undefined,
      ]
    >
  >();
  // @ts-expect-error: the parameters are missing
  compile(() => routed(get()));
  // @ts-expect-error: the info is missing
  compile(() => withInfo(get()));
});

Deno.test("withSession() nests: the inner handler gets both sessions", async () => {
  interface Account {
    name: string;
  }
  const shop = new SessionManager<Shop>({ store, cookie: { name: "shop" } });
  const account = new SessionManager<Account>({
    store,
    cookie: { name: "account" },
  });
  // the session of the outer one comes after that of the inner one
  const handler = withSession(
    withSession(
      (_request, inner, outer: Session<Shop>) => {
        expectType<Equal<typeof inner, Session<Account>>>();
        outer.set("count", 1);
        inner.set("name", "ada");
        // @ts-expect-error: a key of the other one
        inner.set("count", 1);
        return OK;
      },
      account,
    ),
    shop,
  );
  expectType<Equal<Parameters<typeof handler>, [request: Request]>>();
  const response = await handler(get());
  assertEquals(response.headers.getSetCookie().length, 2);
});

Deno.test("A manager that is passed tells the types", () => {
  const manager = new SessionManager<Shop, Notices>({ store });
  compile(() =>
    withSession((_request, session) => {
      expectType<Equal<typeof session, Session<Shop, Notices>>>();
      return OK;
    }, manager)
  );
  compile(() =>
    withLazySession(async (_request, lazy) => {
      expectType<Equal<typeof lazy, LazySession<Shop, Notices>>>();
      const session = await lazy.load();
      expectType<Equal<typeof session, Session<Shop, Notices>>>();
      return OK;
    }, manager)
  );
  compile(() =>
    manager.handle(get(), (session) => {
      expectType<Equal<typeof session, Session<Shop, Notices>>>();
      return OK;
    })
  );
  compile(async () => {
    const session = await manager.load(get());
    expectType<Equal<typeof session, Session<Shop, Notices>>>();
    const edited = await manager.edit("id", (session) => session.get("count"));
    expectType<Equal<typeof edited, number | undefined>>();
    // @ts-expect-error: a session of another type
    await manager.commit({} as Session<{ other: 1 }>, OK);
  });
  // @ts-expect-error: no such type of data
  compile(() => withSession<{ other: 1 }>(() => OK, manager));
});

Deno.test("A schema tells the types", () => {
  const schema: StandardSchema<Shop> = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) => ({ value: value as Shop }),
    },
  };
  compile(() =>
    withSession((_request, session) => {
      expectType<Equal<typeof session, Session<Shop>>>();
      return OK;
    }, { schema, store })
  );
  const manager = new SessionManager({ schema, store });
  expectType<Equal<typeof manager, SessionManager<Shop>>>();
  compile(() =>
    withLazySession(async (_request, lazy) => {
      const cart = (await lazy.load()).get("cart");
      expectType<Equal<typeof cart, string[] | undefined>>();
      return OK;
    }, { schema })
  );
  // @ts-expect-error: a schema of other data
  compile(() => new SessionManager<{ other: 1 }>({ schema }));
});

Deno.test("A schema with an index signature tells the types", () => {
  compile((schema: StandardSchema<Record<string, number>>) =>
    withSession((_request, session) => {
      const score = session.get("ada");
      expectType<Equal<typeof score, number | undefined>>();
      session.update("ada", (value = 0) => value + 1);
      // @ts-expect-error: no number
      session.set("ada", "1");
      return OK;
    }, { schema, store })
  );
  compile((sessions: SessionManager<Record<string, number>>) =>
    requireSession((_request, session) => {
      const score = session.get("ada");
      expectType<Equal<typeof score, number | undefined>>();
      return OK;
    }, sessions)
  );
});

Deno.test("The store option takes all that is a store", () => {
  compile((kv: Deno.Kv, own: SessionStore) => {
    const options: SessionOptions[] = [
      { store: kv },
      { store: own },
      { store: Deno.openKv() },
      { store: Promise.resolve(own) },
      { store: new KvStore(kv) },
      { store: new KvStore(Deno.openKv(), { prefix: ["app"] }) },
      { store: new KvStore(() => Deno.openKv(":memory:")) },
      { store: new MemoryStore() },
    ];
    // @ts-expect-error: no store
    options.push({ store: new Map() });
    // @ts-expect-error: no store
    options.push({ store: "memory" });
    return options;
  });
});

Deno.test("Options that do not exist, or have another type, do not compile", () => {
  compile(() => {
    const options: SessionOptions[] = [
      // @ts-expect-error: no such option
      { maxAge: 1 },
      // @ts-expect-error: no such unit
      { idleTimeout: { day: 1 } },
      // @ts-expect-error: no duration
      { idleTimeout: "7d" },
      // @ts-expect-error: a list
      { secrets: "x" },
      // @ts-expect-error: no such value
      { cookie: { sameSite: "lax" } },
      // @ts-expect-error: always set
      { cookie: { httpOnly: false } },
      // @ts-expect-error: no such value
      { onInvalid: "ignore" },
    ];
    return options;
  });
});
