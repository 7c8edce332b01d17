/**
 * Lets Deno KV fail for as long as the file exists that `KV_FAILS` names.
 *
 * Loaded before a program (`--preload`), which then needs to know nothing of it.
 *
 * @module
 */

import { existsSync } from "node:fs";

const flag = Deno.env.get("KV_FAILS") ?? "";
const { get, getMany } = Deno.Kv.prototype;

Object.assign(Deno.Kv.prototype, {
  get(this: Deno.Kv, ...args: Parameters<typeof get>) {
    return existsSync(flag) ? fail() : get.apply(this, args);
  },
  getMany(this: Deno.Kv, ...args: Parameters<typeof getMany>) {
    return existsSync(flag) ? fail() : getMany.apply(this, args);
  },
});

function fail(): Promise<never> {
  return Promise.reject(new Error("the disk is gone"));
}
