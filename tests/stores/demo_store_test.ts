/**
 * The demo on every engine, as a program over real HTTP.
 */

import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import type { TestClient } from "@tessera/session/testing";
import { openStore } from "../../examples/demo/store.ts";
import { ROOT, stdArguments } from "../../tools/std.ts";
import {
  cartOn,
  devicesOn,
  idOn,
  noticesOn,
  press,
  see,
  visitsOn,
} from "../_demo.ts";
import { Denokv, DENOKV_ENV } from "./_denokv.ts";
import { PostgresServer } from "./_postgres.ts";
import {
  newClient,
  type Program,
  startProgram,
  temporaryDatabase,
} from "../_program.ts";
import { RedisServer } from "./_redis.ts";

const COOKIE = "__Host-session";

/** The permissions that the demo asks for in its first lines. */
const PERMISSIONS = [
  "--unstable-kv",
  "--allow-net",
  "--allow-env",
  "--allow-read",
  "--allow-write",
];

/** An engine that runs. */
interface Engine extends AsyncDisposable {
  /** What `DEMO_STORE` is. */
  readonly address: string;
  /** What else is in the environment. */
  readonly env?: Record<string, string>;
}

const ENGINES: Readonly<Record<string, () => Promise<Engine>>> = {
  "a KV file": async () => {
    const database = await temporaryDatabase();
    return engine(database.path, database);
  },
  "denokv": async () => {
    const server = await Denokv.start();
    return engine(server.url, server, DENOKV_ENV);
  },
  "Redis": async () => {
    const server = await RedisServer.start();
    return engine(server.url, server);
  },
  "PostgreSQL": async () => {
    const server = await PostgresServer.start();
    return engine(server.url, server);
  },
};

function engine(
  address: string,
  disposable: AsyncDisposable,
  env: Record<string, string> = {},
): Engine {
  return {
    address,
    env,
    [Symbol.asyncDispose]: () =>
      Promise.resolve(disposable[Symbol.asyncDispose]()),
  };
}

/** Starts the demo; a file that it must leave alone stands by. */
function startOn({ address, env }: Engine, file: string): Promise<Program> {
  return startProgram([...PERMISSIONS, "examples/demo/main.ts"], {
    PORT: "0",
    DEMO_STORE: address,
    DEMO_DB: file,
    ...env,
  });
}

for (const [name, start] of Object.entries(ENGINES)) {
  Deno.test(`demo on ${name} counts, signs in, lists devices and signs out, and SIGINT ends it`, async () => {
    await using server = await start();
    await using unused = await temporaryDatabase();
    const cookies: string[] = [];
    {
      await using program = await startOn(server, unused.path);
      const [laptop, phone, stranger] = [
        newClient(program),
        newClient(program),
        newClient(program),
      ];
      assertEquals(visitsOn(await see(laptop)), 1);
      const before = await see(laptop);
      assertEquals(visitsOn(before), 2);
      assertEquals(visitsOn(await see(stranger)), 1);
      await press(laptop, "/cart/add", { product: "bread" });

      await press(laptop, "/sign-in", { name: "Ada" });
      await press(phone, "/sign-in", { name: "Ada" });
      const page = await see(laptop);
      assertStringIncludes(page, "Hello, Ada");
      assertNotEquals(idOn(page), idOn(before));
      assertEquals(visitsOn(page), 3);
      assertEquals(cartOn(page), { Bread: 1 });
      const other = idOn(await see(phone));
      assertEquals(devicesOn(page).sort(), [idOn(page), other].sort());

      const stream = await phone.get("/events");
      await press(laptop, "/devices/sign-out", { id: other });
      assertStringIncludes(await stream.text(), "event: signed-out");
      assertStringIncludes(await see(phone), "Sign in");
      const left = await see(laptop);
      assertEquals(devicesOn(left), [idOn(left)]);
      assertEquals(noticesOn(left).length, 1);

      await press(phone, "/sign-out");
      assertEquals(phone.cookies, []);
      cookies.push(cookieOf(laptop), cookieOf(stranger));
      assertEquals(await program.stop("SIGINT"), 0);
      assert(!/error|warning/i.test(program.output), program.output);
    }

    // What it kept is in the engine, and nowhere else.
    await using program = await startOn(server, unused.path);
    const pages = [];
    for (const cookie of cookies) {
      const response = await fetch(program.url, { headers: { cookie } });
      pages.push(await response.text());
    }
    assertEquals(pages.map(visitsOn), [5, 2]);
    assertEquals(pages.map((page) => devicesOn(page).length), [1, 0]);
    assertEquals(await program.stop("SIGTERM"), 0);
    await assertRejects(
      () => Deno.stat(unused.path),
      Deno.errors.NotFound,
    );
  });
}

Deno.test("demo keeps its sessions in a file when DEMO_STORE is empty", async () => {
  await using database = await temporaryDatabase();
  await using program = await startOn(
    engine("", database),
    database.path,
  );
  await see(newClient(program));
  assert((await Deno.stat(database.path)).isFile);
});

Deno.test("demo ends with an error when nothing listens where its store should be", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  for (const scheme of ["redis", "postgres"]) {
    await using stack = new AsyncDisposableStack();
    const error = await assertRejects(() =>
      openStore(`${scheme}://user:hunter2@127.0.0.1:${port}`, stack)
    );
    const text = Deno.inspect(error);
    assertStringIncludes(text, "ECONNREFUSED");
    assert(!text.includes("hunter2"), text);
  }
});

Deno.test("openStore() refuses what it does not know, without repeating a password", async () => {
  for (const address of ["mysql://ada:hunter2@db/app", "MONGODB://hunter2@x"]) {
    await using stack = new AsyncDisposableStack();
    const { message } = await assertRejects(
      () => openStore(address, stack),
      TypeError,
      "Cannot open store: want redis://, rediss://, postgres://, ",
    );
    assertStringIncludes(message, `received ${address.split(":")[0]}://`);
    assert(!message.includes("hunter2"), message);
  }
});

Deno.test("demo loads a driver only where it is chosen", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["info", ...await stdArguments(), "--json", "examples/demo/main.ts"],
    ],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stderr: "null",
  }).output();
  // deno-lint-ignore no-explicit-any -- what `deno info` prints
  const { modules }: any = JSON.parse(new TextDecoder().decode(stdout));
  const code = new Set<string>();
  for (const { dependencies = [] } of modules) {
    for (const { code: found } of dependencies) code.add(found?.specifier);
  }
  const packages = [...code].filter((name) => name?.startsWith("npm:"));
  // the list is not empty for want of modules
  assert([...code].some((name) => name?.endsWith("/src/redis_store.ts")));
  assertEquals(packages.filter((name) => !name.includes("deno-std")), []);
});

function cookieOf(client: TestClient): string {
  return `${COOKIE}=${client.cookie(COOKIE)?.value}`;
}
