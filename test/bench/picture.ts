/**
 * The report as an SVG picture: the distance of each result from its bar, and the cost of a ping by
 * the number of hosts. Readable on light and dark backgrounds, and by a screen reader. Pure.
 */
import { type Bar, isMet, type MeasuredRow, type Row, timesBetter } from "./measure.ts";
import { summarise } from "./statistics.ts";
import { format } from "./table.ts";

/**
 * @param machine the description of the machine, a few lines
 * @returns the text of an SVG file
 */
export function picture(rows: readonly Row[], machine: string): string {
  const measured = rows.filter((row) => "result" in row);
  const barred = measured.filter(hasBar);
  const costs = measured.filter((row) => row.hosts !== undefined);
  const bars = drawBars(barred, TOP);
  const cost = drawCosts(costs, bars.bottom + 70);
  const lines = machine.split("\n");
  const bottom = cost.bottom + 56 + lines.length * 18;
  const missed = barred.filter((row) => !isMetBy(row));
  const summary = `${barred.length - missed.length} of ${barred.length} bars are met.`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom}" width="${WIDTH}" height="${bottom}" role="img" aria-labelledby="title desc">
<title id="title">dynip beside what could do the same</title>
<desc id="desc">${escape(`${summary} ${barred.map(describe).join(" ")}`)}</desc>
<style>${STYLE}</style>
<rect class="ground" width="${WIDTH}" height="${bottom}" rx="8"/>
<text class="head" x="${MARGIN}" y="36">dynip beside what could do the same: how far from the bar</text>
${bars.svg}
${cost.svg}
${lines.map((line, index) => `<text class="small" x="${MARGIN}" y="${cost.bottom + 56 + index * 18}">${escape(line)}</text>`).join("\n")}
</svg>
`;
}

type BarredRow = MeasuredRow & { readonly bar: Bar };

/** A bar of 0, such as "0 lost", has no place on a scale of ratios. */
function hasBar(row: MeasuredRow): row is BarredRow {
  return row.bar !== undefined && row.bar.value > 0;
}

const WIDTH = 960;
const MARGIN = 24;
const TOP = 60;
const PLOT = { left: 390, right: 690 };
const ROW_HEIGHT = 40;

const STYLE = `
text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#1f2328}
.head{font-size:16px;font-weight:600}.small{font-size:12px;fill:#59636e}
.ground{fill:#fff;stroke:#d1d9e0}.grid{stroke:#d1d9e0}.bar{stroke:#1f2328;stroke-width:2}
.met{stroke:#0969da;fill:#0969da}.missed{stroke:#bc4c00;fill:#fff}
.range{stroke-width:2}.line{stroke:#0969da;stroke-width:2;fill:none}text.missed{fill:#bc4c00;stroke:none}
circle{stroke-width:2}
@media (prefers-color-scheme:dark){text{fill:#f0f6fc}.small{fill:#9198a1}
.ground{fill:#0d1117;stroke:#3d444d}.grid{stroke:#3d444d}.bar{stroke:#f0f6fc}
.met{stroke:#4493f8;fill:#4493f8}.missed{stroke:#f0883e;fill:#0d1117}.line{stroke:#4493f8}
text.missed{fill:#f0883e}}
`;

interface Drawing {
  readonly svg: string;
  /** Where it ends. */
  readonly bottom: number;
}

/** A point per result on a scale of ratios, right of the line where its bar is met. */
function drawBars(rows: readonly BarredRow[], top: number): Drawing {
  const ofRows = rows.map(({ bar, result }) => {
    const { median, min, max } = summarise(result.samples);
    return [median, min, max].map((value) => timesBetter(bar, value)) as [number, number, number];
  });
  const within = ofRows.flat().filter((ratio) => ratio > 0 && Number.isFinite(ratio));
  const lowest = Math.floor(Math.log10(Math.min(0.5, ...within)));
  const highest = Math.ceil(Math.log10(Math.max(2, ...within)));
  const x = (ratio: number): number => {
    const share = (Math.log10(Math.max(ratio, 1e-9)) - lowest) / (highest - lowest);
    return round(PLOT.left + Math.min(1, Math.max(0, share)) * (PLOT.right - PLOT.left));
  };
  const bottom = top + 24 + rows.length * ROW_HEIGHT;
  const grid = Array.from({ length: highest - lowest + 1 }, (_, step) => {
    const at = x(10 ** (lowest + step));
    return `<line class="${lowest + step === 0 ? "bar" : "grid"}" x1="${at}" x2="${at}" y1="${top + 16}" y2="${bottom}"/>
<text class="small" x="${at}" y="${top + 10}" text-anchor="middle">${tick(lowest + step)}</text>`;
  });
  const points = rows.map((row, index) => {
    const y = top + 24 + (index + 0.5) * ROW_HEIGHT;
    const [median, min, max] = ofRows[index]!;
    const state = isMetBy(row) ? "met" : "missed";
    return `<text x="${MARGIN}" y="${y - 3}">${escape(row.what)}</text>
<text class="small" x="${MARGIN}" y="${y + 13}">${escape(row.reference ? `beside: ${row.reference.name}` : "")}</text>
<line class="range ${state}" x1="${x(min)}" x2="${x(max)}" y1="${y}" y2="${y}"/>
<circle class="${state}" cx="${x(median)}" cy="${y}" r="5"/>
<text${state === "met" ? "" : ' class="missed"'} x="${PLOT.right + 18}" y="${y + 4}">${escape(figure(row))}</text>`;
  });
  const directions = `<text class="small" x="${x(1) - 10}" y="${bottom + 18}" text-anchor="end">← worse</text>
<text class="small" x="${x(1) + 10}" y="${bottom + 18}">better →</text>`;
  return { svg: [...grid, ...points, directions].join("\n"), bottom: bottom + 18 };
}

/** A power of ten on the scale: `1/10`, `10 x`. */
function tick(power: number): string {
  if (power === 0) return "the bar";
  const times = (10 ** Math.abs(power)).toLocaleString("en");
  return power > 0 ? `${times} x` : `1/${times}`;
}

/** The cost of a ping, from 0 up, over the number of hosts on a logarithmic scale. */
function drawCosts(rows: readonly MeasuredRow[], top: number): Drawing {
  const height = 180;
  const bottom = top + 30 + height;
  const left = MARGIN + 56;
  const right = WIDTH - MARGIN;
  const costs = rows.map(({ hosts, dynip }) => ({ hosts: hosts!, ...summarise(dynip.samples) }));
  const highest = niceCeiling(Math.max(...costs.map(({ max }) => max), 0));
  const most = Math.log10(Math.max(10, ...costs.map(({ hosts }) => hosts)));
  const x = (hosts: number): number =>
    round(left + 50 + (Math.log10(hosts) / most) * (right - left - 110));
  const y = (cost: number): number => round(bottom - (cost / highest) * height);
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const at = y(share * highest);
    return `<line class="grid" x1="${left}" x2="${right}" y1="${at}" y2="${at}"/>
<text class="small" x="${left - 8}" y="${at + 4}" text-anchor="end">${format(share * highest, "µs")}</text>`;
  });
  const points = costs.map(
    ({ hosts, median, min, max }) =>
      `<line class="range met" x1="${x(hosts)}" x2="${x(hosts)}" y1="${y(min)}" y2="${y(max)}"/>
<circle class="met" cx="${x(hosts)}" cy="${y(median)}" r="5"/>
<text x="${x(hosts)}" y="${y(max) - 10}" text-anchor="middle">${format(median, "µs")}</text>
<text class="small" x="${x(hosts)}" y="${bottom + 20}" text-anchor="middle">${hosts.toLocaleString("en")} host${hosts === 1 ? "" : "s"}</text>`,
  );
  const line = costs.map(({ hosts, median }) => `${x(hosts)},${y(median)}`).join(" ");
  return {
    svg: `<text class="head" x="${MARGIN}" y="${top}">What a plain ping costs the server, the more hosts it knows</text>
${grid.join("\n")}
<polyline class="line" points="${line}"/>
${points.join("\n")}`,
    bottom,
  };
}

function describe(row: BarredRow): string {
  const beside = row.reference ? ` (beside: ${row.reference.name})` : "";
  return `${row.what}${beside}: ${figure(row)}${isMetBy(row) ? ", met" : ""}.`;
}

/** `0.85 x, bar ≥ 0.7 x`, and whether it is missed. */
function figure(row: BarredRow): string {
  const { result, bar } = row;
  const { median } = summarise(result.samples);
  const sign = bar.at === "least" ? "≥" : "≤";
  const text = `${format(median, result.unit)}, bar ${sign} ${format(bar.value, result.unit)}`;
  return isMetBy(row) ? text : `${text}, MISSED`;
}

function isMetBy({ bar, result }: BarredRow): boolean {
  return isMet(bar, summarise(result.samples).median);
}

/** 1, 2 or 5 times a power of ten, at least as large. */
function niceCeiling(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= value)!;
}

function round(coordinate: number): number {
  return Math.round(coordinate * 10) / 10;
}

function escape(text: string): string {
  return Bun.escapeHTML(text);
}
