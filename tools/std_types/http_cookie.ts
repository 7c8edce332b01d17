/** `@std/http/cookie` from npm. */

// @ts-types="./http_cookie.d.ts"
export * from "deno-std/http/cookie.js";
