/** Where the benchmarks put their results, and what is left of their files. */

import { assert, assertEquals } from "@std/assert";
import { saveJson, SIGNALS } from "../bench/_results.ts";
import { stdArguments } from "../tools/std.ts";
import { printed, temporaryFolder } from "./_bench.ts";

Deno.test("saveJson() says that a run is not saved", async () => {
  const { lines } = await printed(() => saveJson(undefined, "x.json", {}));

  assertEquals(lines, [
    "\nnot saved: --out=FOLDER saves what is no whole run",
  ]);
});

Deno.test("saveJson() saves results with the machine, numbers rounded", async () => {
  await using folder = await temporaryFolder();
  const { path } = folder;

  await printed(() => saveJson(path, "x.json", { rate: 1.23456 }));

  const saved = JSON.parse(await Deno.readTextFile(`${path}/x.json`));
  assertEquals(saved.rate, 1.235);
  assertEquals(saved.machine.deno, Deno.version.deno);
});

for (const signal of SIGNALS) {
  Deno.test(`temporaryFolder() leaves nothing behind after ${signal}`, async () => {
    await using folder = await temporaryFolder();
    const module = new URL("../bench/_results.ts", import.meta.url).href;
    const program = `
      import { temporaryFolder } from ${JSON.stringify(module)};
      await using stack = new AsyncDisposableStack();
      const folder = await temporaryFolder(stack);
      await Deno.writeTextFile(folder + "/sessions.db", "");
      console.log(folder);
      await new Promise((resolve) => setTimeout(resolve, 60_000));
    `;
    await Deno.writeTextFile(`${folder.path}/program.ts`, program);
    await using child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-check",
        ...await stdArguments(),
        `${folder.path}/program.ts`,
      ],
      env: { TMPDIR: folder.path, NO_COLOR: "1" },
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
    const { value: path = "" } = await reader.read();
    assert(path.startsWith(folder.path), path);

    child.kill(signal);
    await child.status;

    await reader.cancel();
    const left = [...Deno.readDirSync(folder.path)].map(({ name }) => name);
    assertEquals(left, ["program.ts"]);
  });
}
