/**
 * The style sheet of the demo.
 *
 * @module
 */

/** Calm, one accent, light and dark, from a phone upwards. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #f4f3ef;
  --card: #ffffff;
  --line: #e2e0d9;
  --control: #84827a;
  --text: #1d1f1e;
  --muted: #5d605c;
  --accent: #0f6b60;
  --accent-strong: #0a5249;
  --on-accent: #ffffff;
  --tint: #e4f1ee;
  --danger: #a8321f;
  --shadow: 0 1px 2px rgb(29 31 30 / 5%), 0 8px 24px rgb(29 31 30 / 5%);
  --radius: 14px;
}

@media (prefers-color-scheme: dark) {
  :root {
    --page: #121615;
    --card: #1b201f;
    --line: #2e3533;
    --control: #75807c;
    --text: #eceeec;
    --muted: #a3aba7;
    --accent: #6fd6c4;
    --accent-strong: #98e6d8;
    --on-accent: #06211d;
    --tint: #1a302c;
    --danger: #ff9c87;
    --shadow: none;
  }
}

*, *::before, *::after { box-sizing: border-box; }

html { scroll-padding-top: 6.5rem; }

body {
  margin: 0 auto;
  max-width: 64rem;
  padding: 1.25rem clamp(1rem, 4vw, 2rem) 3rem;
  background: var(--page);
  color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  -webkit-text-size-adjust: 100%;
}

h1, h2, h3, p, ul, dl, dd { margin: 0; padding: 0; }
h1 { font-size: clamp(1.9rem, 6vw, 2.75rem); line-height: 1.1; letter-spacing: -0.025em; text-wrap: balance; overflow-wrap: anywhere; }
h2 { font-size: 1.125rem; line-height: 1.3; letter-spacing: -0.01em; }
h3 { font-size: 0.875rem; font-weight: 600; color: var(--muted); }
small { display: block; font-size: 0.8125rem; color: var(--muted); }
code { font: 0.9em/1.4 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }

.top { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: center; gap: 0.25rem 1rem; }
.brand { display: flex; align-items: center; gap: 0.6rem; font-weight: 650; letter-spacing: -0.01em; }
.tagline { color: var(--muted); font-size: 0.875rem; }

.notices { position: sticky; top: 0.75rem; z-index: 1; }
.notices > :not(:empty) { display: grid; gap: 0.5rem; margin-top: 1.25rem; }
.notice {
  padding: 0.7rem 1rem;
  border: 1px solid color-mix(in srgb, var(--accent) 35%, var(--card));
  border-radius: var(--radius);
  background: var(--tint);
  box-shadow: var(--shadow);
  overflow-wrap: anywhere;
}
[role=alert] .notice { border-color: var(--danger); background: var(--card); }
.notice a { color: var(--accent); font-weight: 600; margin-left: 0.25rem; }

main { transition: opacity 0.2s; }
main[inert] { opacity: 0.45; }

.hero { padding: clamp(2rem, 6vw, 3.5rem) 0 clamp(1.5rem, 5vw, 2.5rem); display: grid; gap: 0.6rem; }
.hero p { color: var(--muted); font-size: 1.0625rem; }
#visits { color: var(--accent); font-size: 1.25em; font-variant-numeric: tabular-nums; font-weight: 700; }

.columns { display: grid; gap: 1.25rem; align-items: start; }
.card {
  display: grid;
  gap: 1rem;
  align-content: start;
  min-width: 0;
  padding: clamp(1.1rem, 3vw, 1.6rem);
  border: 1px solid var(--line);
  border-radius: var(--radius);
  background: var(--card);
  box-shadow: var(--shadow);
}

@media (min-width: 52rem) {
  .columns { grid-template-columns: 1fr 1fr; grid-template-rows: auto 1fr; }
  .card:nth-child(2) { grid-column: 2; grid-row: 1 / span 2; }
}

.facts { display: grid; gap: 0.7rem; }
.facts > div { display: grid; grid-template-columns: 4rem minmax(0, 1fr); align-items: baseline; }
dt { color: var(--muted); font-size: 0.875rem; }
dd { overflow-wrap: anywhere; }
.hint { color: var(--muted); font-size: 0.875rem; }
.empty { padding: 1.25rem; border: 1px dashed var(--line); border-radius: 10px; color: var(--muted); text-align: center; }

.actions { display: flex; flex-wrap: wrap; gap: 0.6rem; }

button, input {
  min-height: 2.75rem;
  border: 1px solid var(--control);
  border-radius: 10px;
  background: var(--card);
  color: inherit;
  font: inherit;
}
button { padding: 0.35rem 0.95rem; font-weight: 500; cursor: pointer; transition: background 0.12s, border-color 0.12s, color 0.12s; }
button:hover { border-color: var(--accent); color: var(--accent); background: var(--tint); }
.primary { border-color: var(--accent); background: var(--accent); color: var(--on-accent); }
.primary:hover { border-color: var(--accent-strong); background: var(--accent-strong); color: var(--on-accent); }
.danger { color: var(--danger); }
.danger:hover { border-color: var(--danger); color: var(--danger); background: transparent; }
.quiet { border-color: transparent; background: transparent; color: var(--muted); padding-inline: 0.6rem; margin-right: -0.6rem; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }

.lines { list-style: none; display: grid; }
.lines li { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: center; gap: 0.4rem 1rem; padding: 0.7rem 0; border-bottom: 1px solid var(--line); }
.lines li:first-child { padding-top: 0; }
#devices ~ .lines li:last-child { padding-bottom: 0; border-bottom: 0; }
.name { font-weight: 600; overflow-wrap: anywhere; }
.name small { font-weight: 400; }
.stepper { display: flex; align-items: center; gap: 0.15rem; }
.stepper button:not(.quiet) { min-width: 2.75rem; padding: 0; }
.stepper output { min-width: 2.25rem; text-align: center; font-variant-numeric: tabular-nums; }
.total { display: flex; justify-content: space-between; font-size: 1.0625rem; font-variant-numeric: tabular-nums; }
.shelf { display: grid; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); gap: 0.6rem; }
.shelf button { display: flex; justify-content: space-between; align-items: center; gap: 0.5rem; }
.price { color: var(--muted); font-size: 0.8125rem; font-weight: 400; font-variant-numeric: tabular-nums; }

.sign-in { display: grid; gap: 0.35rem; }
.sign-in label { font-size: 0.875rem; font-weight: 600; }
.field { display: flex; gap: 0.6rem; }
.field input { flex: 1; min-width: 0; padding: 0.35rem 0.8rem; }
.badge { padding: 0.15rem 0.65rem; border-radius: 99px; background: var(--tint); color: var(--accent); font-size: 0.8125rem; font-weight: 600; }

footer { margin-top: 2rem; color: var(--muted); font-size: 0.8125rem; text-align: center; }

@media (prefers-reduced-motion: reduce) {
  * { transition: none; }
}
`;
