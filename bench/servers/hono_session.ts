/**
 * `@hono/session`, with its defaults, on a KV file.
 *
 * It does not wait for its store to write, so its responses leave before that.
 *
 * @module
 */

import { PROFILE, SECRET } from "../_data.ts";
import { importPeer } from "../_peers.ts";
import { openKv, serve } from "./_serve.ts";

interface Data {
  profile?: unknown;
  count?: number;
}

const { Hono } = await importPeer("hono");
const { useSession, useSessionStorage } = await importPeer("@hono/session");
const kv = await openKv();

const storage = {
  get: async (id: string) => (await kv.get<Data>(["sessions", id])).value,
  set: async (id: string, data: Data) => {
    await kv.set(["sessions", id], data);
  },
  delete: (id: string) => kv.delete(["sessions", id]),
};

const app = new Hono();
app.use(useSessionStorage(storage), useSession({ secret: SECRET }));

// deno-lint-ignore no-explicit-any -- the types of Hono's contexts are not there
type Context = any;

async function increment(context: Context): Promise<Response> {
  let count = 0;
  await context.var.session.update((data: Data | null) => {
    count = (data?.count ?? 0) + 1;
    return { ...data, count };
  });
  return context.text(String(count));
}

app.get("/init", async (context: Context) => {
  await context.var.session.update({ profile: PROFILE, count: 1 });
  return context.text("1");
});
app.get("/read", async (context: Context) => {
  const data: Data | null = await context.var.session.get();
  return context.text(String(data?.count ?? 0));
});
app.get("/write", increment);
app.get("/increment", increment);

serve(app.fetch);
