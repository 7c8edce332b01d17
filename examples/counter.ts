// deno run --unstable-kv --allow-net examples/counter.ts

import { crossOriginProtection, withSession } from "@tessera/session";

Deno.serve(crossOriginProtection(withSession((request, session) => {
  const { pathname } = new URL(request.url);
  if (pathname === "/logout" && request.method === "POST") {
    session.logout();
    return new Response("Signed out\n");
  }
  if (pathname !== "/") return new Response("Not found\n", { status: 404 });
  const count = session.get<number>("count") ?? 0;
  session.set("count", count + 1);
  return Response.json({ count });
})));
