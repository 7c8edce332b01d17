/**
 * The built-in kinds of objects that session values may have.
 *
 * @module
 */

import { nodeUtil } from "./_node.ts";

/** So many elements are looked at one by one; for more, `node:util` is asked. */
const FEW = 64;

/** Prototypes of the typed arrays and of `DataView`. */
const VIEW_PROTOTYPES: readonly object[] = [
  DataView.prototype,
  ...Object.getOwnPropertyNames(globalThis)
    .filter((name) =>
      /^(?:Big)?(?:Int|Uint|Float)\d+(?:Clamped)?Array$/.test(name)
    )
    .map((name) => Reflect.get(globalThis, name).prototype),
];

/** Prototypes of all that is neither a plain object nor an array. */
const BUILT_IN_PROTOTYPES = new Set<object | null>([
  Map.prototype,
  Set.prototype,
  Date.prototype,
  ...VIEW_PROTOTYPES,
  RegExp.prototype,
  ArrayBuffer.prototype,
  Boolean.prototype,
  Number.prototype,
  String.prototype,
  BigInt.prototype,
  Error.prototype,
  EvalError.prototype,
  RangeError.prototype,
  ReferenceError.prototype,
  SyntaxError.prototype,
  TypeError.prototype,
  URIError.prototype,
]);

/** Says whether a prototype is that of a kind that structured clone knows. */
export function isBuiltIn(prototype: object | null): boolean {
  return BUILT_IN_PROTOTYPES.has(prototype);
}

/** Says what has a prototype, without showing anything of it. */
export function describe(prototype: object | null): string {
  const constructor: unknown = prototype?.constructor;
  // what is no function is a property like any other, and may be user data
  const name: unknown = typeof constructor === "function" && constructor.name;
  return typeof name === "string" && name !== ""
    ? `an instance of ${name}`
    : "a class instance";
}

/** Says whether an app's own properties are on a built-in, where they would get lost. */
export function hasProperties(value: object): boolean {
  if (
    isTypedArray(value)
      ? elementsHaveProperties(value)
      : Object.keys(value).length !== indexCount(value)
  ) return true;
  const symbols = Object.getOwnPropertySymbols(value);
  return symbols.length > 0 &&
    symbols.some((symbol) =>
      Object.prototype.propertyIsEnumerable.call(value, symbol)
    );
}

/** Says whether bytes are the same. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  const compare = a.length > FEW && comparison();
  return compare ? compare(a, b) : a.every((byte, index) => byte === b[index]);
}

function isTypedArray(value: object): value is Uint8Array {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

/** A boxed string's own keys are its indices: they are no properties of an app's. */
function indexCount(value: object): number {
  return value instanceof String ? value.length : 0;
}

function elementsHaveProperties(value: Uint8Array): boolean {
  const { buffer, byteOffset, length } = value;
  const compare = length > FEW && comparison();
  if (!compare) return Object.keys(value).length !== length;
  const View = Object.getPrototypeOf(value)
    .constructor as Uint8ArrayConstructor;
  return !compare(value, new View(buffer, byteOffset, length));
}

type Compare = (a: object, b: object) => boolean;

let known: Compare | false | undefined;

function comparison(): Compare | false {
  return known ??= checkComparison(nodeUtil()?.isDeepStrictEqual);
}

/**
 * Makes sure that a function compares typed arrays with their properties.
 *
 * `isDeepStrictEqual` of `node:util` does, in two microseconds; in the language itself there
 * is only the list of all their keys, which takes over a millisecond for 60 KB.
 *
 * @param compare What the runtime has, if anything.
 * @returns The function; `false` where there is none, or it overlooks properties.
 */
export function checkComparison(compare: Compare | undefined): Compare | false {
  const odd = Object.assign(new Uint8Array(1), { property: true });
  return compare !== undefined && !compare(odd, new Uint8Array(1)) && compare;
}
