import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { BARE, BY_HAND, type CaseName, OURS } from "../bench/_cases.ts";
import { renderChart } from "../bench/_chart.ts";
import { PROFILE } from "../bench/_data.ts";
import { type ByteSource, ResponseReader } from "../bench/_driver.ts";
import { growthOf } from "../bench/_soak.ts";
import { quantile, relativeSpread, spreadOf } from "../bench/_statistics.ts";
import {
  judge,
  type Sample,
  type ServerInfo,
  summarize,
} from "../bench/_summary.ts";
import {
  formatInteger,
  formatRatio,
  renderResults,
  renderTable,
} from "../bench/_table.ts";
import { cookieOf, forge } from "../bench/_visits.ts";

const SERVERS: ServerInfo[] = [
  { name: BARE, version: "1", store: "none" },
  { name: BY_HAND, version: "1", store: "KV" },
  { name: OURS, version: "1", store: "KV" },
  { name: "a & b", version: "1", store: "KV" },
];

function sample(
  server: string,
  name: CaseName,
  rates: number[],
  errors = 0,
): Sample[] {
  return rates.map((rate, round) => (
    { server, case: name, round, rate, p50: 1, p99: 2, errors }
  ));
}

/** Ours reads at 1.5, 2 and 3 times the speed of by hand, round by round. */
const SAMPLES: Sample[] = [
  ...sample(BARE, "read", [4_000, 4_000, 4_000]),
  ...sample(BY_HAND, "read", [1_000, 2_000, 1_000]),
  ...sample(OURS, "read", [2_000, 3_000, 3_000]),
  ...sample("a & b", "read", [4_000, 4_000, 4_000]),
  ...sample(BY_HAND, "write", [100]),
  ...sample(OURS, "hot", [500]),
];

Deno.test("quantile() interpolates between the nearest values", () => {
  assertEquals(quantile([30, 10, 20], 0.5), 20);
  assertEquals(quantile([40, 10, 30, 20], 0.5), 25);
  assertEquals(quantile([10, 20], 0.99), 19.9);
  assertEquals(quantile([10, 20, 30], 1), 30);
  assertEquals(quantile([7], 0.99), 7);
});

Deno.test("quantile() throws when there are no values", () => {
  assertThrows(() => quantile([], 0.5), RangeError, "received none");
});

Deno.test("spreadOf() gives the median and the range", () => {
  assertEquals(spreadOf([3, 1, 2]), { median: 2, low: 1, high: 3 });
});

Deno.test("relativeSpread() is half the range over the median", () => {
  assertEquals(relativeSpread({ median: 2, low: 1, high: 3 }), 0.5);
  assertEquals(relativeSpread({ median: 0, low: 0, high: 0 }), 0);
});

Deno.test("summarize() compares rates within each round", () => {
  const ours = summarize(SERVERS, SAMPLES)[2];

  assertEquals(ours?.cells.read?.rate.median, 3_000);
  assertEquals(ours?.cells.read?.ratio, { median: 2, low: 1.5, high: 3 });
});

Deno.test("summarize() compares a hot session with writes by hand", () => {
  const ours = summarize(SERVERS, SAMPLES)[2];

  assertEquals(ours?.cells.hot?.ratio?.median, 5);
});

Deno.test("summarize() gives no ratio when the baseline is missing", () => {
  const [row] = summarize(SERVERS.slice(2, 3), sample(OURS, "read", [1_000]));

  assertEquals(row?.cells.read?.ratio, undefined);
  assertEquals(row?.cells.read?.rate.median, 1_000);
  assertEquals(row?.cells.write, undefined);
});

Deno.test("summarize() adds up errors", () => {
  const samples = sample(OURS, "read", [1, 2], 3);

  assertEquals(summarize(SERVERS, samples)[2]?.cells.read?.errors, 6);
});

Deno.test("judge() says which targets are met, and who is ahead", () => {
  assertEquals(judge(summarize(SERVERS, SAMPLES)), [
    { text: "read: 2.00 × by hand, want 1.3 or more", met: true },
    { text: "hot: 5.00 × by hand's write, want 4 or more", met: true },
    { text: "read: 0.75 × a & b, in KV, want more than 1", met: false },
  ]);
});

Deno.test("judge() misses a target by a hair", () => {
  const samples = [
    ...sample(BY_HAND, "read", [1_000]),
    ...sample(OURS, "read", [1_299]),
  ];

  assertEquals(judge(summarize(SERVERS, samples)).map(({ met }) => met), [
    false,
  ]);
});

Deno.test("judge() compares with other kinds of stores on reads alone", () => {
  const memory: ServerInfo = { name: "fast", version: "1", store: "memory" };
  const samples = [
    ...sample(OURS, "read", [10]),
    ...sample(OURS, "write", [10]),
    ...sample("fast", "read", [20]),
    ...sample("fast", "write", [20]),
  ];

  assertEquals(judge(summarize([...SERVERS, memory], samples)), [
    { text: "read: 0.50 × fast, in memory, want more than 1", met: false },
  ]);
});

Deno.test("renderTable() aligns its columns", () => {
  assertEquals(
    renderTable(["name", "n"], [["a", "1"], ["longer", "1,000"]]),
    `| name   |     n |
| ------ | ----: |
| a      |     1 |
| longer | 1,000 |
`,
  );
});

Deno.test("renderResults() shows ratios with spread, and rates", () => {
  const table = renderResults(summarize(SERVERS, SAMPLES));

  assertEquals(
    table.split("\n")[0]?.split("|").map((cell) => cell.trim()),
    ["", "server", "sessions in", "read", "write", "hot", ""],
  );
  assert(table.includes("2.00 × ±38 % (3,000/s)"), table);
  assert(table.includes("5.00 × (500/s)"), table);
});

