/**
 * Schemas made by hand, of the one interface that they share.
 *
 * @module
 */

import { assert } from "@std/assert";
import type {
  SessionValidationIssue,
  StandardSchema,
  StandardSchemaResult,
} from "@tessera/session";

/** What the sessions hold. */
export interface Shop {
  count: number;
  cart?: string[];
}

/** What a schema does. */
export type Check = (
  data: Record<string, unknown>,
) => StandardSchemaResult<Shop>;

/** A Standard Schema by hand: at once, or after a while. */
export function schemaOf(check: Check, later: boolean): StandardSchema<Shop> {
  return {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) => {
        assert(typeof value === "object" && value !== null);
        const result = () => check(value as Record<string, unknown>);
        return later ? Promise.resolve().then(result) : result();
      },
    },
  };
}

/** Wants a count of 0 to 99, fills it in, and takes nothing but a cart beside it. */
export function checkShop(
  { count = 0, cart, ...rest }: Record<string, unknown>,
): StandardSchemaResult<Shop> {
  const issues: SessionValidationIssue[] = [];
  if (typeof count !== "number" || count < 0 || count > 99) {
    issues.push({ message: `bad count: ${count}`, path: ["count"] });
  }
  if (cart !== undefined && !Array.isArray(cart)) {
    issues.push({ message: "bad cart", path: [{ key: "cart" }] });
  }
  for (const key of Object.keys(rest)) {
    issues.push({ message: "unknown key", path: [key] });
  }
  if (issues.length > 0) return { issues };
  const value: Shop = { count: count as number };
  if (cart !== undefined) value.cart = cart as string[];
  return { value };
}

/** Registers a test twice: with a schema that answers at once, and with one that does not. */
export function testSchemas(
  name: string,
  run: (schema: (check?: Check) => StandardSchema<Shop>) => Promise<void>,
): void {
  for (const later of [false, true]) {
    Deno.test(`${name} (${later ? "async" : "sync"})`, async () => {
      await run((check = checkShop) => schemaOf(check, later));
    });
  }
}
