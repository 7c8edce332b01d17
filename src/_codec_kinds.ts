/**
 * What the codec of records knows of objects.
 *
 * @module
 */

/** Thrown when a value is of no class that the encoder knows. */
export const UNFAMILIAR = Symbol("unfamiliar");

/** The errors that structured clone knows, by name. */
export const ERRORS: ReadonlyMap<string, ErrorConstructor> = new Map(
  [
    Error,
    EvalError,
    RangeError,
    ReferenceError,
    SyntaxError,
    TypeError,
    URIError,
  ].map((constructor) => [constructor.name, constructor]),
);

/** Makes a view of part of a buffer. */
type ViewConstructor = new (
  buffer: ArrayBuffer,
  byteOffset?: number,
  length?: number,
) => ArrayBufferView;

/** The typed arrays that the platform has, and `DataView`, by name. */
export const VIEWS: ReadonlyMap<string, ViewConstructor> = new Map(
  Object.getOwnPropertyNames(globalThis)
    .filter((name) =>
      /^(?:Big)?(?:Int|Uint|Float)\d+(?:Clamped)?Array$|^DataView$/.test(name)
    )
    .map((name) => [name, Reflect.get(globalThis, name)]),
);

/** What an object is. */
export type Kind =
  | "object"
  | "array"
  | "map"
  | "set"
  | "date"
  | "view"
  | "buffer"
  | "error"
  | "regexp"
  | "boxed";

/** What an object is, by its prototype. */
const KINDS: ReadonlyMap<object | null, Kind> = new Map<object | null, Kind>([
  [Object.prototype, "object"],
  [null, "object"],
  [Array.prototype, "array"],
  [Map.prototype, "map"],
  [Set.prototype, "set"],
  [Date.prototype, "date"],
  [ArrayBuffer.prototype, "buffer"],
  [RegExp.prototype, "regexp"],
  [Number.prototype, "boxed"],
  [String.prototype, "boxed"],
  [Boolean.prototype, "boxed"],
  [BigInt.prototype, "boxed"],
  ...[...VIEWS.values()].map(({ prototype }) => [prototype, "view"] as const),
  ...[...ERRORS.values()].map(({ prototype }) => [prototype, "error"] as const),
]);

/** Says whether a value is an object of any kind. */
export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/**
 * Says what an object is.
 *
 * @param value The object.
 * @returns What it is.
 * @throws {typeof UNFAMILIAR} If it is of another class.
 */
export function kindOf(value: object): Kind {
  const kind = KINDS.get(Object.getPrototypeOf(value));
  if (kind === undefined) throw UNFAMILIAR;
  return kind;
}
