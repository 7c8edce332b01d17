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
