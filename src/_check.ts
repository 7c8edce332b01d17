/**
 * Checks of options: what is wrong with one is said when it is given.
 *
 * @module
 */

/** A token of RFC 9110 §5.6.2, as names of headers and cookies are. */
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * Checks that options are an object of known keys, and leaves out what is undefined.
 *
 * @param action What is being done: `create SessionManager`.
 * @param options What was given.
 * @param known The keys that mean something.
 * @returns The options that are set.
 * @throws {TypeError} If it is no plain object, or a key is unknown.
 */
export function checkOptions<T extends object>(
  action: string,
  options: T,
  known: readonly (keyof T & string)[],
): Partial<T> {
  if (!isPlainObject(options)) {
    throw new TypeError(
      `Cannot ${action}: want a plain object of options: received ${
        describeType(options) === "object"
          ? "an instance of a class"
          : describeType(options)
      }`,
    );
  }
  const set: Partial<T> = {};
  for (const key of Object.keys(options)) {
    if (!(known as readonly string[]).includes(key)) {
      throw new TypeError(
        `Cannot ${action}: want an option of ${
          known.join(", ")
        }: received "${key}"`,
      );
    }
    const value = options[key as keyof T];
    if (value !== undefined) set[key as keyof T] = value;
  }
  return set;
}

/** What is an instance of something, a store for example, holds no options. */
function isPlainObject(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  // that of another realm is none of ours
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/**
 * Checks the type of an option's value.
 *
 * @param action What is being done.
 * @param name The name of the option.
 * @param value Its value.
 * @param type What `typeof` should say.
 * @throws {TypeError} If it says something else.
 */
export function checkType(
  action: string,
  name: string,
  value: unknown,
  type: "boolean" | "function" | "string",
): void {
  const actual: string = typeof value;
  if (actual !== type) {
    throw new TypeError(
      `Cannot ${action}: "${name}" must be a ${type}: received ${
        describeType(value)
      }`,
    );
  }
}

/**
 * Checks that a name is one that a header or a cookie can have.
 *
 * @param action What is being done.
 * @param name The name of the option.
 * @param value Its value.
 * @throws {TypeError} If it is no token of RFC 9110.
 */
export function checkName(action: string, name: string, value: unknown): void {
  checkType(action, name, value, "string");
  if (!isName(value as string)) {
    throw new TypeError(
      `Cannot ${action}: "${name}" must be a token of RFC 9110 (letters, digits, !#$%&'*+-.^_\`|~): received ${
        JSON.stringify(value)
      }`,
    );
  }
}

/** Says whether a text is a token of RFC 9110. */
export function isName(text: string): boolean {
  return NAME.test(text);
}

/** Says what is being done, and to which key; what is no string may be user data. */
export function nameAction(action: string, key?: unknown): string {
  return typeof key === "string" ? `${action} ${JSON.stringify(key)}` : action;
}

/**
 * Checks how many entries a list is to have at most.
 *
 * @param limit The value of the option.
 * @throws {RangeError} If it is neither an integer of 1 or more nor `Infinity`.
 */
export function checkLimit(limit: number): void {
  if (limit === Infinity || isPositiveInteger(limit)) return;
  throw new RangeError(
    `Cannot list sessions: "limit" must be an integer of 1 or more: received ${
      describeValue(limit)
    }`,
  );
}

/**
 * Checks for how long a store is to keep a record.
 *
 * @param expireIn Milliseconds.
 * @throws {RangeError} If it is no integer of 1 or more.
 */
export function checkExpireIn(expireIn: number): void {
  if (isPositiveInteger(expireIn)) return;
  throw new RangeError(
    `Cannot store session: "expireIn" must be an integer of 1 or more: received ${
      describeValue(expireIn)
    }`,
  );
}

function isPositiveInteger(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1;
}

/**
 * Makes the error for an option whose value makes no sense.
 *
 * @param action What is being done.
 * @param name The name of the option.
 * @param want What it must do or be: `be "reset" or "fail"`.
 * @param received What was received instead.
 */
export function wrongOption(
  action: string,
  name: string,
  want: string,
  received: string,
): TypeError {
  return new TypeError(
    `Cannot ${action}: "${name}" must ${want}: received ${received}`,
  );
}

/** Says what an option was given: a text or a number itself, of all else the kind. */
export function describeValue(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  return typeof value === "number" ? String(value) : describeType(value);
}

/** Says what kind of value was received, without showing the value. */
export function describeType(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value;
}
