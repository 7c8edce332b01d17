import { assert, assertEquals } from "@std/assert";
import { type Session, withSession } from "@tessera/session";
import { TestClient } from "@tessera/session/testing";
import fc from "fast-check";
import { testRaces } from "./_races.ts";

const USERS = 200;
const ROUNDS = 5;

/** What a user does in one request, and what the model makes of it. */
type Deed =
  | { readonly type: "set"; readonly key: string; readonly value: number }
  | { readonly type: "push"; readonly value: number }
  | { readonly type: "count" | "clear" | "login" | "regenerate" | "logout" }
  | { readonly type: "waste" };

const deed: fc.Arbitrary<Deed> = fc.oneof(
  fc.record({
    type: fc.constant("set"),
    key: fc.constantFrom("a", "b"),
    value: fc.nat(),
  }),
  fc.record({ type: fc.constant("push"), value: fc.nat() }),
  fc.record({
    type: fc.constantFrom(
      "count",
      "waste",
      "clear",
      "login",
      "regenerate",
      "logout",
    ),
  }),
);

type Data = Record<string, unknown>;

function toModel(data: Data, user: number, done: Deed): Data {
  const owner = `user ${user}`;
  switch (done.type) {
    case "set":
      return { ...data, owner, [done.key]: [owner, done.value] };
    case "push":
      return {
        ...data,
        owner,
        list: [...(data.list as number[] ?? []), done.value],
      };
    case "count":
      return { ...data, owner, n: ((data.n as number) ?? 0) + 1 };
    case "clear":
      return { owner };
    case "login":
    case "regenerate":
      return { ...data, owner };
    case "logout":
      return {};
    case "waste":
      return data;
  }
}

function toSession(session: Session, user: number, done: Deed): void {
  const owner = `user ${user}`;
  switch (done.type) {
    case "set":
      session.set(done.key, [owner, done.value]);
      break;
    case "push": {
      const list = session.get<number[]>("list");
      if (list === undefined) session.set("list", [done.value]);
      else list.push(done.value);
      break;
    }
    case "count":
      session.update<number>("n", (n = 0) => n + 1);
      break;
    case "clear":
      session.clear();
      break;
    case "login":
      session.login(owner);
      break;
    case "regenerate":
      session.regenerate();
      break;
    case "logout":
      return session.destroy();
    case "waste": {
      // changed, and not saved: the handler throws
      session.set("owner", "nobody");
      session.get<number[]>("list")?.push(-1);
      throw new Error("wasted");
    }
  }
  session.set("owner", owner);
}

testRaces(
  "R35 200 users in parallel: no value crosses over, and none that was not saved is seen",
  async (race) => {
    const managers = [race.manager(), race.manager()];
    const [programs = []] = fc.sample(
      fc.array(fc.array(deed, { minLength: ROUNDS, maxLength: ROUNDS }), {
        minLength: USERS,
        maxLength: USERS,
      }),
      { numRuns: 1, seed: 35 },
    );
    const runs = programs.map(async (deeds, user) => {
      let data: Data = {};
      let current: Deed = { type: "waste" };
      let shown: Data = {};
      const handlers = managers.map((manager) =>
        withSession((request, session) => {
          shown = structuredClone(Object.fromEntries(session.entries()));
          if (request.method === "POST") toSession(session, user, current);
          return new Response(session.subject ?? "");
        }, manager)
      );
      let requests = 0;
      const client = new TestClient((request) =>
        (handlers[requests++ % 2] ?? handlers[0])?.(request) ?? new Response()
      );
      for (current of deeds) {
        if (current.type === "waste") {
          await client.post("/").then(
            () => assert(false, "the handler must throw"),
            (error) => assertEquals(error.message, "wasted"),
          );
        } else await client.post("/");
        assertEquals(shown, data, `user ${user} before ${current.type}`);
        data = toModel(data, user, current);
        const response = await client.get("/");
        assertEquals(shown, data, `user ${user} after ${current.type}`);
        assert(["", `user ${user}`].includes(await response.text()));
      }
      return shown.owner === undefined ? 0 : 1;
    });
    const alive = await Promise.all(runs);
    const living = await Array.fromAsync(race.manager().list());
    assertEquals(living.length, alive.reduce((sum: number, n) => sum + n, 0));
  },
);

testRaces(
  "R35 a value that was read and changed, but not saved, is not seen by the next request",
  async (race) => {
    const manager = race.manager();
    const client = new TestClient(withSession((request, session) => {
      const cart = session.get<{ items: string[] }>("cart");
      if (cart === undefined) session.set("cart", { items: ["apples"] });
      else if (request.method === "POST") {
        cart.items.push("stolen");
        throw new Error("no");
      }
      return Response.json(cart ?? null);
    }, manager));
    await client.get("/");
    for (let n = 0; n < 3; n++) {
      await client.post("/").catch(() => {});
      assertEquals(await (await client.get("/")).json(), { items: ["apples"] });
    }
  },
);
