/**
 * One of the processes that share a store: sends requests to a manager in
 * process, without HTTP, as it is told on its standard input.
 *
 * Run with the address of the store, as the demo takes it, and a number that
 * none of the others has.
 *
 * @module
 */

import { type Session, SessionManager } from "@tessera/session";
import { openStore } from "../examples/demo/store.ts";
import { PROFILE } from "./_data.ts";
import {
  type Command,
  LOOPS,
  PROCESSES,
  type RunAnswer,
  type StoresCase,
} from "./_stores_cases.ts";
import { quantile } from "./_statistics.ts";

const [address = "", number = ""] = Deno.args;
const PAGE = "http://localhost/";

await using stack = new AsyncDisposableStack();
const store = await openStore(address, stack);
const sessions = stack.use(new SessionManager({ store }));

/** The sessions that all processes read and write. */
let cookies: string[] = [];
/** The sessions that log in: one for each loop. */
let own: string[] = [];

const VISITS: Record<StoresCase, (loop: number) => Promise<unknown>> = {
  "read": (loop) => visit(cookieFor(loop), readCount),
  "write": (loop) =>
    visit(cookieFor(loop), (session) => {
      session.set("count", readCount(session) + 1);
    }),
  "hot write": () =>
    visit(hotCookie(), (session) => {
      session.update<number>("count", (count = 0) => count + 1);
    }),
  "login": async (loop) => {
    const { response } = await visit(
      own[loop],
      (session) => session.login(`user ${number} ${loop}`),
    );
    own[loop] = cookieOf(response);
  },
};

/** Makes a request; resolves to what the handler returned, and the response. */
async function visit<T>(
  cookie: string | undefined,
  handler: (session: Session) => T,
): Promise<{ value: T; response: Response }> {
  const headers = cookie === undefined ? undefined : { cookie };
  const request = new Request(PAGE, headers && { headers });
  let value!: T;
  const response = await sessions.handle(request, (session) => {
    value = handler(session);
    return new Response("ok");
  });
  return { value, response };
}

function readCount(session: Session): number {
  const count = session.get<number>("count");
  if (count === undefined) {
    throw new Error("Cannot measure: want the session: received none");
  }
  return count;
}

/** One of the sessions of this loop: none that another one writes. */
function cookieFor(loop: number): string | undefined {
  const slots = Math.max(...PROCESSES) * LOOPS;
  const slot = Number(number) * LOOPS + loop;
  const mine = Math.max(1, Math.floor((cookies.length - 1 - slot) / slots));
  return cookies[1 + slot + slots * Math.floor(Math.random() * mine)];
}

function hotCookie(): string | undefined {
  return cookies[0];
}

function cookieOf(response: Response): string {
  const [line] = response.headers.getSetCookie();
  if (line === undefined) {
    throw new Error("Cannot measure: want a cookie: received none");
  }
  return line.slice(0, line.indexOf(";"));
}

/** Begins a session with what all have, 500 bytes as JSON. */
async function begin(subject?: string): Promise<string> {
  const { response } = await visit(undefined, (session) => {
    session.set("profile", PROFILE);
    session.set("count", 0);
    if (subject !== undefined) session.login(subject);
  });
  return cookieOf(response);
}

/** Runs something so many times, some at a time. */
async function times<T>(
  count: number,
  run: (index: number) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  await Promise.all(Array.from({ length: LOOPS }, async () => {
    while (next < count) results.push(await run(next++));
  }));
  return results;
}

async function measure(
  what: StoresCase,
  seconds: number,
): Promise<RunAnswer> {
  const took: number[] = [];
  const errors: Record<string, number> = {};
  const start = performance.now();
  const end = start + seconds * 1_000;
  await Promise.all(Array.from({ length: LOOPS }, async (_, loop) => {
    for (let now = start; now < end;) {
      try {
        await VISITS[what](loop);
        const then = performance.now();
        took.push(then - now);
        now = then;
      } catch (error) {
        const { name } = error as Error;
        errors[name] = (errors[name] ?? 0) + 1;
        now = performance.now();
      }
    }
  }));
  const elapsed = (performance.now() - start) / 1_000;
  const [p50, p99] = took.length === 0
    ? [0, 0]
    : [quantile(took, 0.5), quantile(took, 0.99)];
  return { done: took.length, errors, seconds: elapsed, p50, p99 };
}

async function obey(command: Command): Promise<unknown> {
  switch (command.do) {
    case "fill":
      return await times(
        command.sessions,
        (n) => begin(command.signedIn ? `filler ${number} ${n}` : undefined),
      );
    case "take":
      cookies = JSON.parse(await Deno.readTextFile(command.file));
      own = await times(LOOPS, () => begin());
      return cookies.length;
    case "run":
      return await measure(command.what, command.seconds);
    case "count":
      return (await visit(hotCookie(), readCount)).value;
  }
}

// ends with its input, and so with whoever started it
let rest = "";
const input = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
for await (const chunk of input) {
  const lines = (rest + chunk).split("\n");
  rest = lines.pop() ?? "";
  for (const line of lines) {
    const answer = JSON.stringify(await obey(JSON.parse(line)));
    await Deno.stdout.write(new TextEncoder().encode(`${answer}\n`));
  }
}