Deno.test("renderResults() shows errors in place of a rate", () => {
  const samples = sample(OURS, "read", [1_000], 3);

  const table = renderResults(summarize(SERVERS, samples));

  assert(table.includes("3 errors"), table);
  assert(!table.includes("1,000"), table);
});

Deno.test("formatRatio() and formatInteger() round", () => {
  assertEquals([1.005, 9.949, 9.95, 24.6].map(formatRatio), [
    "1.00",
    "9.95",
    "10",
    "25",
  ]);
  assertEquals([999.4, 1_000, 1_234_567].map(formatInteger), [
    "999",
    "1,000",
    "1,234,567",
  ]);
});

Deno.test("renderChart() draws a panel per case, the fastest first", () => {
  const svg = renderChart(summarize(SERVERS, SAMPLES));

  assertEquals(textsOf(svg, "title"), [
    "Read a session",
    "Write a session",
    "Count up in one session",
  ]);
  const labels = [...svg.matchAll(/text-anchor="end">([^<]*)</g)]
    .map(([, label]) => label);
  assertEquals(labels, ["a &amp; b", OURS, BY_HAND, BY_HAND, OURS]);
  assertEquals(svg.match(/class="bar ours"/g)?.length, 2);
});

Deno.test("renderChart() draws bars in proportion", () => {
  const samples = [
    ...sample(BY_HAND, "read", [1_000]),
    ...sample(OURS, "read", [2_000]),
  ];

  const svg = renderChart(summarize(SERVERS, samples));

  const [ours = 0, byHand = 0] = [
    ...svg.matchAll(/<rect [^>]*width="([^"]+)"/g),
  ]
    .map(([, width]) => Number(width));
  assertEquals(ours, byHand * 2);
});

Deno.test("renderChart() says where sessions are if not in KV", () => {
  const cookie: ServerInfo = { name: "sealed", version: "1", store: "cookie" };
  const samples = [
    ...sample(BY_HAND, "read", [1_000]),
    ...sample("sealed", "read", [2_000]),
  ];

  const svg = renderChart(summarize([...SERVERS, cookie], samples));

  assert(svg.includes('>sealed <tspan class="note">cookie</tspan>'), svg);
  assert(svg.includes(`>${BY_HAND}</text>`), svg);
});

Deno.test("renderChart() leaves out servers with errors", () => {
  const samples = [
    ...sample(BY_HAND, "read", [1_000]),
    ...sample(OURS, "read", [2_000], 1),
  ];

  assert(!renderChart(summarize(SERVERS, samples)).includes(OURS));
});

Deno.test("forge() alters characters that are no part of an escape, each time others", () => {
  const cookie = `session=s%3A${"a".repeat(20)}.bbbb%2Bbbbbbbbb%2B`;

  const all = Array.from(
    { length: 3_782 },
    (_, variant) => forge(cookie, variant),
  );

  assertEquals(forge(cookie), all[0]);
  assertEquals(new Set([cookie, ...all]).size, 3_783);
  for (const forged of all) {
    const changed = [...cookie].flatMap((character, index) =>
      forged[index] === character ? [] : [index]
    );
    assertEquals(forged.length, cookie.length);
    // the last character of a signature may have bits that count for nothing
    assert(changed.every((index) => index > 20 && index < cookie.length - 8));
    assert(changed.length === 1 || changed.length === 2);
    assertEquals(
      decodeURIComponent(forged).length,
      decodeURIComponent(cookie).length,
    );
  }
});

Deno.test("cookieOf() joins the cookies of a response", () => {
  const response = new Response();
  assertEquals(cookieOf(response), undefined);
  response.headers.append("set-cookie", "a=1; Path=/; HttpOnly");
  response.headers.append("set-cookie", "b=2");
  assertEquals(cookieOf(response), "a=1; b=2");
});

Deno.test("ResponseReader.read() reads responses that come in pieces", async () => {
  const reader = new ResponseReader(sourceOf(
    "HTTP/1.1 200 OK\r\nContent-",
    "Length: 5\r\n\r\nhel",
    "loHTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc",
    "\r\n0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
  ));

  assertEquals(await reader.read(), 200);
  assertEquals(await reader.read(), 404);
  assertEquals(await reader.read(), 204);
  await assertRejects(() => reader.read(), Error, "end of the connection");
});

Deno.test("growthOf() compares the last fifth with the second", () => {
  assertEquals(growthOf([50, 100, 100, 100, 110]), 0.10000000000000009);
  assertEquals(growthOf([90, 100, 100, 100, 100]), 0);
  assertEquals(growthOf([]), 0);
});

Deno.test("The sessions of the benchmarks have 500 bytes", () => {
  const size = JSON.stringify({ profile: PROFILE, count: 1 }).length;
  assertEquals(size, 500);
});

function textsOf(svg: string, kind: string): (string | undefined)[] {
  const pattern = new RegExp(`class="${kind}"[^>]*>([^<]*)<`, "g");
  return [...svg.matchAll(pattern)].map(([, text]) => text);
}

/** What is read piece by piece, as from a socket. */
function sourceOf(...pieces: string[]): ByteSource {
  return {
    read(buffer) {
      const piece = pieces.shift();
      return Promise.resolve(
        piece === undefined
          ? null
          : new TextEncoder().encodeInto(piece, buffer).written,
      );
    },
  };
}
