/**
 * What is measured on Node and Python, installed outside of the repository.
 *
 * @module
 */

import { NPM_VERSIONS, type NpmPackage, PYTHON_VERSIONS } from "./_peers.ts";

/** How long an installation may take. */
const INSTALL_TIMEOUT_MS = 120_000;

/** Thrown if something cannot be measured here. */
export class MissingError extends Error {
  /** How to get it. */
  readonly remedy: string;

  /** Constructs an error. */
  constructor(message: string, remedy: string) {
    super(message);
    this.name = "MissingError";
    this.remedy = remedy;
  }
}

/**
 * Installs npm packages for Node, unless they are there.
 *
 * @returns The folder that has them in its `node_modules`.
 * @throws {MissingError} If that fails.
 */
export async function installNpm(
  names: readonly NpmPackage[],
): Promise<string> {
  const packages = names.map((name) => `${name}@${NPM_VERSIONS[name]}`);
  const remedy = `install Node and npm, and let npm reach its registry for ${
    packages.join(", ")
  }`;
  if (await run("node", ["--version"]) === undefined) {
    throw new MissingError("there is no node", remedy);
  }
  const folder = cacheFolder("npm", packages);
  await once(folder, async () => {
    await Deno.writeTextFile(`${folder}/package.json`, "{}");
    const flags = ["--no-package-lock", "--no-audit", "--no-fund"];
    const installed = await run(
      "npm",
      ["install", ...flags, "--prefix", folder, ...packages],
    );
    if (installed === undefined) {
      throw new MissingError("npm cannot install it", remedy);
    }
  });
  return folder;
}

/**
 * Finds a Python that has Starlette, or installs it.
 *
 * @returns The path of the interpreter, and the version of Starlette.
 * @throws {MissingError} If there is none, and none can be installed.
 */
export async function installStarlette(): Promise<
  { python: string; version: string }
> {
  const packages = Object.entries(PYTHON_VERSIONS)
    .map(([name, version]) => `${name}==${version}`);
  const remedy =
    `install python3-starlette and python3-uvicorn, or let pip reach its index for ${
      packages.join(", ")
    }`;
  const folder = cacheFolder("python", packages);
  const installed = `${folder}/bin/python`;
  const known = await starletteVersion(installed);
  if (known !== undefined) return { python: installed, version: known };
  try {
    await once(folder, async () => {
      await run("python3", ["-m", "venv", folder]);
      const pip = ["-m", "pip", "install", "--quiet", ...packages];
      if (await run(installed, pip) === undefined) {
        throw new MissingError("pip cannot install it", remedy);
      }
    });
  } catch {
    // there may be one that came with the system
  }
  for (const python of [installed, "python3", "/usr/bin/python3"]) {
    const version = await starletteVersion(python);
    if (version !== undefined) return { python, version };
  }
  throw new MissingError("there is no Starlette", remedy);
}

async function starletteVersion(python: string): Promise<string | undefined> {
  const program =
    "import itsdangerous, starlette, uvicorn; print(starlette.__version__)";
  return (await run(python, ["-c", program]))?.trim();
}

/** The output of a program, or `undefined` if there is none such or it fails. */
export async function run(
  command: string,
  args: readonly string[],
): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(command, {
      args: [...args],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
      signal: AbortSignal.timeout(INSTALL_TIMEOUT_MS),
    }).output();
    return success ? new TextDecoder().decode(stdout) : undefined;
  } catch {
    return undefined;
  }
}

/** Fills a folder if that was not done before; a failure leaves nothing behind. */
async function once(folder: string, fill: () => Promise<void>): Promise<void> {
  const complete = `${folder}/.complete`;
  try {
    await Deno.stat(complete);
    return;
  } catch {
    await Deno.mkdir(folder, { recursive: true });
  }
  try {
    await fill();
    await Deno.writeTextFile(complete, "");
  } catch (error) {
    await Deno.remove(folder, { recursive: true });
    throw error;
  }
}

/** A folder that is another one when the packages are others. */
function cacheFolder(kind: string, packages: readonly string[]): string {
  const home = Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE") ?? ".";
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${home}/.cache`;
  const versions = packages.map((text) => text.replace(/[^\w.]+/g, "_"));
  return `${cache}/tessera-bench/${kind}-${versions.join("-")}`;
}
