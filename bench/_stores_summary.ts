/**
 * What the measurements of the stores come to, and its tables.
 *
 * @module
 */

import { PROCESSES, STORES_CASES, type StoresCase } from "./_stores_cases.ts";
import type { StoresSample } from "./_stores_run.ts";
import {
  median,
  relativeSpread,
  type Spread,
  spreadOf,
} from "./_statistics.ts";
import { formatInteger, renderTable } from "./_table.ts";

/** All rounds of one engine, number of processes and kind of request. */
export interface StoresCell {
  /** The engine. */
  readonly engine: string;
  /** How many processes there were. */
  readonly processes: number;
  /** The kind of request. */
  readonly what: StoresCase;
  /** Requests per second. */
  readonly rate: Spread;
  /** The medians of what half and 99 of 100 requests stayed below, in milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** What a request costs the engine, in microseconds of one core; 0 if not known. */
  readonly engineMicros: number;
  /** What it costs the app. */
  readonly appMicros: number;
  /** How many requests failed. */
  readonly errors: number;
}

/** Sums up. */
export function summarizeStores(
  samples: readonly StoresSample[],
  engines: readonly string[],
): StoresCell[] {
  const groups = Map.groupBy(
    engines.flatMap((name) => samples.filter(({ engine }) => engine === name)),
    ({ engine, processes, what }) => [engine, processes, what].join(),
  );
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { engine, processes, what } = first;
    const total = (of: (sample: StoresSample) => number) =>
      group.reduce((sum, sample) => sum + of(sample), 0);
    const done = total((sample) => sample.done);
    const micros = (seconds: number) => done === 0 ? 0 : seconds * 1e6 / done;
    return [{
      engine,
      processes,
      what,
      rate: spreadOf(group.map(({ rate }) => rate)),
      p50: median(group.map(({ p50 }) => p50)),
      p99: median(group.map(({ p99 }) => p99)),
      engineMicros: micros(total(({ engineCpu }) => engineCpu)),
      appMicros: micros(total(({ appCpu }) => appCpu)),
      errors: total(({ errors }) =>
        Object.values(errors).reduce((sum, n) => sum + n, 0)
      ),
    }];
  });
}

/** Draws the table of rates: `12,345 ±5 %`. */
export function renderRates(cells: readonly StoresCell[]): string {
  return renderCells("requests per second", cells, ({ rate, errors }) => {
    const spread = Math.round(relativeSpread(rate) * 100);
    const failed = errors === 0 ? "" : `, ${errors} failed`;
    return `${formatInteger(rate.median)} ±${spread} %${failed}`;
  });
}

/** Draws the table of how long requests take. */
export function renderLatencies(cells: readonly StoresCell[]): string {
  return renderCells(
    "ms, half / 99 of 100 below",
    cells,
    ({ p50, p99 }) => `${p50.toFixed(1)} / ${p99.toFixed(1)}`,
  );
}

/** Draws the table of what requests cost. */
export function renderCosts(cells: readonly StoresCell[]): string {
  return renderCells(
    "µs of a core, app + engine",
    cells,
    ({ appMicros, engineMicros }) =>
      appMicros === 0
        ? "not known"
        : engineMicros === 0
        ? String(Math.round(appMicros))
        : `${Math.round(appMicros)} + ${Math.round(engineMicros)}`,
  );
}

/** A row for each engine and number of processes, a column for each case. */
function renderCells(
  title: string,
  cells: readonly StoresCell[],
  render: (cell: StoresCell) => string,
): string {
  const engines = [...new Set(cells.map(({ engine }) => engine))];
  return renderTable(
    [title, "processes", ...STORES_CASES],
    engines.flatMap((engine) =>
      PROCESSES.map((processes) => [
        engine,
        String(processes),
        ...STORES_CASES.map((what) => {
          const cell = cells.find((cell) =>
            cell.engine === engine && cell.processes === processes &&
            cell.what === what
          );
          return cell === undefined ? "" : render(cell);
        }),
      ])
    ),
  );
}
