/**
 * What compiles and what does not: this file is a test by being type-checked.
 */

import type {
  KeyOf,
  KvStoreOptions,
  LazySession,
  Session,
  SessionEvent,
  SessionManager,
  ValueOf,
} from "@tessera/session";

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

/** Compiles its callback, and does not run it. */
function compile(_check: (...never: never[]) => unknown): void {}

Deno.test("Session<Data> knows its keys and the types of their values", () => {
  compile((session: Session<Shop>) => {
    const cart = session.get("cart");
    expectType<Equal<typeof cart, string[] | undefined>>();
    const count = session.get("count");
    expectType<Equal<typeof count, number | undefined>>();
    const coupon = session.get("coupon");
    expectType<Equal<typeof coupon, string | undefined>>();
    session.set("cart", ["apples"]);
    session.update("count", (value) => {
      expectType<Equal<typeof value, number | undefined>>();
      return (value ?? 0) + 1;
    });
    session.update("cart", (value = []) => [...value, "pears"]);
    const had = session.delete("coupon");
    expectType<Equal<typeof had, boolean>>();
    const has = session.has("cart");
    expectType<Equal<typeof has, boolean>>();
    for (const entry of session.entries()) {
      if (entry[0] === "cart") expectType<Equal<typeof entry[1], string[]>>();
      const [key, value] = entry;
      expectType<Equal<typeof key, "cart" | "count" | "coupon">>();
      expectType<Equal<typeof value, string[] | number | string | undefined>>();
    }
    const { id, isNew, subject, authenticatedAt, expiresAt, size } = session;
    expectType<Equal<typeof id, string>>();
    expectType<Equal<typeof isNew, boolean>>();
    expectType<Equal<typeof subject, string | undefined>>();
    expectType<Equal<typeof authenticatedAt, number | undefined>>();
    expectType<Equal<typeof expiresAt, number>>();
    expectType<Equal<typeof size, number>>();
  });
});

Deno.test("Session<Data> has no other keys", () => {
  compile((session: Session<Shop>) => {
    // @ts-expect-error: no such key
    session.get("basket");
    // @ts-expect-error: no such key
    session.has("basket");
    // @ts-expect-error: no such key
    session.set("basket", []);
    // @ts-expect-error: no such key
    session.delete("basket");
    // @ts-expect-error: no such key
    session.update("basket", () => []);
    // @ts-expect-error: a key that may be anything
    session.get("cart" as string);
    // @ts-expect-error: the type is declared already
    session.get<number>("cart");
    // @ts-expect-error: the type is declared already
    session.update<string>("count", () => "1");
    // @ts-expect-error: no string
    session.get(1);
  });
});

Deno.test("Session<Data> takes no values of another type", () => {
  compile((session: Session<Shop>) => {
    // @ts-expect-error: no list
    session.set("cart", "apples");
    // @ts-expect-error: no list of strings
    session.set("cart", [1]);
    // @ts-expect-error: no number
    session.set("count", undefined);
    // @ts-expect-error: no number
    session.set("count", "1");
    // @ts-expect-error: no number
    session.update("count", () => "1");
    // @ts-expect-error: it may not be there
    session.update("count", (value) => value + 1);
    // @ts-expect-error: a callback must be synchronous
    session.update("count", () => Promise.resolve(1));
    // @ts-expect-error: a callback, not a value
    session.update("count", 1);
    // @ts-expect-error: it may not be there
    session.get("cart").length;
    // @ts-expect-error: read-only
    session.id = "x";
    // @ts-expect-error: read-only
    session.subject = "ada";
    // @ts-expect-error: a subject is a string
    session.login(1);
    // @ts-expect-error: no such option
    session.login("ada", { device: "phone" });
    // @ts-expect-error: a boolean
    session.persist("yes");
  });
});

Deno.test("Session without Data takes a type argument", () => {
  compile((session: Session) => {
    const untyped = session.get("count");
    expectType<Equal<typeof untyped, unknown>>();
    const count = session.get<number>("count");
    expectType<Equal<typeof count, number | undefined>>();
    // a string is no less a type than a number
    const name = session.get<string>("name");
    expectType<Equal<typeof name, string | undefined>>();
    const role = session.get<"admin" | "user">("role");
    expectType<Equal<typeof role, "admin" | "user" | undefined>>();
    const any = session.get<string>("name" as string);
    expectType<Equal<typeof any, string | undefined>>();
    session.update<number>("count", (value = 0) => value + 1);
    session.update<string>("name", (value = "") => value + "!");
    session.set("anything", new Map());
    for (const entry of session.entries()) {
      expectType<Equal<typeof entry, [string, unknown]>>();
    }
    const notice = session.flash<string>("notice");
    expectType<Equal<typeof notice, string | undefined>>();
    const score = session.flash<number>("score");
    expectType<Equal<typeof score, number | undefined>>();
    session.flash("notice", "saved");
    // @ts-expect-error: not the type that was named
    session.update<number>("count", () => "1");
    // @ts-expect-error: no string
    session.set(1, 1);
  });
});

