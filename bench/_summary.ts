/**
 * What the samples of a run amount to.
 *
 * @module
 */

import { type CaseName, CASES, OURS, TARGETS } from "./_cases.ts";
import { median, type Spread, spreadOf } from "./_statistics.ts";

/** One measurement. */
export interface Sample {
  /** The name of the server. */
  readonly server: string;
  /** The case. */
  readonly case: CaseName;
  /** The round, from 0. */
  readonly round: number;
  /** Requests per second. */
  readonly rate: number;
  /** The median latency, in milliseconds. */
  readonly p50: number;
  /** The latency that one in a hundred exceeded, in milliseconds. */
  readonly p99: number;
  /** Requests that failed, or were answered with another status than 200. */
  readonly errors: number;
}

/** A server, as the report names it. */
export interface ServerInfo {
  /** Its name. */
  readonly name: string;
  /** The version of what it measures. */
  readonly version: string;
  /** Where it keeps sessions. */
  readonly store: "none" | "KV" | "memory" | "cookie";
}

/** What the samples of one server in one case amount to. */
export interface Cell {
  /** Requests per second. */
  readonly rate: Spread;
  /** The rate over that of the baseline in the same round; undefined without one. */
  readonly ratio: Spread | undefined;
  /** The median of the rounds' median latencies, in milliseconds. */
  readonly p50: number;
  /** The median of the rounds' 99th percentiles, in milliseconds. */
  readonly p99: number;
  /** Failed requests of all rounds. */
  readonly errors: number;
}

/** The cells of one server. */
export interface Row extends ServerInfo {
  /** By case; a case that was not measured is missing. */
  readonly cells: { readonly [C in CaseName]?: Cell };
}

/** Sums up samples, one row per server. */
export function summarize(
  servers: readonly ServerInfo[],
  samples: readonly Sample[],
): Row[] {
  return servers.map((server) => {
    const cells: { [C in CaseName]?: Cell } = {};
    for (const { name, baseline } of CASES) {
      const own = find(samples, server.name, name);
      if (own.length === 0) continue;
      const base = new Map(
        find(samples, baseline.server, baseline.case)
          .map(({ round, rate }) => [round, rate]),
      );
      const ratios = own.map(({ round, rate }) => rate / (base.get(round) ?? 0))
        .filter(Number.isFinite);
      cells[name] = {
        rate: spreadOf(own.map(({ rate }) => rate)),
        ratio: ratios.length === 0 ? undefined : spreadOf(ratios),
        p50: median(own.map(({ p50 }) => p50)),
        p99: median(own.map(({ p99 }) => p99)),
        errors: own.reduce((sum, { errors }) => sum + errors, 0),
      };
    }
    return { ...server, cells };
  });
}

function find(
  samples: readonly Sample[],
  server: string,
  name: CaseName,
): Sample[] {
  return samples.filter((sample) =>
    sample.server === server && sample.case === name
  );
}

/** Whether something came out as it was to. */
export interface Verdict {
  /** What was to be. */
  readonly text: string;
  /** Whether it is so. */
  readonly met: boolean;
}

/** Says which targets were met, and which servers ours is ahead of. */
export function judge(rows: readonly Row[]): Verdict[] {
  const ours = rows.find(({ name }) => name === OURS);
  if (ours === undefined) return [];
  const verdicts: Verdict[] = [];
  for (const { name, baseline } of CASES) {
    const ratio = ours.cells[name]?.ratio;
    if (ratio === undefined) continue;
    const target = TARGETS[name];
    verdicts.push({
      text: `${name}: ${ratio.median.toFixed(2)} × ${baseline.server}${
        baseline.case === name ? "" : `'s ${baseline.case}`
      }, want ${target} or more`,
      met: ratio.median >= target,
    });
  }
  for (const { name } of CASES) {
    const own = ours.cells[name]?.rate.median;
    if (own === undefined) continue;
    for (const row of rows) {
      const other = row.cells[name]?.rate.median;
      if (other === undefined || isMeasure(row)) continue;
      // who keeps sessions elsewhere competes on reads alone
      if (row.store !== "KV" && name !== "read") continue;
      verdicts.push({
        text: `${name}: ${(own / other).toFixed(2)} × ${row.name}, in ${
          row.store === "cookie" ? "the cookie" : row.store
        }, want more than 1`,
        met: own > other,
      });
    }
  }
  return verdicts;
}

/** What ours is measured against by a target, or is a form of it. */
function isMeasure({ name, store }: Row): boolean {
  return name.startsWith(OURS) || name === "by hand" || store === "none";
}
