/**
 * The `transport` and `cookie` options, and what is expected of a transport.
 *
 * @module
 */

import { describeType, describeValue, isName, wrongOption } from "./_check.ts";
import { cookieTransport } from "./cookie_transport.ts";
import type { SessionOptions } from "./session_options.ts";
import type { SessionTransport } from "./session_transport.ts";

const ACTION = "create SessionManager";

/**
 * Checks and completes the transports.
 *
 * @param options The options of a manager.
 * @returns The transports, one or more.
 * @throws {TypeError} If one is none, two have one name, or `cookie` is given too.
 */
export function resolveTransports(
  options: SessionOptions<object>,
): readonly SessionTransport[] {
  if (options.transport === undefined) return [cookieTransport(options.cookie)];
  if (options.cookie !== undefined) {
    throw wrongOption(
      ACTION,
      "cookie",
      `not go together with "transport"`,
      "both",
    );
  }
  const { transport } = options;
  const transports: readonly SessionTransport[] = isList(transport)
    ? [...transport]
    : [transport];
  if (transports.length === 0) {
    throw wrongOption(ACTION, "transport", "name one or more", "an empty list");
  }
  const names = new Set<string>();
  for (const item of transports) {
    checkTransport(item);
    if (names.has(item.name)) {
      throw wrongOption(
        ACTION,
        "transport",
        "have no two of one name",
        JSON.stringify(item.name),
      );
    }
    names.add(item.name);
  }
  return transports;
}

/** Names the request headers that a transport depends on. */
export function varyOf({ vary }: Pick<SessionTransport, "vary">): string[] {
  return [vary].flat().flatMap((names) => names.split(","))
    .map((name) => name.trim()).filter((name) => name !== "");
}

/**
 * Says what is wrong with the candidates that a transport found.
 *
 * @param transport The transport.
 * @param received What its `read` returned, which is no array.
 * @returns The error to throw.
 */
export function misread(
  { name }: SessionTransport,
  received: unknown,
): TypeError {
  let what = describeType(received);
  if (received instanceof Promise) {
    received.catch(() => {}); // it is refused, so nobody else will handle its rejection
    what = "a promise";
  }
  return new TypeError(
    `Cannot load session: "read" of transport ${
      JSON.stringify(name)
    } must return an array of strings: received ${what}`,
  );
}

/**
 * Makes sure that a transport is done with a token when it returns.
 *
 * @param transport The transport.
 * @param method What was called.
 * @param received What it returned.
 * @throws {TypeError} If that is a promise: the response would leave without the token.
 */
export function assertSynchronous(
  { name }: SessionTransport,
  method: "write" | "clear",
  received: unknown,
): void {
  if (!(received instanceof Promise)) return;
  received.catch(() => {}); // it is refused, so nobody else will handle its rejection
  throw new TypeError(
    `Cannot respond: "${method}" of transport ${
      JSON.stringify(name)
    } must be synchronous: received a promise`,
  );
}

function isList(
  transport: SessionTransport | readonly SessionTransport[],
): transport is readonly SessionTransport[] {
  return Array.isArray(transport);
}

function checkTransport(transport: Partial<SessionTransport>): void {
  const valid = typeof transport === "object" && transport !== null &&
    typeof transport.name === "string" && transport.name !== "" &&
    [transport.vary].flat().every((name) => typeof name === "string") &&
    [transport.read, transport.write, transport.clear].every((call) =>
      typeof call === "function"
    );
  if (!valid) {
    throw wrongOption(
      ACTION,
      "transport",
      "have name, vary, read, write and clear",
      describeType(transport),
    );
  }
  const { vary = [], persistent } = transport;
  for (const name of varyOf({ vary })) {
    if (name === "*" || isName(name)) continue;
    const want = `have names of headers, or "*", as "vary"`;
    throw wrongOption(ACTION, "transport", want, describeValue(name));
  }
  if (persistent !== undefined && typeof persistent !== "boolean") {
    const want = `have a boolean as "persistent", or none`;
    throw wrongOption(ACTION, "transport", want, describeValue(persistent));
  }
}
