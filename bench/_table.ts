/**
 * Tables in Markdown, aligned so that they can be read in a terminal too.
 *
 * @module
 */

import { CASES } from "./_cases.ts";
import { relativeSpread } from "./_statistics.ts";
import type { Cell, Row } from "./_summary.ts";

/**
 * Draws a table.
 *
 * @param head The heads of the columns.
 * @param rows The rows; all but their first cells are aligned to the right.
 * @returns The lines, each with a line feed.
 */
export function renderTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const widths = head.map((text, column) =>
    Math.max(3, text.length, ...rows.map((row) => (row[column] ?? "").length))
  );
  const line = (cells: readonly string[]) =>
    `| ${
      widths.map((width, column) => {
        const cell = cells[column] ?? "";
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      }).join(" | ")
    } |\n`;
  const rule = widths.map((width, column) =>
    column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`
  );
  return line(head) + line(rule) + rows.map(line).join("");
}

/** Draws the table of a load run: a row per server, a column per case. */
export function renderResults(rows: readonly Row[]): string {
  const cases = CASES.filter(({ name }) =>
    rows.some(({ cells }) => cells[name] !== undefined)
  );
  return renderTable(
    ["server", "sessions in", ...cases.map(({ name }) => name)],
    rows.map((row) => [
      row.name,
      row.store,
      ...cases.map(({ name }) => renderCell(row.cells[name])),
    ]),
  );
}

/** `1.31 × ±4 % (12,345/s)`. */
function renderCell(cell: Cell | undefined): string {
  if (cell === undefined) return "";
  const { rate, ratio, errors } = cell;
  if (errors > 0) return `${errors} errors`;
  const rounded = `${formatInteger(rate.median)}/s`;
  if (ratio === undefined) return rounded;
  if (ratio.low === ratio.high) {
    return `${formatRatio(ratio.median)} × (${rounded})`;
  }
  const spread = Math.round(relativeSpread(ratio) * 100);
  return `${formatRatio(ratio.median)} × ±${spread} % (${rounded})`;
}

/** Two digits after the point, fewer for what is large. */
export function formatRatio(ratio: number): string {
  return ratio >= 9.95 ? ratio.toFixed(0) : ratio.toFixed(2);
}

/** Groups the digits by three, whatever the locale. */
export function formatInteger(value: number): string {
  return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ",");
}
