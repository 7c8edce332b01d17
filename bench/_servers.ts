/**
 * The servers that are measured, and how each is started.
 *
 * @module
 */

import config from "../deno.json" with { type: "json" };
import { ROOT, stdArguments } from "../tools/std.ts";
import { BARE, BY_HAND, type CaseName, OURS } from "./_cases.ts";
import { type Child, startChild } from "./_child.ts";
import { ENV, PROFILE, SECRET } from "./_data.ts";
import { installNpm, installStarlette } from "./_install.ts";
import { NPM_VERSIONS, type NpmPackage } from "./_peers.ts";
import type { ServerInfo } from "./_summary.ts";

/** A server that can be started. */
export interface ServerSpec {
  /** Its name, in the tables and on the command line. */
  readonly name: string;
  /** Where it keeps sessions. */
  readonly store: ServerInfo["store"];
  /** Whether it runs only if it is asked for by name. */
  readonly optional: boolean;
  /** What its paths begin with for cookies that are to be forged. */
  readonly forgedPrefix: string;
  /** The cases it is measured in; undefined: all. */
  readonly only: readonly CaseName[] | undefined;
  /** Whether `deno task bench --quick` loads it with reads and writes only. */
  readonly peer: boolean;
  /**
   * Starts it.
   *
   * @param kv The path of the KV file it may have.
   * @throws {MissingError} If it cannot be had here.
   */
  start(kv: string): Promise<StartedServer>;
}

/** A server that listens. */
export interface StartedServer {
  /** Its process. */
  readonly child: Child;
  /** What it runs, with versions. */
  readonly version: string;
}

/** All servers, in the order of the table. */
export const SERVERS: readonly ServerSpec[] = [
  newDenoServer(BARE, "bare.ts", { store: "none" }),
  newDenoServer("Deno.serve and Vary", "bare_vary.ts", {
    store: "none",
    only: ["anonymous"],
  }),
  newDenoServer(BY_HAND, "by_hand.ts", {}),
  newDenoServer(OURS, "tessera.ts", { forgedPrefix: "/signed" }),
  newDenoServer(`${OURS} unbatched`, "tessera.ts", {
    forgedPrefix: "/signed",
    env: { [ENV.batch]: "false" },
    optional: true,
  }),
  newDenoServer("@hono/session", "hono_session.ts", {
    packages: ["@hono/session", "hono"],
  }),
  newDenoServer("hono-sessions", "hono_sessions.ts", {
    packages: ["hono-sessions", "hono"],
  }),
  newDenoServer("express-session", "express_session.ts", {
    packages: ["express-session", "express"],
  }),
  newDenoServer("Remix session", "remix_session.ts", {
    packages: ["@remix-run/session", "@remix-run/cookie"],
  }),
  newDenoServer("Remix in memory", "remix_session.ts", {
    packages: ["@remix-run/session", "@remix-run/cookie"],
    store: "memory",
    env: { [ENV.store]: "memory" },
  }),
  newDenoServer("iron-session", "iron_session.ts", {
    packages: ["iron-session"],
    store: "cookie",
  }),
  {
    name: "Fastify on Node",
    store: "memory",
    optional: false,
    forgedPrefix: "",
    only: undefined,
    peer: true,
    start: startFastify,
  },
  {
    name: "Starlette",
    store: "cookie",
    optional: false,
    forgedPrefix: "",
    only: undefined,
    peer: true,
    start: startStarlette,
  },
];

/** Starts ours, with flags of V8 if need be. */
export async function startOurs(
  kv: string,
  flags: readonly string[] = [],
): Promise<Child> {
  return await startDeno("tessera.ts", { [ENV.kv]: kv }, flags);
}

function newDenoServer(
  name: string,
  file: string,
  { packages = [], store = "KV", env = {}, optional = false, only, ...options }:
    {
      packages?: readonly NpmPackage[];
      store?: ServerInfo["store"];
      env?: Record<string, string>;
      optional?: boolean;
      forgedPrefix?: string;
      only?: readonly CaseName[];
    },
): ServerSpec {
  const version = packages.length > 0
    ? versionsOf(packages)
    : file === "tessera.ts"
    ? config.version
    : `Deno ${Deno.version.deno}`;
  return {
    name,
    store,
    optional,
    forgedPrefix: options.forgedPrefix ?? "",
    only,
    peer: packages.length > 0,
    start: async (kv) => ({
      child: await startDeno(file, { ...env, [ENV.kv]: kv }),
      version,
    }),
  };
}

async function startDeno(
  file: string,
  env: Record<string, string>,
  flags: readonly string[] = [],
): Promise<Child> {
  const std = await stdArguments();
  return await startChild({
    command: Deno.execPath(),
    args: ["run", "-A", ...std, ...flags, `bench/servers/${file}`],
    env,
    cwd: ROOT,
  });
}

async function startFastify(): Promise<StartedServer> {
  const packages: NpmPackage[] = [
    "@fastify/session",
    "@fastify/cookie",
    "fastify",
  ];
  const { folder, node } = await installNpm(packages);
  const child = await startChild({
    command: "node",
    args: ["bench/servers/fastify_session.mjs"],
    env: { ...foreignEnv(), [ENV.packages]: folder },
    cwd: ROOT,
  });
  return { child, version: `${versionsOf(packages)}, Node ${node}` };
}

async function startStarlette(): Promise<StartedServer> {
  const { python, starlette, uvicorn } = await installStarlette();
  const child = await startChild({
    command: python,
    args: ["bench/servers/starlette_session.py"],
    env: foreignEnv(),
    cwd: ROOT,
  });
  return { child, version: `Starlette ${starlette} on uvicorn ${uvicorn}` };
}

/** What a server needs that cannot import our data. */
function foreignEnv(): Record<string, string> {
  return { [ENV.profile]: JSON.stringify(PROFILE), [ENV.secret]: SECRET };
}

function versionsOf(packages: readonly NpmPackage[]): string {
  return packages.map((name) => `${name} ${NPM_VERSIONS[name]}`).join(", ");
}
