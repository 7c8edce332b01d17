/**
 * `iron-session`, with its defaults: the session is in the cookie, encrypted.
 *
 * @module
 */

import { PROFILE, SECRET } from "../_data.ts";
import { importPeer } from "../_peers.ts";
import { answer, route, serve } from "./_serve.ts";

const { getIronSession, webCookies } = await importPeer("iron-session");
const options = { cookieName: "session", password: SECRET };

async function increment(request: Request): Promise<Response> {
  const headers = new Headers();
  const session = await getIronSession(webCookies(request, headers), options);
  session.count = (session.count ?? 0) + 1;
  await session.save();
  return new Response(String(session.count), { headers });
}

serve(route({
  "/init": async (request) => {
    const headers = new Headers();
    const session = await getIronSession(webCookies(request, headers), options);
    session.profile = PROFILE;
    session.count = 1;
    await session.save();
    return new Response("1", { headers });
  },
  "/read": async (request) => {
    const cookies = webCookies(request, new Headers());
    const session = await getIronSession(cookies, options);
    return answer(session.count);
  },
  "/write": increment,
  "/increment": increment,
}));
