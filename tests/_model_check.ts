/**
 * Judges a run against a sequential model.
 *
 * Every writer appends its name to the value `log`, so that each stored state says in
 * which order its writers came. The model repeats them one after the other.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { Outcome, Run } from "./_model_run.ts";

/** A session record, as far as the model looks at it. */
interface Stored {
  readonly data: ReadonlyMap<string, unknown>;
  readonly flash: readonly { readonly value: string }[];
  readonly forward?: string;
}

/** A state of a session, in force from one commit to the next of its id. */
interface State {
  readonly data: ReadonlyMap<string, unknown>;
  readonly log: readonly string[];
  readonly from: number;
  until: number;
}

/** What the commits made of the sessions, as the model retraced it. */
class Retraced {
  /** The states of each id, oldest first. */
  readonly states = new Map<string, State[]>();
  /** The ids that live, with the flash values left. */
  readonly live = new Map<string, readonly string[]>();
  /** The first id that each id goes back to. */
  readonly lineage = new Map<string, string>();
  /** The writers that were stored, with the lineage and the number of the commit. */
  readonly written = new Map<string, { lineage: string; at: number }>();
  readonly ended = new Set<string>();
  /** The lineages in which somebody signed in, so that an id died without a forward. */
  readonly signedIn = new Set<string>();

  latest(id: string): State | undefined {
    return this.live.has(id) ? this.states.get(id)?.at(-1) : undefined;
  }

  /** Says whether a session lived at some moment from a commit on. */
  livedAfter(id: string, commit: number): boolean {
    return (this.states.get(id) ?? []).some(({ until }) => until > commit);
  }

  /** Says whether a session, under whatever id, has a record. */
  lives(lineage: string | undefined): boolean {
    return [...this.live.keys()].some((id) => this.lineage.get(id) === lineage);
  }
}

/** Throws unless a sequential run explains everything that was seen and stored. */
export function checkRun(run: Run): void {
  const byName = new Map(run.outcomes.map((one) => [one.name, one]));
  const retraced = new Retraced();
  for (const [index, commit] of run.history.entries()) {
    const at = index + 1;
    const source = commit.check.find(({ version }) => version !== null)?.id;
    const before = source === undefined ? undefined : retraced.latest(source);
    const lineage = source === undefined
      ? undefined
      : retraced.lineage.get(source);
    for (const { id } of commit.delete) end(retraced, id, at);
    for (const { id, record } of commit.put) {
      const stored = record as Stored;
      assert(!retraced.ended.has(id), `${id} came back`);
      if (stored.forward !== undefined) {
        end(retraced, id, at);
        continue;
      }
      const log = (stored.data.get("log") ?? []) as string[];
      const writers = newWriters(before, log, byName);
      if (index >= run.prepared) {
        assertEquals(sorted(stored.data), sorted(replay(before, writers)));
      }
      for (const { name } of writers) {
        assert(!retraced.written.has(name), `${name} was written twice`);
        retraced.written.set(name, { lineage: lineage ?? id, at });
      }
      const states = retraced.states.get(id) ?? [];
      const last = states.at(-1);
      if (last !== undefined) last.until = at;
      states.push({ data: stored.data, log, from: at, until: Infinity });
      retraced.states.set(id, states);
      retraced.live.set(id, stored.flash.map(({ value }) => value));
      retraced.lineage.set(id, lineage ?? id);
      if (commit.delete.length > 0) retraced.signedIn.add(lineage ?? id);
    }
  }
  for (const outcome of run.outcomes) {
    checkSeen(outcome, retraced);
    checkTold(outcome, run, retraced);
  }
  checkFlash(run, retraced);
}

function end(retraced: Retraced, id: string, at: number): void {
  const state = retraced.latest(id);
  if (state !== undefined) state.until = at;
  retraced.live.delete(id);
  retraced.ended.add(id);
}

/** The writers that a commit added; others may be gone only if one of these cleared. */
function newWriters(
  before: State | undefined,
  log: readonly string[],
  byName: ReadonlyMap<string, Outcome>,
): Outcome[] {
  const old = before?.log ?? [];
  const kept = old.length > 0 && old.every((name, i) => log[i] === name);
  const added = (kept ? log.slice(old.length) : log).map((name) => {
    const outcome = byName.get(name);
    assert(outcome !== undefined, `nobody is called ${name}`);
    return outcome;
  });
  if (old.length > 0 && !kept) {
    assert(
      added[0] !== undefined && clears(added[0]),
      `lost of ${old}: ${log}`,
    );
  }
  return added;
}

function clears({ changes }: Outcome): boolean {
  return changes.some(({ type }) => type === "clear");
}

function replay(
  before: State | undefined,
  writers: readonly Outcome[],
): Map<string, unknown> {
  const data = new Map(before?.data);
  for (const { name, changes } of writers) {
    for (const change of changes) {
      if (change.type === "set") data.set(change.key, change.value);
      else if (change.type === "delete") data.delete(change.key);
      else if (change.type === "clear") data.clear();
      else data.set("n", ((data.get("n") ?? 0) as number) + 1);
    }
    data.set("log", [...(data.get("log") ?? []) as string[], name]);
  }
  return data;
}

