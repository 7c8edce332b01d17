/**
 * What is measured on Node and Python, installed outside of the repository.
 *
 * @module
 */

import { NPM_VERSIONS, type NpmPackage, PYTHON_VERSIONS } from "./_peers.ts";

/** How long an installation may take. */
const INSTALL_TIMEOUT_MS = 120_000;

/** A program for Node that loads packages from a folder. */
const LOAD = `
const [folder, ...names] = process.argv.slice(1);
const load = require("node:module").createRequire(folder + "/");
names.forEach((name) => load(name));
`;

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
 * Finds Node.js.
 *
 * Where there is none, Deno puts a `node` of its own into the `PATH` of its
 * children, which is Deno.
 *
 * @returns Its version, such as `v24.1.0`; undefined if there is none.
 */
export async function nodeVersion(): Promise<string | undefined> {
  const program = "process.versions.deno ? '' : process.version";
  return (await run("node", ["-p", program]))?.trim() || undefined;
}

/**
 * Installs npm packages for Node, unless they are there.
 *
 * @returns The folder that has them in its `node_modules`, and the version of Node.
 * @throws {MissingError} If that fails.
 */
export async function installNpm(
  names: readonly NpmPackage[],
): Promise<{ folder: string; node: string }> {
  const packages = names.map((name) => `${name}@${NPM_VERSIONS[name]}`);
  const remedy = `install Node and npm, and let npm reach its registry for ${
    packages.join(", ")
  }`;
  const node = await nodeVersion();
  if (node === undefined) throw new MissingError("there is no Node.js", remedy);
  const folder = cacheFolder("npm", packages);
  await fillFolder(folder, {
    works: async () =>
      await run("node", ["-e", LOAD, folder, ...names]) !== undefined,
    fill: async () => {
      await Deno.writeTextFile(`${folder}/package.json`, "{}");
      const flags = ["--no-package-lock", "--no-audit", "--no-fund"];
      const installed = await run(
        "npm",
        ["install", ...flags, "--prefix", folder, ...packages],
      );
      if (installed === undefined) {
        throw new MissingError("npm cannot install it", remedy);
      }
    },
  });
  return { folder, node };
}

/** A Python that has Starlette and uvicorn. */
export interface StarlettePython {
  /** The path of the interpreter. */
  readonly python: string;
  /** The version of Starlette. */
  readonly starlette: string;
  /** The version of uvicorn. */
  readonly uvicorn: string;
}

/**
 * Finds a Python that has Starlette, or installs it.
 *
 * @throws {MissingError} If there is none, and none can be installed.
 */
export async function installStarlette(): Promise<StarlettePython> {
  const packages = Object.entries(PYTHON_VERSIONS)
    .map(([name, version]) => `${name}==${version}`);
  const remedy =
    `install python3-starlette and python3-uvicorn, or let pip reach its index for ${
      packages.join(", ")
    }`;
  const folder = cacheFolder("python", packages);
  const installed = `${folder}/bin/python`;
  try {
    await fillFolder(folder, {
      works: async () => await findStarlette(installed) !== undefined,
      fill: async () => {
        await run("python3", ["-m", "venv", folder]);
        const pip = ["-m", "pip", "install", "--quiet", ...packages];
        if (await run(installed, pip) === undefined) {
          throw new MissingError("pip cannot install it", remedy);
        }
      },
    });
  } catch {
    // there may be one that came with the system
  }
  for (const python of [installed, "python3", "/usr/bin/python3"]) {
    const found = await findStarlette(python);
    if (found !== undefined) return found;
  }
  throw new MissingError("there is no Starlette", remedy);
}

async function findStarlette(
  python: string,
): Promise<StarlettePython | undefined> {
  const program =
    "import itsdangerous, starlette, uvicorn; print(starlette.__version__, uvicorn.__version__)";
  const versions = await run(python, ["-c", program]);
  if (versions === undefined) return undefined;
  const [starlette = "", uvicorn = ""] = versions.trim().split(" ");
  return { python, starlette, uvicorn };
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

/** What a folder of the cache is to have. */
export interface FolderContent {
  /** Whether what is there can be used. */
  works(): Promise<boolean>;
  /** Puts it there; the folder is empty. */
  fill(): Promise<void>;
}

/**
 * Fills a folder, unless that was done before and what is there still works.
 *
 * @throws {unknown} What `fill` throws; the folder is not there then.
 */
export async function fillFolder(
  folder: string,
  { works, fill }: FolderContent,
): Promise<void> {
  const complete = `${folder}/.complete`;
  if (await exists(complete) && await works()) return;
  if (await exists(folder)) await Deno.remove(folder, { recursive: true });
  await Deno.mkdir(folder, { recursive: true });
  try {
    await fill();
    await Deno.writeTextFile(complete, "");
  } catch (error) {
    await Deno.remove(folder, { recursive: true });
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}

/** A folder that is another one when the packages are others. */
function cacheFolder(kind: string, packages: readonly string[]): string {
  const home = Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE") ?? ".";
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${home}/.cache`;
  const versions = packages.map((text) => text.replace(/[^\w.]+/g, "_"));
  return `${cache}/tessera-bench/${kind}-${versions.join("-")}`;
}
