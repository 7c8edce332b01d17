/**
 * The libraries that are measured beside ours: pinned here, and nowhere else.
 *
 * They are no imports of `deno.json`, so that nobody who only uses or tests the
 * package has to download them.
 *
 * @module
 */

/** The npm packages, with their versions. */
export const NPM_VERSIONS = {
  "@fastify/cookie": "11.1.5",
  "@fastify/session": "11.1.3",
  "@hono/session": "0.2.1",
  "@remix-run/cookie": "0.5.3",
  "@remix-run/session": "0.4.2",
  "express": "5.3.0",
  "express-session": "1.19.0",
  "fastify": "5.12.8",
  "hono": "4.13.19",
  "hono-sessions": "0.8.1",
  "iron-session": "9.0.1",
} as const;

/** The Python packages, with their versions. */
export const PYTHON_VERSIONS = {
  "httptools": "0.9.0",
  "itsdangerous": "2.2.0",
  "starlette": "1.10.0",
  "uvicorn": "0.54.0",
  "uvloop": "0.23.0",
} as const;

/** The name of an npm package that is measured, or that it needs. */
export type NpmPackage = keyof typeof NPM_VERSIONS;

/** Names a package as `npm:` specifiers do, with its version. */
export function npmSpecifier(name: NpmPackage, path = ""): string {
  return `npm:${name}@${NPM_VERSIONS[name]}${path}`;
}

/**
 * Imports a package at its pinned version.
 *
 * At run time only: type checks and lints must not download it either.
 *
 * @param name The package.
 * @param path What follows its name, such as `/memory-storage`.
 * @returns Its exports.
 */
// deno-lint-ignore no-explicit-any -- see above: there are no types without a download
export async function importPeer(name: NpmPackage, path = ""): Promise<any> {
  return await import(npmSpecifier(name, path));
}