function sorted(data: ReadonlyMap<string, unknown>): [string, unknown][] {
  return [...data].sort(([a], [b]) => a < b ? -1 : 1);
}

/** What a request saw was stored at a moment between its start and its loading. */
function checkSeen(outcome: Outcome, { states }: Retraced): void {
  const { name, seenId, seenLog, startedAt, loadedAt } = outcome;
  if (seenId === undefined) return;
  const seen = states.get(seenId)?.some(({ log, from, until }) =>
    from <= loadedAt && until > startedAt &&
    log.join() === seenLog.join()
  );
  assert(seen, `${name} saw what was not there: ${seenLog}`);
}

/** What was acknowledged is stored, what was not is not, and tokens lead somewhere. */
function checkTold(outcome: Outcome, run: Run, retraced: Retraced): void {
  const { name, call, result, error, token, changes, seenId } = outcome;
  const { written, lineage } = retraced;
  assert(result !== "running", `${name} was not answered`);
  if (result === "failed") {
    assert(error instanceof Error, `${name} failed`);
    const expected = call.ending === "throw"
      ? "the handler failed"
      : run.truthful
      ? "nothing"
      : "Cannot commit session: the store must answer";
    assert(error.message.startsWith(expected), `${name}: ${error}`);
    assertEquals(token, undefined, `${name} failed, and has a token`);
    if (call.ending === "throw") assert(!written.has(name), `${name} is there`);
    return;
  }
  if (result === "dropped") {
    assertEquals(token, undefined, `${name} was dropped, and has a token`);
    // where a commit was reported wrongly, the end came after the write
    const known = run.truthful && call.ending !== "destroy";
    assert(!known || !written.has(name), `${name} was dropped, and is there`);
    assert(!ranOn(retraced, lineage.get(seenId ?? "")), `${name} was dropped`);
    return;
  }
  if (seenId === undefined) {
    const brought = lineage.get(outcome.broughtId) ?? outcome.broughtId;
    assert(!ranOn(retraced, brought), `${name} did not find its session`);
  }
  if (result === "none") return assertEquals(token, undefined);
  const ends = call.type === "revoke" || call.ending === "destroy";
  if (ends) {
    if (seenId === undefined) return;
    assert(!retraced.lives(lineage.get(seenId)), `${name} ended nothing`);
    assertEquals(token, call.type === "request" ? "" : undefined);
    return;
  }
  const wrote = changes.length > 0 || outcome.flashed.length > 0 ||
    outcome.shown.length > 0;
  const at = written.get(name)?.at ?? Infinity;
  if (wrote && at > outcome.endedAt) {
    const cleared = run.outcomes.some((other) =>
      clears(other) && other.startedAt <= outcome.endedAt &&
      outcome.startedAt <= other.endedAt && other !== outcome
    );
    assert(cleared, `${name} was acknowledged, and is lost`);
  }
  if (token !== undefined) {
    const id = token.slice(0, 26);
    assert(
      retraced.livedAfter(id, outcome.handledAt),
      `${name} was handed the token of a session that had ended`,
    );
  }
}

/** Says whether a session went on for all who had it: only its id changed, if anything. */
function ranOn(retraced: Retraced, lineage: string | undefined): boolean {
  return lineage !== undefined && retraced.lives(lineage) &&
    !retraced.signedIn.has(lineage);
}

/** Each flash value is shown once at most, and is still there if it was not. */
function checkFlash({ outcomes, drained }: Run, retraced: Retraced): void {
  const left = [...retraced.live.values()].flat();
  const acknowledged = outcomes.filter(({ result }) =>
    result === "acknowledged"
  );
  const shown = acknowledged.flatMap(({ shown }) => shown);
  assertEquals(new Set(shown).size, shown.length, `shown twice: ${shown}`);
  // a request that came too late for its session has shown its values all the same
  const late = outcomes.filter(({ name, result, seenId }) =>
    result === "dropped" || result === "acknowledged" &&
      retraced.written.get(name)?.lineage !== retraced.lineage.get(seenId ?? "")
  ).flatMap(({ shown }) => shown);
  for (const value of shown) {
    const gone = late.includes(value) || !left.includes(value);
    assert(gone, `${value} was shown, and is still there`);
  }
  for (const [id, values] of drained) {
    const there = retraced.live.get(id) ?? [];
    const expected = there.filter((value) => !late.includes(value));
    assertEquals(values, expected, "left for the next request");
  }
  for (const { name, flashed } of acknowledged) {
    const lineage = retraced.written.get(name)?.lineage;
    if (lineage === undefined || !retraced.lives(lineage)) continue;
    for (const value of flashed) {
      const places = [...shown, ...left].filter((one) => one === value);
      assertEquals(places, [value], `${value} was lost`);
    }
  }
}
