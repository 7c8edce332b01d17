/**
 * The chart of a load run: an SVG with a panel per case and a bar per server.
 *
 * @module
 */

import { BARE, CASES, OURS } from "./_cases.ts";
import type { Row } from "./_summary.ts";
import { formatInteger, formatRatio } from "./_table.ts";

const WIDTH = 880;
const MARGIN = 16;
const GAP = 32;
const PANEL_WIDTH = (WIDTH - 2 * MARGIN - GAP) / 2;
const LABEL_WIDTH = 170;
const VALUE_WIDTH = 104;
const BAR_WIDTH = PANEL_WIDTH - LABEL_WIDTH - VALUE_WIDTH;
const ROW_HEIGHT = 22;
const BAR_HEIGHT = 14;
const HEAD_HEIGHT = 44;

/** Colours that are legible on white and on black. */
const STYLE = `
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 14px }
.note { fill: #57606a; font-size: 11px }
.bar { fill: #8c959f }
.ours { fill: #1a7f37 }
.one { stroke: #57606a; stroke-dasharray: 2 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .note { fill: #9da7b3 }
  .bar { fill: #6e7681 }
  .ours { fill: #3fb950 }
  .one { stroke: #9da7b3 }
}`;

/** A bar. */
interface Bar {
  readonly label: string;
  /** Where the sessions are; empty for KV. */
  readonly store: string;
  readonly ratio: number;
  readonly rate: number;
}

/** The bars of a case. */
interface Panel {
  readonly title: string;
  readonly note: string;
  readonly bars: readonly Bar[];
}

/**
 * Draws the chart of a load run.
 *
 * A server without sessions is left out where it would dwarf the rest: it is a
 * measure for the cases that are compared with it.
 *
 * @param rows What the run came to.
 * @returns The SVG.
 */
export function renderChart(rows: readonly Row[]): string {
  const panels = panelsOf(rows);
  const parts: string[] = [];
  let top = MARGIN;
  for (let first = 0; first < panels.length; first += 2) {
    const pair = panels.slice(first, first + 2);
    pair.forEach((panel, column) => {
      const left = MARGIN + column * (PANEL_WIDTH + GAP);
      parts.push(renderPanel(panel, left, top));
    });
    const most = Math.max(...pair.map(({ bars }) => bars.length));
    top += HEAD_HEIGHT + most * ROW_HEIGHT + MARGIN;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" width="${WIDTH}" height="${top}" role="img" aria-label="Requests per second, by case and library">
<style>${STYLE}
</style>
${parts.join("\n")}
</svg>
`;
}

function panelsOf(rows: readonly Row[]): Panel[] {
  const panels: Panel[] = [];
  for (const { name, title, baseline } of CASES) {
    const bars: Bar[] = [];
    for (const row of rows) {
      const cell = row.cells[name];
      if (cell?.ratio === undefined || cell.errors > 0) continue;
      if (row.name === BARE && baseline.server !== BARE) continue;
      bars.push({
        label: row.name,
        store: storeNote(row),
        ratio: cell.ratio.median,
        rate: cell.rate.median,
      });
    }
    if (bars.length === 0) continue;
    bars.sort((a, b) => b.ratio - a.ratio);
    const than = baseline.case === name ? "" : `, ${baseline.case}`;
    panels.push({ title, note: `1 × = ${baseline.server}${than}`, bars });
  }
  return panels;
}

/** Says where sessions are if it is not KV, unless the name does. */
function storeNote({ name, store }: Row): string {
  return store === "none" || store === "KV" || name.includes(store)
    ? ""
    : store;
}

function renderPanel(panel: Panel, left: number, top: number): string {
  const greatest = Math.max(1, ...panel.bars.map(({ ratio }) => ratio));
  const scale = BAR_WIDTH / greatest;
  const start = left + LABEL_WIDTH;
  const lines = [
    `<text class="title" x="${left}" y="${top + 14}">${
      escape(panel.title)
    }</text>`,
    `<text class="note" x="${left}" y="${top + 30}">${
      escape(panel.note)
    }</text>`,
  ];
  panel.bars.forEach(({ label, store, ratio, rate }, index) => {
    const y = top + HEAD_HEIGHT + index * ROW_HEIGHT;
    const width = Math.max(1, ratio * scale);
    const middle = y + BAR_HEIGHT - 3;
    const ours = label.startsWith(OURS) ? "bar ours" : "bar";
    lines.push(
      `<text x="${start - 8}" y="${middle}" text-anchor="end">${escape(label)}${
        store === "" ? "" : ` <tspan class="note">${store}</tspan>`
      }</text>`,
      `<rect class="${ours}" x="${start}" y="${y}" width="${
        width.toFixed(1)
      }" height="${BAR_HEIGHT}" rx="2"/>`,
      `<text x="${start + BAR_WIDTH + 8}" y="${middle}">${
        formatRatio(ratio)
      } × <tspan class="note">${formatInteger(rate)}/s</tspan></text>`,
    );
  });
  const one = (start + scale).toFixed(1);
  const bottom = top + HEAD_HEIGHT + panel.bars.length * ROW_HEIGHT - 6;
  lines.push(
    `<line class="one" x1="${one}" x2="${one}" y1="${
      top + HEAD_HEIGHT - 4
    }" y2="${bottom}"/>`,
  );
  return lines.join("\n");
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
