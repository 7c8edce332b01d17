/**
 * Sessions by hand: `getCookies` and one raw call of Deno KV, and no check at all.
 *
 * `/write` does not even read: it overwrites the session with one `kv.set`.
 *
 * @module
 */

import { getCookies, setCookie } from "@std/http/cookie";
import { PROFILE } from "../_data.ts";
import { answer, openKv, route, serve } from "./_serve.ts";

interface Data {
  profile: unknown;
  count: number;
}

const kv = await openKv();
let writes = 0;

function keyOf(request: Request): string[] | undefined {
  const id = getCookies(request.headers).session;
  return id === undefined ? undefined : ["sessions", id];
}

serve(route({
  "/init": async () => {
    const id = crypto.randomUUID();
    await kv.set(["sessions", id], { profile: PROFILE, count: 1 });
    const response = answer(1);
    setCookie(response.headers, { name: "session", value: id, path: "/" });
    return response;
  },
  "/read": async (request) => {
    const key = keyOf(request);
    if (key === undefined) return answer(0);
    const { value } = await kv.get<Data>(key);
    return answer(value?.count);
  },
  "/write": async (request) => {
    const key = keyOf(request);
    if (key === undefined) return answer(0);
    const count = ++writes;
    await kv.set(key, { profile: PROFILE, count });
    return answer(count);
  },
  "/increment": async (request) => {
    const key = keyOf(request);
    if (key === undefined) return answer(0);
    const { value } = await kv.get<Data>(key);
    const count = (value?.count ?? 0) + 1;
    await kv.set(key, { profile: value?.profile, count });
    return answer(count);
  },
}));
