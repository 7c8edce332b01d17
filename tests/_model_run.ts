/**
 * Runs a program on real managers, in the order that a scheduler chooses.
 *
 * @module
 */

import type fc from "fast-check";
import { setImmediate } from "node:timers";
import {
  type Session,
  type SessionEvent,
  SessionManager,
} from "@tessera/session";
import { RequestSession } from "../src/_request_session.ts";
import { ControllableStore } from "./_controllable_store.ts";
import { COOKIE, getWith, tokenOf } from "./_helpers.ts";
import {
  BROWSERS,
  type Call,
  MANAGERS,
  type Program,
  type Step,
} from "./_model_program.ts";

/** A change that a request made, as the sequential model repeats it. */
export type Change =
  | { readonly type: "set"; readonly key: string; readonly value: unknown }
  | { readonly type: "delete"; readonly key: string }
  | { readonly type: "clear" | "count" };

/** What a call did, saw, and was told. */
export interface Outcome {
  readonly name: string;
  readonly call: Call;
  /** How many commits had been applied when it started, had loaded, … */
  startedAt: number;
  loadedAt: number;
  /** … was through with its handler, and was answered. */
  handledAt: number;
  endedAt: number;
  /** The id of the token it brought. */
  broughtId: string;
  /** The session it loaded, if there was one, and the log of writers it saw there. */
  seenId: string | undefined;
  seenLog: readonly string[];
  changes: Change[];
  flashed: string[];
  shown: string[];
  /** What became of it; `none`: there was nothing to edit or revoke. */
  result: "running" | "acknowledged" | "dropped" | "failed" | "none";
  error: unknown;
  /** The token it was handed, or `""` to forget the one it has. */
  token: string | undefined;
}

/** What a run leaves to be judged. */
export interface Run {
  readonly outcomes: readonly Outcome[];
  readonly history: ControllableStore["history"];
  readonly events: readonly SessionEvent[];
  /** How many of the commits came from the preparation. */
  readonly prepared: number;
  /** The flash values that each browser was shown in the end, by its session. */
  readonly drained: ReadonlyMap<string, readonly string[]>;
  /** Whether no commit was reported as what it was not. */
  readonly truthful: boolean;
}

/** Runs a program: every store call, every pause, every wait is the scheduler's. */
export async function runProgram(
  { calls, faults, batch }: Program,
  scheduler: fc.Scheduler,
): Promise<Run> {
  let prepared = Infinity;
  let commits = 0;
  const pause = async (label: string) => {
    if (prepared < Infinity) await scheduler.schedule(Promise.resolve(), label);
  };
  const store = new ControllableStore({
    pause,
    fault: ({ put }) => {
      const fault = prepared < Infinity ? faults[commits++] : undefined;
      // whose deletion it was that took place cannot be known afterwards
      return put.length === 0 && fault === "refused" ? undefined : fault;
    },
  });
  let time = Date.UTC(2030, 0);
  const events: SessionEvent[] = [];
  const managers = Array.from({ length: MANAGERS }, () =>
    new SessionManager({
      store,
      batch,
      clock: () => time++,
      onEvent: (event) => events.push(event),
    }));
  const jars = await Promise.all(
    Array.from({ length: BROWSERS }, () => firstToken(managers[0])),
  );
  const first = [...jars];
  prepared = store.history.length;

  const outcomes = calls.map((call, index) => blank(`r${index}`, call));
  const run = async (outcome: Outcome) => {
    const { call } = outcome;
    await pause("start");
    outcome.startedAt = store.history.length;
    const manager = managers[call.manager] as SessionManager;
    const token = (call.stale ? first : jars)[call.browser] ?? "";
    try {
      await perform(outcome, { manager, token, pause, store });
    } catch (error) {
      outcome.result = "failed";
      outcome.error = error;
    }
    outcome.endedAt = store.history.length;
    if (outcome.token !== undefined) jars[call.browser] = outcome.token;
  };
  await withScheduledTimers(pause, async () => {
    await drive(scheduler, Promise.all(outcomes.map(run)));
  });
  const start = prepared;
  prepared = Infinity;
  const history = [...store.history];
  const drained = new Map<string, string[]>();
  for (const token of jars) {
    await managers[0]?.handle(getWith(token), (session) => {
      if (!session.isNew) drained.set(session.id, drain(session));
      return new Response();
    });
  }
  const truthful = faults.every((fault) => fault === undefined);
  return { outcomes, history, events, prepared: start, drained, truthful };
}

/** Releases what the scheduler holds, one at a time, when nothing else can happen. */
async function drive(
  scheduler: fc.Scheduler,
  all: Promise<unknown>,
): Promise<void> {
  let done = false;
  const ended = all.finally(() => done = true);
  while (true) {
    await new Promise<void>((resolve) => setImmediate(() => resolve()));
    if (done) return void await ended;
    if (scheduler.count() === 0) throw new Error("the program is stuck");
    await scheduler.waitNext(1);
  }
}