Deno.test("Session<Data> knows the type of values behind an index signature", () => {
  type Scores = Record<string, number>;
  compile((session: Session<Scores, Scores>) => {
    const score = session.get("ada");
    expectType<Equal<typeof score, number | undefined>>();
    const any = session.get("ada" as string);
    expectType<Equal<typeof any, number | undefined>>();
    session.set("ada", 1);
    session.update("ada", (value = 0) => value + 1);
    session.delete("ada");
    for (const entry of session.entries()) {
      expectType<Equal<typeof entry, [string, number]>>();
    }
    session.flash("score", 1);
    const flashed = session.flash("score");
    expectType<Equal<typeof flashed, number | undefined>>();
    // @ts-expect-error: another type is declared
    const date: Date | undefined = session.get("ada");
    // @ts-expect-error: the type is declared already
    session.get<Date>("ada");
    // @ts-expect-error: no number
    session.set("ada", "1");
    // @ts-expect-error: no number
    session.update("ada", () => "1");
    // @ts-expect-error: the type is declared already
    session.update<string>("ada", () => "1");
    // @ts-expect-error: no number
    session.flash("score", "1");
    // @ts-expect-error: another type is declared
    const text: string | undefined = session.flash("score");
    // @ts-expect-error: no string
    session.get(1);
    return [date, text];
  });
});

Deno.test("Session<Data> knows the keys that are declared beside an index signature", () => {
  interface Loose {
    count: number;
    [key: string]: unknown;
  }
  interface Seen {
    cart: string[];
    [page: `seen:${string}`]: boolean;
  }
  compile((session: Session<Loose, Loose>) => {
    const count = session.get("count");
    expectType<Equal<typeof count, number | undefined>>();
    const other = session.get("other");
    expectType<Equal<typeof other, unknown>>();
    session.update("count", (value = 0) => value + 1);
    session.set("other", new Map());
    const flashed = session.flash("count");
    expectType<Equal<typeof flashed, number | undefined>>();
    // @ts-expect-error: another type is declared
    const date: Date | undefined = session.get("count");
    // @ts-expect-error: declared as unknown
    const text: string | undefined = session.get("other");
    // @ts-expect-error: no number
    session.set("count", "1");
    // @ts-expect-error: no number
    session.update("count", () => "1");
    return [date, text];
  });
  compile((session: Session<Seen>) => {
    const cart = session.get("cart");
    expectType<Equal<typeof cart, string[] | undefined>>();
    const seen = session.get("seen:home");
    expectType<Equal<typeof seen, boolean | undefined>>();
    for (const [key, value] of session.entries()) {
      expectType<Equal<typeof key, "cart" | `seen:${string}`>>();
      expectType<Equal<typeof value, string[] | boolean>>();
    }
    // @ts-expect-error: no such key
    session.get("other");
    // @ts-expect-error: no boolean
    session.set("seen:home", 1);
  });
});

Deno.test("Session<Data> of a union has the keys of every variant", () => {
  type SignUp =
    | { step: 1; email: string }
    | { step: 2; code: number; email?: string }
    | { step: 3; done: Record<string, boolean> };
  compile((session: Session<SignUp, SignUp>) => {
    const step = session.get("step");
    expectType<Equal<typeof step, 1 | 2 | 3 | undefined>>();
    const email = session.get("email");
    expectType<Equal<typeof email, string | undefined>>();
    const code = session.get("code");
    expectType<Equal<typeof code, number | undefined>>();
    session.set("step", 2);
    session.set("code", 1234);
    session.update("code", (value = 0) => value + 1);
    const had: [boolean, boolean] = [
      session.has("done"),
      session.delete("code"),
    ];
    for (const entry of session.entries()) {
      const [key, value] = entry;
      expectType<Equal<typeof key, "step" | "email" | "code" | "done">>();
      if (entry[0] === "code") expectType<Equal<typeof entry[1], number>>();
      expectType<
        Equal<
          typeof value,
          1 | 2 | 3 | string | undefined | number | Record<string, boolean>
        >
      >();
    }
    session.flash("code", 1);
    const flashed = session.flash("email");
    expectType<Equal<typeof flashed, string | undefined>>();
    session.keepFlash("done");
    // @ts-expect-error: no variant has the key
    session.get("name");
    // @ts-expect-error: no variant has the key
    session.set("name", "ada");
    // @ts-expect-error: no variant has the key
    session.has("name");
    // @ts-expect-error: no variant has the value
    session.set("step", 4);
    // @ts-expect-error: a number in the variant that has it
    session.set("code", "1234");
    // @ts-expect-error: a number in the variant that has it
    session.update("code", () => "1234");
    // @ts-expect-error: the type is declared already
    session.get<string>("code");
    // @ts-expect-error: a key that may be anything
    session.get("code" as string);
    // @ts-expect-error: no variant has the kind
    session.flash("name");
    return had;
  });
  compile((session: Session<{ at: Date } | Record<string, number>>) => {
    const at = session.get("at");
    expectType<Equal<typeof at, Date | number | undefined>>();
    session.set("other", 1);
    // @ts-expect-error: neither a date nor a number
    session.set("at", "now");
  });
  const idOf = (session: Session) => session.id;
  compile((session: Session<SignUp>) => idOf(session));
});

