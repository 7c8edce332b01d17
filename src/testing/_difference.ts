/**
 * Deep comparison that is stricter than `assertEquals`.
 *
 * @module
 */

/** Which object of one side stands for which of the other. */
interface Pairs {
  readonly expected: Map<object, object>;
  readonly actual: Map<object, object>;
}

/**
 * Finds the first difference between a value and its clone.
 *
 * Tells apart `-0` and `0`, missing and `undefined`, holes and values, and
 * wants references that were shared, cycles included, to be shared still.
 *
 * @param actual What came back.
 * @param expected What it was cloned from.
 * @returns Where and how they differ, or `undefined` if they do not.
 */
export function findDifference(
  actual: unknown,
  expected: unknown,
): string | undefined {
  const pairs = { expected: new Map(), actual: new Map() };
  return compare(actual, expected, "record", pairs);
}

function compare(
  actual: unknown,
  expected: unknown,
  path: string,
  pairs: Pairs,
): string | undefined {
  if (!isObject(actual) || !isObject(expected)) {
    if (Object.is(actual, expected)) return undefined;
    return `${path}: want ${show(expected)}: received ${show(actual)}`;
  }
  const counterpart = pairs.expected.get(expected);
  const known = pairs.actual.get(actual);
  if (counterpart !== undefined || known !== undefined) {
    if (counterpart === actual && known === expected) return undefined;
    return `${path}: want references shared as they were: received ${
      counterpart === undefined ? "one object for two" : "two objects for one"
    }`;
  }
  pairs.expected.set(expected, actual);
  pairs.actual.set(actual, expected);
  if (Object.getPrototypeOf(actual) !== Object.getPrototypeOf(expected)) {
    return `${path}: want ${show(expected)}: received ${show(actual)}`;
  }
  return compareContent(actual, expected, path, pairs);
}

function compareContent(
  actual: object,
  expected: object,
  path: string,
  pairs: Pairs,
): string | undefined {
  if (expected instanceof Date && actual instanceof Date) {
    return compare(actual.getTime(), expected.getTime(), path, pairs);
  }
  if (expected instanceof RegExp) {
    return compare(String(actual), String(expected), path, pairs);
  }
  if (isBinary(expected) && isBinary(actual)) {
    return compareBytes(toBytes(actual), toBytes(expected), path);
  }
  if (expected instanceof Map && actual instanceof Map) {
    const keys = [[...actual.keys()], [...expected.keys()]] as const;
    const values = [[...actual.values()], [...expected.values()]] as const;
    return compare(...keys, `${path}.keys()`, pairs) ??
      compare(...values, `${path}.values()`, pairs);
  }
  if (expected instanceof Set && actual instanceof Set) {
    return compare([...actual], [...expected], `${path}.values()`, pairs);
  }
  return compareProperties(actual, expected, path, pairs);
}

function compareProperties(
  actual: object,
  expected: object,
  path: string,
  pairs: Pairs,
): string | undefined {
  // the order of properties is not compared: some databases change it
  for (const key of Reflect.ownKeys(expected)) {
    if (!Object.hasOwn(actual, key)) {
      return `${path}: want a property ${show(key)}: received none`;
    }
    const difference = compare(
      Reflect.get(actual, key),
      Reflect.get(expected, key),
      `${path}[${show(key)}]`,
      pairs,
    );
    if (difference !== undefined) return difference;
  }
  for (const key of Reflect.ownKeys(actual)) {
    if (!Object.hasOwn(expected, key)) {
      return `${path}: want no property ${show(key)}: received one`;
    }
  }
  return undefined;
}

function compareBytes(
  actual: Uint8Array,
  expected: Uint8Array,
  path: string,
): string | undefined {
  if (actual.length !== expected.length) {
    return `${path}: want ${expected.length} bytes: received ${actual.length}`;
  }
  const index = expected.findIndex((byte, index) => byte !== actual[index]);
  if (index < 0) return undefined;
  return `${path}: want byte ${index} to be ${expected[index]}: received ${
    actual[index]
  }`;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function isBinary(value: object): value is ArrayBuffer | ArrayBufferView {
  return value instanceof ArrayBuffer || ArrayBuffer.isView(value);
}

function toBytes(value: ArrayBuffer | ArrayBufferView): Uint8Array {
  return value instanceof ArrayBuffer
    ? new Uint8Array(value)
    : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

function show(value: unknown): string {
  if (Object.is(value, -0)) return "-0";
  if (typeof value === "bigint") return `${value}n`;
  if (isObject(value)) {
    // not the tag: a Buffer has that of a Uint8Array
    return `${Object.getPrototypeOf(value)?.constructor.name} object`;
  }
  if (typeof value !== "string") return String(value);
  const text = JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 60)}… (${value.length})`;
}
