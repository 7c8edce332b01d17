/** What the benchmarks find on a machine, and install on it. */

import { assertEquals, assertRejects } from "@std/assert";
import { fillFolder } from "../bench/_install.ts";
import { stdArguments } from "../tools/std.ts";
import { temporaryFolder } from "./_bench.ts";

/** What there is in a folder, apart from the mark that it is complete. */
function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => name !== ".complete");
}

Deno.test("nodeVersion() takes no Deno for Node.js", async () => {
  await using folder = await temporaryFolder();

  // where there is no Node.js, Deno adds a `node` that is Deno
  assertEquals(await nodeVersionIn(folder.path), {
    isThere: true,
    version: null,
  });
});

Deno.test({
  name: "nodeVersion() gives the version of Node.js",
  ignore: Deno.build.os === "windows", // it takes a program, and this is a script
  fn: async () => {
    await using folder = await temporaryFolder();
    const node = `${folder.path}/node`;
    await Deno.writeTextFile(node, "#!/bin/sh\necho v24.1.0\n");
    await Deno.chmod(node, 0o755);

    assertEquals(await nodeVersionIn(folder.path), {
      isThere: true,
      version: "v24.1.0",
    });
  },
});

Deno.test("fillFolder() fills a folder once", async () => {
  await using temporary = await temporaryFolder();
  const folder = `${temporary.path}/packages`;
  let fills = 0;
  const content = {
    works: () => Promise.resolve(true),
    fill: () => Deno.writeTextFile(`${folder}/${++fills}`, ""),
  };

  await fillFolder(folder, content);
  await fillFolder(folder, content);

  assertEquals(namesIn(folder), ["1"]);
});

Deno.test("fillFolder() fills a folder again that has broken", async () => {
  await using temporary = await temporaryFolder();
  const folder = `${temporary.path}/python`;
  const python = `${folder}/python`;
  let fills = 0;
  const content = {
    works: async () => (await Deno.stat(python).catch(() => null)) !== null,
    fill: async () => {
      await Deno.writeTextFile(python, "");
      await Deno.writeTextFile(`${folder}/filled ${++fills}`, "");
    },
  };
  await fillFolder(folder, content);
  await Deno.remove(python);

  await fillFolder(folder, content);

  assertEquals(namesIn(folder).toSorted(), ["filled 2", "python"]);
});

Deno.test("fillFolder() leaves nothing of what failed", async () => {
  await using temporary = await temporaryFolder();
  const folder = `${temporary.path}/packages`;

  await assertRejects(
    () =>
      fillFolder(folder, {
        works: () => Promise.resolve(true),
        fill: async () => {
          await Deno.writeTextFile(`${folder}/half`, "");
          throw new Error("no network");
        },
      }),
    Error,
    "no network",
  );
  assertEquals(namesIn(temporary.path), []);
});

/** What `nodeVersion()` finds where the `PATH` is a folder. */
async function nodeVersionIn(folder: string): Promise<unknown> {
  const module = new URL("../bench/_install.ts", import.meta.url).href;
  const program = `${folder}/program.ts`;
  await Deno.writeTextFile(
    program,
    `import { nodeVersion, run } from ${JSON.stringify(module)};
    const isThere = await run("node", ["--version"]) !== undefined;
    const version = await nodeVersion() ?? null;
    console.log(JSON.stringify({ isThere, version }));`,
  );
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", ...await stdArguments(), program],
    env: { PATH: folder, NO_COLOR: "1" },
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}