Deno.test("KeyOf and ValueOf say what functions of any data take and give", () => {
  const swap = <Data extends object, Key extends KeyOf<Data>>(
    session: Session<Data>,
    key: Key,
    value: ValueOf<Data, Key>,
  ): ValueOf<Data, Key> | undefined => {
    const old = session.get(key);
    session.set(key, value);
    session.update(key, (current = value) => current);
    return old;
  };
  const swapShop = <Key extends keyof Shop>(
    session: Session<Shop>,
    key: Key,
    value: Shop[Key],
  ): Shop[Key] | undefined => swap(session, key, value);
  compile((session: Session<Shop>) => {
    const count = swapShop(session, "count", 1);
    expectType<Equal<typeof count, number | undefined>>();
    // @ts-expect-error: no number
    swap(session, "count", "1");
    // @ts-expect-error: no such key
    swap(session, "basket", []);
  });
  compile((session: Session<{ a: 1; b: string } | { a: 2; c: Date }>) => {
    const c = swap(session, "c", new Date());
    expectType<Equal<typeof c, Date | undefined>>();
    // @ts-expect-error: no date
    swap(session, "c", 1);
  });
});

Deno.test("Session<Data, Flash> types flash values apart from the data", () => {
  compile((session: Session<Shop, Notices>) => {
    session.flash("notice", "saved");
    const notice = session.flash("notice");
    expectType<Equal<typeof notice, string | undefined>>();
    const score = session.flash("score");
    expectType<Equal<typeof score, number | undefined>>();
    session.keepFlash();
    session.keepFlash("notice");
    // @ts-expect-error: no such kind
    session.flash("cart");
    // @ts-expect-error: no such kind
    session.keepFlash("cart");
    // @ts-expect-error: no string
    session.flash("notice", 1);
    // @ts-expect-error: the type is declared already
    session.flash<number>("notice");
    // @ts-expect-error: a kind is no key
    session.get("notice");
  });
});

Deno.test("A typed session fits where any session is taken", () => {
  const idOf = (session: Session) => session.id;
  const visits = (session: Session) => session.get<number>("count");
  compile((session: Session<Shop>) => [idOf(session), visits(session)]);
  compile((session: Session<Shop, Notices>) => idOf(session));
  compile((session: Session<{ cart: string[] }>) => visits(session));
  compile((session: Session<Record<string, number>>) => visits(session));
  compile(<Data extends object>(session: Session<Data>) => visits(session));
  const revoke = (sessions: SessionManager) => sessions.revoke("id");
  compile((sessions: SessionManager<Shop, Notices>) => revoke(sessions));
  const load = (lazy: LazySession) => lazy.load();
  compile((lazy: LazySession<Shop>) => load(lazy));
  compile((session: Session<Shop>) => {
    // @ts-expect-error: another type is declared
    const other: Session<{ cart: number }> = session;
    return other;
  });
});

Deno.test("Events are told apart by their type", () => {
  compile((event: SessionEvent) => {
    switch (event.type) {
      case "created":
      case "login":
        expectType<Equal<typeof event.id, string>>();
        // @ts-expect-error: has no reason
        return event.reason;
      case "regenerated":
        return event.previousId;
      case "ended":
      case "dropped":
      case "refused":
        return event.reason;
      case "conflict":
        return event.attempt;
      case "invalid":
        return event.issues;
      case "warning":
        return event.message;
      case "store-error":
        return event.error;
      default:
        expectType<Equal<typeof event, never>>();
        return undefined;
    }
  });
});

Deno.test("KvStoreOptions take any key of Deno KV as prefix", () => {
  compile((prefix: Deno.KvKey): KvStoreOptions => ({ prefix }));
});

Deno.test("Session.attach() takes sockets that are no EventTarget of the web standard", () => {
  interface CloseEvent {
    code: number;
  }
  /** As `npm:ws` declares it. */
  interface NodeSocket {
    readonly readyState: 0 | 1 | 2 | 3;
    close(code?: number, data?: string | Uint8Array): void;
    addEventListener<K extends "open" | "message" | "close">(
      type: K,
      listener: ((event: CloseEvent) => void) | { handleEvent(): void },
      options?: { once?: boolean | undefined },
    ): void;
  }
  compile((session: Session, socket: NodeSocket, web: WebSocket) => {
    session.attach(socket);
    session.attach(web);
    // @ts-expect-error: it cannot be closed
    session.attach(new EventTarget());
  });
});
