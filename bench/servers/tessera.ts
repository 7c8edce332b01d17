/**
 * Ours, with its defaults, on a KV file.
 *
 * Beside what all servers answer to, it has `/lazy` and `/untouched`, the same under
 * `/signed` with `secrets`, and for the soak test `/cycle` and `/memory`.
 *
 * @module
 */

import {
  type Session,
  SessionManager,
  type SessionOptions,
  withLazySession,
  withSession,
} from "@tessera/session";
import { ENV, PROFILE, SECRET } from "../_data.ts";
import { answer, type Handler, openKv, route, serve } from "./_serve.ts";

const kv = await openKv();
const batch = Deno.env.get(ENV.batch) === "false" ? { batch: false } : {};

function count(session: Session): number {
  return session.get<number>("count") ?? 0;
}

/** Makes the next request of a client, with the cookie it has just got. */
function followUp(url: string, response: Response): Request {
  const [cookie = ""] = response.headers.getSetCookie();
  const headers = { cookie: cookie.slice(0, cookie.indexOf(";")) };
  return new Request(url, { headers });
}

function routes(options: SessionOptions, prefix = ""): Record<string, Handler> {
  const manager = new SessionManager({ store: kv, ...batch, ...options });
  const init = withSession((_request, session) => {
    session.set("profile", PROFILE);
    session.set("count", 1);
    return answer(1);
  }, manager);
  const login = withSession((_request, session) => {
    session.login("ada");
    return answer(count(session));
  }, manager);
  const logout = withSession((_request, session) => {
    session.logout();
    return answer(0);
  }, manager);
  return {
    [`${prefix}/init`]: init,
    [`${prefix}/read`]: withSession(
      (_request, session) => answer(count(session)),
      manager,
    ),
    [`${prefix}/write`]: withSession((_request, session) => {
      const next = count(session) + 1;
      session.set("count", next);
      return answer(next);
    }, manager),
    [`${prefix}/increment`]: withSession((_request, session) => {
      session.update<number>("count", (current = 0) => current + 1);
      return answer(count(session));
    }, manager),
    [`${prefix}/lazy`]: withLazySession(() => answer(0), manager),
    [`${prefix}/untouched`]: withSession(() => answer(0), manager),
    // the whole life of a session
    [`${prefix}/cycle`]: async ({ url }) => {
      const begun = await init(new Request(url));
      const signedIn = await login(followUp(url, begun));
      return await logout(followUp(url, signedIn));
    },
  };
}

serve(route({
  ...routes({}),
  ...routes(
    { secrets: [SECRET], cookie: { name: "__Host-signed" } },
    "/signed",
  ),
  "/memory": () => {
    const { gc } = globalThis as { gc?: () => void };
    gc?.();
    gc?.();
    return Response.json(Deno.memoryUsage());
  },
}));
