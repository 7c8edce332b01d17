/**
 * `hono-sessions`, with its defaults, on a KV file.
 *
 * @module
 */

import { PROFILE } from "../_data.ts";
import { importPeer } from "../_peers.ts";
import { openKv, serve } from "./_serve.ts";

const { Hono } = await importPeer("hono");
const { sessionMiddleware } = await importPeer("hono-sessions");
const kv = await openKv();

const store = {
  getSessionById: async (id: string) => (await kv.get(["sessions", id])).value,
  createSession: async (id: string, data: unknown) => {
    await kv.set(["sessions", id], data);
  },
  persistSessionData: async (id: string, data: unknown) => {
    await kv.set(["sessions", id], data);
  },
  deleteSession: (id: string) => kv.delete(["sessions", id]),
};

const app = new Hono();
app.use(sessionMiddleware({
  store,
  cookieOptions: { path: "/", httpOnly: true, sameSite: "Lax" },
}));

// deno-lint-ignore no-explicit-any -- the types of Hono's contexts are not there
type Context = any;

function increment(context: Context): Response {
  const session = context.get("session");
  const count = (session.get("count") ?? 0) + 1;
  session.set("count", count);
  return context.text(String(count));
}

app.get("/init", (context: Context) => {
  context.get("session").set("profile", PROFILE);
  context.get("session").set("count", 1);
  return context.text("1");
});
app.get(
  "/read",
  (context: Context) =>
    context.text(String(context.get("session").get("count") ?? 0)),
);
app.get("/write", increment);
app.get("/increment", increment);

serve(app.fetch);
