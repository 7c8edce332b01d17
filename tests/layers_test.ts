/**
 * What imports what, as `deno info` sees it, and what is loaded when.
 */

import { assert, assertEquals } from "@std/assert";
import { ROOT, stdArguments } from "../tools/std.ts";

const SOURCES = new URL("src/", ROOT).href;

/** Imports of code, not of types alone, by the module that imports them. */
async function importsOf(entry: string): Promise<Map<string, string[]>> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", ...await stdArguments(), entry],
    cwd: ROOT,
    stderr: "null",
  }).output();
  assert(success);
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as {
    modules: {
      specifier: string;
      dependencies?: { specifier: string; code?: { specifier: string } }[];
    }[];
  };
  return new Map(modules.map(({ specifier, dependencies = [] }) => [
    specifier,
    dependencies.flatMap(({ code }) => code?.specifier ?? []),
  ]));
}

/** All that a module loads, itself included. */
function loadedBy(
  module: string,
  imports: Map<string, string[]>,
  seen: Set<string> = new Set(),
): Set<string> {
  if (seen.has(module)) return seen;
  seen.add(module);
  for (const next of imports.get(module) ?? []) loadedBy(next, imports, seen);
  return seen;
}

/** The names of those that are ours. */
function namesOf(modules: Iterable<string>): string[] {
  return [...modules].filter((module) => module.startsWith(SOURCES)).map(
    (module) => module.slice(SOURCES.length),
  ).sort();
}

Deno.test("mod.ts is imported by nothing, and loads nothing of Node.js", async () => {
  const imports = await importsOf("mod.ts");
  assert(namesOf(imports.keys()).length > 50, "our modules are there");
  for (const [module, imported] of imports) {
    assert(!imported.some((name) => name.endsWith("/mod.ts")), module);
    if (!module.startsWith(SOURCES)) continue;
    assertEquals(imported.filter((name) => name.startsWith("node:")), []);
  }
});

Deno.test("Imports point down: neither stores nor transports nor the session know the manager", async () => {
  const imports = await importsOf("mod.ts");
  const managers = ["session_manager.ts", "_request_server.ts", "_settings.ts"];
  const stores = ["kv_store.ts", "memory_store.ts"];
  const transports = [
    "cookie_transport.ts",
    "header_transport.ts",
    "bearer_transport.ts",
  ];
  const loads = (name: string) => namesOf(loadedBy(SOURCES + name, imports));
  for (const name of [...stores, ...transports, "session.ts", "token.ts"]) {
    assert(imports.has(SOURCES + name), name);
    const loaded = loads(name);
    for (const other of [...managers, "with_session.ts"]) {
      assert(!loaded.includes(other), `${name} loads ${other}`);
    }
  }
  for (const name of [...transports, "_session_handle.ts", "token.ts"]) {
    assert(!loads(name).some((other) => stores.includes(other)), name);
  }
  for (const name of stores) {
    const others = [...transports, "token.ts", "_session_handle.ts"];
    assertEquals(loads(name).filter((other) => others.includes(other)), []);
  }
});

Deno.test("Nothing of Node.js is loaded until a session is begun", async () => {
  const program = `
    let loaded = 0;
    const { getBuiltinModule } = globalThis.process;
    Object.defineProperty(globalThis, "process", {
      get: () => (loaded++, { getBuiltinModule }),
    });
    const { MemoryStore, withSession } = await import("./mod.ts");
    const handler = withSession(
      (request, session) => {
        if (request.method === "POST") session.set("a", 1);
        return new Response(String(session.get("a")));
      },
      { store: new MemoryStore(), secrets: ["k".repeat(40)] },
    );
    const answer = await handler(new Request("http://localhost/"));
    const before = loaded;
    await handler(new Request("http://localhost/", { method: "POST" }));
    console.log(await answer.text(), before, loaded > 0);
  `;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", ...await stdArguments(), program],
    cwd: ROOT,
  }).output();
  assertEquals(new TextDecoder().decode(stdout), "undefined 0 true\n");
});

Deno.test("A runtime without Node.js modules is told what is missing", async () => {
  const program = `
    Object.defineProperty(globalThis, "process", { value: undefined });
    const { MemoryStore, withSession } = await import("./mod.ts");
    const handler = withSession((_request, session) => {
      session.set("a", 1);
      return new Response();
    }, { store: new MemoryStore() });
    await handler(new Request("http://localhost/")).catch((error) =>
      console.log(error.name, error.message)
    );
  `;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", ...await stdArguments(), program],
    cwd: ROOT,
  }).output();
  const text = new TextDecoder().decode(stdout);
  assert(
    text.startsWith(
      "TypeError Cannot use sessions: the runtime must have node:",
    ),
    text,
  );
});
