/**
 * What there is to put into the cart.
 *
 * @module
 */

/** Something to buy. */
export interface Product {
  readonly name: string;
  /** In cents. */
  readonly price: number;
}

/** The products by their keys. */
export const PRODUCTS: ReadonlyMap<string, Product> = new Map([
  ["apples", { name: "Apples", price: 240 }],
  ["bread", { name: "Bread", price: 390 }],
  ["cheese", { name: "Cheese", price: 620 }],
  ["coffee", { name: "Coffee", price: 850 }],
]);

const EURO = new Intl.NumberFormat("en", {
  style: "currency",
  currency: "EUR",
});

/** Writes an amount of cents down: `"€2.40"`. */
export function inEuro(cents: number): string {
  return EURO.format(cents / 100);
}
