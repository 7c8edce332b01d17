import { withSession } from "@tessera/session";
import { TestClient } from "@tessera/session/testing";
Deno.test("x", async () => {
  for (const wait of [0, 20]) {
  const h = withSession((r, s) => { const p = new URL(r.url).pathname.slice(1); if (p) { s.login(p); } return new Response(String(s.subject)); }, { store: await Deno.openKv(":memory:"), onEvent: console.log });
  const c = new TestClient(h);
  await c.get("/ada"); await new Promise(r => setTimeout(r, wait));
  console.log(await (await c.get("/")).text()); await new Promise(r => setTimeout(r, wait));
  await c.get("/bob"); await new Promise(r => setTimeout(r, wait)); console.log(await (await c.get("/")).text());
  }
});
