import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { SessionManager } from "@tessera/session";
import { stdArguments } from "../../tools/std.ts";
import { tokenOf } from "../_helpers.ts";
import {
  put,
  startRival,
  until,
  untilBlocked,
  usePostgres,
} from "./_postgres_store.ts";
import { read, start, suspend, times, together, use } from "../_races.ts";

const open = usePostgres();

const PROCESSES = 4;
const REQUESTS = 250;

Deno.test("sessions in PostgreSQL: four processes count to 1,000 in one session", async () => {
  await using opened = await open();
  const { store, table, url } = opened;
  const manager = new SessionManager({ store });
  const token = await start(manager, (session) => session.set("count", 0));
  const args = ["run", "-A", "--no-check", ...await stdArguments()];
  const gate = await startRival(opened.sql, "SELECT pg_advisory_xact_lock(7)");
  const outputs = Promise.all(
    Array.from({ length: PROCESSES }, () =>
      new Deno.Command(Deno.execPath(), {
        args: [...args, "tests/stores/_postgres_counter.ts"],
        cwd: new URL("../../", import.meta.url),
        env: { URL: url, TABLE: table, TOKEN: token, COUNT: String(REQUESTS) },
      }).output()),
  );
  await untilBlocked(opened.sql, PROCESSES);
  await gate.commit();
  for (const { success, stderr } of await outputs) {
    assert(success, new TextDecoder().decode(stderr));
  }
  assertEquals(await read(manager, token), { count: PROCESSES * REQUESTS });
});

Deno.test("sessions in PostgreSQL: two processes lose no update, no key, and no session", async () => {
  await using here = await open();
  await using there = here.again();
  const managers = [here, there].map(({ store }) =>
    new SessionManager({ store })
  );
  const tokens = await Promise.all(
    managers.flatMap((manager) =>
      [1, 2, 3].map((n) => start(manager, (session) => session.set("n", n)))
    ),
  );
  await together(
    tokens.flatMap((token) =>
      managers.flatMap((manager, m) =>
        times(20, manager, token, (session, index) => {
          session.update<number>("count", (count = 0) => count + 1);
          session.set(`${m}/${index}`, true);
        })
      )
    ),
  );
  for (const token of tokens) {
    for (const manager of managers) {
      const data = await read(manager, token);
      assertEquals(data?.count, 40);
      assertEquals(Object.keys(data ?? {}).length, 42);
    }
  }
});

Deno.test("sessions in PostgreSQL: sign in, list, sign out and revoke, each seen by another process", async () => {
  await using here = await open();
  await using there = here.again();
  const [mine, theirs] = [here, there].map(({ store }) =>
    new SessionManager({ store })
  );
  assert(mine && theirs);
  const anonymous = await start(mine, (session) => session.set("cart", ["a"]));
  const response = await use(theirs, anonymous, (session) => {
    session.login("ada", { label: "phone" });
  });
  const phone = tokenOf(response);
  assertNotEquals(phone, anonymous);
  assertEquals(await read(mine, anonymous), undefined);
  assertEquals(await read(mine, phone), { cart: ["a"] });

  const laptop = await start(mine, (session) => {
    session.login("ada", { label: "laptop" });
  });
  await start(mine, (session) => session.login("ada\0"));
  const list = async () =>
    (await Array.fromAsync(theirs.list({ subject: "ada" })))
      .map(({ label }) => label);
  assertEquals(await list(), ["laptop", "phone"]);
  await use(mine, laptop, (session) => session.logout());
  assertEquals(await list(), ["phone"]);
  for (let n = 0; n < 30; n++) {
    await start(mine, (session) => session.login("ada", { label: `${n}` }));
  }
  assertEquals(
    await theirs.revokeAll("ada", { except: phone.split(".")[0] }),
    30,
  );
  assertEquals(await list(), ["phone"]);
  assertEquals(await mine.revoke(phone.split(".")[0] ?? ""), true);
  assertEquals(await read(theirs, phone), undefined);
  assertEquals((await Array.fromAsync(mine.list())).length, 1);
});

Deno.test("sessions in PostgreSQL: a request in flight does not bring back what another process ended", async () => {
  await using here = await open();
  await using there = here.again();
  const [mine, theirs] = [here, there].map(({ store }) =>
    new SessionManager({ store })
  );
  assert(mine && theirs);
  const endings: ((token: string) => Promise<unknown>)[] = [
    (token) => use(theirs, token, (session) => session.logout()),
    (token) => theirs.revoke(token.split(".")[0] ?? ""),
    (token) => use(theirs, token, (session) => session.login("ada")),
  ];
  const changes: Parameters<typeof suspend>[2][] = [
    (session) => session.set("late", true),
    (session) => session.flash("late", true),
    (session) => session.regenerate(),
  ];
  for (const end of endings) {
    for (const change of changes) {
      const token = await start(mine);
      const late = await suspend(mine, token, change);
      await end(token);
      const response = await late.resume();
      assertEquals(response.headers.getSetCookie(), []);
      assertEquals(await read(mine, token), undefined);
    }
  }
});

Deno.test("sessions in PostgreSQL: parallel logins on one session leave one session", async () => {
  await using here = await open();
  await using there = here.again();
  const managers = [here, there].map(({ store }) =>
    new SessionManager({ store, maxSessionsPerSubject: 1 })
  );
  const [mine] = managers;
  assert(mine);
  const token = await start(mine);
  await together(
    managers.flatMap((manager) =>
      times(5, manager, token, (session) => session.login("ada"))
    ),
  );
  assertEquals(await read(mine, token), undefined);
  const living = await Array.fromAsync(mine.list());
  assertEquals(living.map(({ subject }) => subject), ["ada"]);
});

Deno.test("sessions in PostgreSQL: a session that is swept is gone, and its cookie anonymous", async () => {
  await using opened = await open();
  const { store, sql, table } = opened;
  const manager = new SessionManager({ store });
  const token = await start(manager);
  await put(store, "other");
  await sql.unsafe(
    `UPDATE ${table} SET expires_at = now() - interval '1 s' WHERE id <> 'other'`,
  );
  await until(async () => await store.sweep() === 1, "one row is swept");
  assertEquals(await read(manager, token), undefined);
});