/** Lets short timers fire when the scheduler says so, and long ones never. */
async function withScheduledTimers(
  pause: (label: string) => Promise<void>,
  run: () => Promise<void>,
): Promise<void> {
  const { setTimeout } = globalThis;
  const scheduled = (callback: () => void, delay: number) => {
    if (delay <= 50) void pause("back off").then(callback);
    return 0;
  };
  Object.assign(globalThis, { setTimeout: scheduled });
  try {
    await run();
  } finally {
    globalThis.setTimeout = setTimeout;
  }
}

function drain(session: Session): string[] {
  const values: string[] = [];
  for (
    let value = session.flash<string>("n");
    value !== undefined;
    value = session.flash<string>("n")
  ) values.push(value);
  return values;
}

async function firstToken(
  manager: SessionManager | undefined,
): Promise<string> {
  const response = await manager?.handle(
    new Request("https://example.com/"),
    (session) => {
      session.set("list", []);
      session.set("a", "start");
      session.flash("n", `${session.id} 1`);
      session.flash("n", `${session.id} 2`);
      return new Response();
    },
  );
  return response === undefined ? "" : tokenOf(response);
}

function blank(name: string, call: Call): Outcome {
  return {
    name,
    call,
    startedAt: -1,
    loadedAt: -1,
    handledAt: -1,
    endedAt: -1,
    broughtId: "",
    seenId: undefined,
    seenLog: [],
    changes: [],
    flashed: [],
    shown: [],
    result: "running",
    error: undefined,
    token: undefined,
  };
}

interface Surroundings {
  readonly manager: SessionManager;
  readonly token: string;
  readonly pause: (label: string) => Promise<void>;
  readonly store: ControllableStore;
}

async function perform(
  outcome: Outcome,
  surroundings: Surroundings,
): Promise<void> {
  const { manager, token } = surroundings;
  const { type } = outcome.call;
  const id = outcome.broughtId = token.slice(0, 26);
  if (type === "revoke") {
    outcome.handledAt = outcome.startedAt;
    outcome.result = await manager.revoke(id) ? "acknowledged" : "none";
    return;
  }
  let used: Session | undefined;
  const use = async (session: Session) => {
    used = session;
    await handler(outcome, session, surroundings);
    return new Response();
  };
  if (type === "edit") await manager.edit(id, use);
  else {
    const response = await manager.handle(getWith(token), use);
    if (response.headers.getSetCookie().length > 0) {
      outcome.token = tokenOf(response, COOKIE);
    }
  }
  outcome.result = used === undefined
    ? "none"
    : RequestSession.of(used)?.dropped
    ? "dropped"
    : "acknowledged";
}

async function handler(
  outcome: Outcome,
  session: Session,
  { pause, store }: Surroundings,
): Promise<void> {
  const { name, call } = outcome;
  outcome.loadedAt = store.history.length;
  outcome.seenId = session.isNew ? undefined : session.id;
  outcome.seenLog = session.get<string[]>("log") ?? [];
  let pushed = false;
  for (const step of call.steps) {
    if (step.type === "pause") await pause("think");
    if (step.type === "push") pushed = true;
    if (step.type === "clear") pushed = false;
    take(outcome, session, step);
  }
  const changed = pushed || outcome.changes.length > 0 ||
    outcome.flashed.length > 0 || outcome.shown.length > 0;
  if (pushed) {
    const value = structuredClone(session.get("list"));
    outcome.changes.push({ type: "set", key: "list", value });
  }
  if (changed || call.ending === "login" || call.ending === "regenerate") {
    session.update<string[]>("log", (log = []) => [...log, name]);
  }
  outcome.handledAt = store.history.length;
  if (call.ending === "throw") throw new Error("the handler failed");
  if (call.ending === "destroy") session.destroy();
  if (call.ending === "commit") await session.commit();
  if (call.type !== "request") return;
  if (call.ending === "login") session.login("alice");
  if (call.ending === "regenerate") session.regenerate();
}

function take(outcome: Outcome, session: Session, step: Step): void {
  const { name, changes } = outcome;
  switch (step.type) {
    case "set":
      session.set(step.key, name);
      changes.push({ type: "set", key: step.key, value: name });
      break;
    case "delete":
      if (session.delete(step.key)) {
        changes.push({ type: "delete", key: step.key });
      }
      break;
    case "clear":
      if (session.size > 0) changes.push({ type: "clear" });
      session.clear();
      break;
    case "count":
      session.update<number>("n", (n = 0) => n + 1);
      changes.push({ type: "count" });
      break;
    case "push": {
      const list = session.get<string[]>("list");
      if (list === undefined) session.set("list", [name]);
      else list.push(name);
      break;
    }
    case "flash": {
      const value = `${name} ${outcome.flashed.length}`;
      session.flash("n", value);
      outcome.flashed.push(value);
      break;
    }
    case "take": {
      const value = session.flash<string>("n");
      if (value !== undefined) outcome.shown.push(value);
      break;
    }
  }
}
