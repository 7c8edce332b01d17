/**
 * `@remix-run/session`, on a KV file or in memory, put together as its own
 * middleware does it.
 *
 * @module
 */

import { ENV, PROFILE, SECRET } from "../_data.ts";
import { importPeer } from "../_peers.ts";
import { answer, type Handler, openKv, route, serve } from "./_serve.ts";

const { createCookie } = await importPeer("@remix-run/cookie");
const { createSession } = await importPeer("@remix-run/session");

// deno-lint-ignore no-explicit-any -- the types of the package are not there
type Session = any;

async function kvStorage() {
  const kv = await openKv();
  return {
    async read(id: string | null): Promise<Session> {
      if (!id) return createSession();
      const { value } = await kv.get(["sessions", id]);
      return value === null ? createSession() : createSession(id, value);
    },
    async save(session: Session): Promise<string | null> {
      if (session.deleteId) await kv.delete(["sessions", session.deleteId]);
      if (session.destroyed) {
        await kv.delete(["sessions", session.id]);
        return "";
      }
      if (!session.dirty) return null;
      await kv.set(["sessions", session.id], session.data);
      return session.id;
    },
  };
}

async function memoryStorage() {
  const path = "/memory-storage";
  const module = await importPeer("@remix-run/session", path);
  return module.createMemorySessionStorage();
}

const cookie = createCookie("session", {
  secrets: [SECRET],
  httpOnly: true,
  secure: true,
});
const storage = Deno.env.get(ENV.store) === "memory"
  ? await memoryStorage()
  : await kvStorage();

function withRemixSession(run: (session: Session) => Response): Handler {
  return async (request) => {
    const value = await cookie.parse(request.headers.get("cookie"));
    const session = await storage.read(value);
    let response = run(session);
    const saved = await storage.save(session);
    if (saved !== null) { // as in the middleware
      response = new Response(response.body, response);
      response.headers.append("set-cookie", await cookie.serialize(saved));
    }
    return response;
  };
}

const increment = withRemixSession((session) => {
  const count = (session.get("count") ?? 0) + 1;
  session.set("count", count);
  return answer(count);
});

serve(route({
  "/init": withRemixSession((session) => {
    session.set("profile", PROFILE);
    session.set("count", 1);
    return answer(1);
  }),
  "/read": withRemixSession((session) => answer(session.get("count"))),
  "/write": increment,
  "/increment": increment,
}));
