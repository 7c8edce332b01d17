// deno-lint-ignore-file no-console
/**
 * Command lines: the options they may have, and what they come to.
 *
 * @module
 */

import { parseArgs } from "node:util";

/** The exit code if a command line makes no sense. */
const USAGE_ERROR = 2;

/** An option of a command line. */
export interface OptionSpec {
  /** What the usage calls its value, such as `N`; undefined: it takes none. */
  readonly value?: string;
  /** What it means, and its default. */
  readonly meaning: string;
}

/** The options of a command line, by their names. */
export type OptionSpecs<Name extends string> = Readonly<
  Record<Name, OptionSpec>
>;

/** What a command line has: the values of its options, `""` of those that take none. */
export type Values<Name extends string> = { readonly [N in Name]?: string };

/**
 * Reads a command line.
 *
 * @param args The arguments.
 * @param specs The options that there are.
 * @returns The values of those that were given; of several, the last.
 * @throws {TypeError} If there is an argument that is none of them, an option
 * without its value, or a value where none belongs.
 */
export function parseArguments<Name extends string>(
  args: readonly string[],
  specs: OptionSpecs<Name>,
): Values<Name> {
  const values: { [N in Name]?: string } = {};
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      Object.entries<OptionSpec>(specs).map(([name, { value }]) => [
        name,
        { type: value === undefined ? "boolean" : "string" },
      ]),
    ),
    strict: false, // we say ourselves what is wrong
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional" || !Object.hasOwn(specs, token.name)) {
      throw new TypeError(
        `Cannot run benchmarks: arguments must be options that --help names: received ${
          token.kind === "positional" ? token.value : token.rawName
        }`,
      );
    }
    const name = token.name as Name;
    const { value } = specs[name];
    if ((value === undefined) !== (token.value === undefined)) {
      throw new TypeError(
        value === undefined
          ? `Cannot run benchmarks: --${name} must have no value: received ${token.value}`
          : `Cannot run benchmarks: --${name} must have a value, as in --${name}=${value}: received none`,
      );
    }
    values[name] = token.value ?? "";
  }
  return values;
}

/**
 * Reads the value of an option as an integer.
 *
 * @param name The name of the option.
 * @param text Its value.
 * @param fallback What it is if it was not given.
 * @param least The least it may be.
 * @throws {RangeError} If it is no integer, or less.
 */
export function toInteger(
  name: string,
  text: string | undefined,
  fallback: number,
  least = 1,
): number {
  if (text === undefined) return fallback;
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= least) return number;
  throw new RangeError(
    `Cannot run benchmarks: --${name} must be an integer of ${least} or more: received ${text}`,
  );
}

/**
 * Reads the value of an option as a list of names.
 *
 * A name stands for itself, and the beginning of names for all that begin so.
 * Upper and lower case are the same.
 *
 * @param name The name of the option.
 * @param text Its value, with commas between the names.
 * @param known The names that there are.
 * @returns The names that are meant, each once; undefined if it was not given.
 * @throws {TypeError} If one of them is not known.
 */
export function toNames<Known extends string>(
  name: string,
  text: string | undefined,
  known: readonly Known[],
): Known[] | undefined {
  if (text === undefined) return undefined;
  const named = text.split(",").flatMap((item) => {
    const wanted = item.trim().toLowerCase();
    const same = known.filter((name) => name.toLowerCase() === wanted);
    const found = same.length > 0
      ? same
      : known.filter((name) => name.toLowerCase().startsWith(wanted));
    if (found.length > 0 && wanted !== "") return found;
    throw new TypeError(
      `Cannot run benchmarks: --${name} must be of ${
        known.join(", ")
      }: received ${item}`,
    );
  });
  return [...new Set(named)];
}

/**
 * Reads the value of an option as the folder to save in.
 *
 * @throws {TypeError} If it is empty.
 */
export function toFolder(
  name: string,
  text: string | undefined,
): string | undefined {
  if (text !== "") return text;
  throw new TypeError(
    `Cannot run benchmarks: --${name} must be a folder: received an empty name`,
  );
}

/** Lists options for a usage, one to a line. */
export function renderOptions(specs: OptionSpecs<string>): string {
  const rows = Object.entries(specs).map(([name, { value, meaning }]) =>
    [
      `  --${name}${value === undefined ? "" : `=${value}`}`,
      meaning,
    ] as const
  );
  const width = Math.max(...rows.map(([option]) => option.length)) + 2;
  return rows.map(([option, meaning]) => option.padEnd(width) + meaning)
    .join("\n");
}

/**
 * Reads the command line of this process, and makes the folder it names.
 *
 * `--help` or `-h` prints the usage and ends the process with the exit code 0,
 * one that makes no sense ends it with a line on the standard error and 2.
 *
 * @param usage What `--help` prints.
 * @param read Makes options of the arguments, or throws.
 * @returns What it makes of them.
 */
export async function readCommandLine<
  Options extends { readonly out: string | undefined },
>(
  usage: string,
  read: (args: readonly string[]) => Options | Promise<Options>,
): Promise<Options> {
  if (Deno.args.includes("--help") || Deno.args.includes("-h")) {
    console.log(usage);
    Deno.exit(0);
  }
  try {
    const options = await read(Deno.args);
    await makeFolder(options.out); // before the run, not after it
    return options;
  } catch (error) {
    console.error((error as Error).message);
    Deno.exit(USAGE_ERROR);
  }
}

async function makeFolder(path: string | undefined): Promise<void> {
  if (path === undefined) return;
  try {
    await Deno.mkdir(path, { recursive: true });
  } catch {
    throw new TypeError(
      `Cannot run benchmarks: --out must be a folder, or one that can be made: received ${path}`,
    );
  }
}
