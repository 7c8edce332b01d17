/** `@std/assert` from npm. */

// @ts-types="./assert.d.ts"
export * from "deno-std/assert/mod.js";
