/** The report of a bench: its table and its picture. */
import { describe, expect, test } from "bun:test";

import type { Bar, MeasuredRow, Row } from "./measure.ts";
import { picture } from "./picture.ts";
import { format, table } from "./table.ts";

/** A row with these ratios as its result. */
function row(what: string, samples: number[], bar?: Bar): MeasuredRow {
  return {
    what,
    dynip: { name: "dynip", unit: "ms", samples: samples.map((sample) => sample * 2) },
    reference: { name: "another", unit: "ms", samples: samples.map(() => 2) },
    result: { unit: "times", samples },
    ...(bar ? { bar } : {}),
  };
}

function cellsOf(text: string, what: string): string[] {
  const line = text.split("\n").find((line) => line.startsWith(`| ${what} `))!;
  return line.split("|").map((cell) => cell.trim());
}

describe("the table", () => {
  test.each([
    ["met", "at least as much as it must be", [0.7], { at: "least", value: 0.7 }],
    ["MISSED", "less than it must be", [0.69], { at: "least", value: 0.7 }],
    ["met", "as much as it may be", [1.5], { at: "most", value: 1.5 }],
    ["MISSED", "more than it may be", [1.51], { at: "most", value: 1.5 }],
    ["met", "more than it may be, once in three", [1.4, 1.4, 9], { at: "most", value: 1.5 }],
  ] as const)("says %s of what is %s", (verdict, what, samples, bar) => {
    expect(cellsOf(table([row(what, [...samples], bar)]), what).at(-2)).toBe(verdict);
  });

  test("has the median and the range of the result, and both sides", () => {
    const cells = cellsOf(table([row("a", [3, 1, 2], { at: "most", value: 5 })]), "a");
    expect(cells).toEqual([
      "",
      "a",
      "4 ms",
      "2 ms: another",
      "2 x (1 x to 3 x)",
      "at most 5 x",
      "met",
      "",
    ]);
  });

  test("shows what was skipped, and why", () => {
    const rows: Row[] = [{ what: "a", skipped: "there is no named" }];
    expect(cellsOf(table(rows), "a").slice(2, 4)).toEqual(["skipped", "there is no named"]);
  });

  test.each([
    [123_456.7, "/s", "123,000/s"],
    [0.85449, "times", "0.854 x"],
    [1234.5, "ms", "1,235 ms"],
    [2.6312, "MB", "2.63 MB"],
  ] as const)("writes %p %s as %s", (value, unit, expected) => {
    expect(format(value, unit)).toBe(expected);
  });
});

describe("the picture", () => {
  const rows: Row[] = [
    row("met & <good>", [2], { at: "least", value: 1 }),
    row("missed", [2], { at: "most", value: 1 }),
    row("nothing lost", [0], { at: "most", value: 0 }),
    row("without a bar", [1]),
    { what: "left out", skipped: "there is no named" },
    ...[1, 1000, 1_000_000].map((hosts) => ({ ...row("cost", [1, 2]), hosts })),
  ];
  const svg = picture(rows, "a machine, ext4");

  test("is well-formed", () => {
    const open: string[] = [];
    for (const [, end, name, empty] of svg.matchAll(/<(\/?)([a-z]+)[^<>]*?(\/?)>/g)) {
      if (end) expect(open.pop()).toBe(name!);
      else if (!empty) open.push(name!);
    }
    expect(open).toEqual([]);
    expect(svg).not.toMatch(/NaN|Infinity|undefined|&(?!amp;|lt;|gt;|quot;|#)/);
  });

  test("says in words what it shows", () => {
    expect(svg).toContain("1 of 2 bars are met.");
    expect(svg).toContain("met &amp; &lt;good&gt; (beside: another): 2 x, bar ≥ 1 x, met.");
    expect(svg).toContain("missed (beside: another): 2 x, bar ≤ 1 x, MISSED.");
    expect(svg).toContain("a machine, ext4");
  });

  test("has what is met right of the bar, and what is missed left of it", () => {
    const bar = Number(/class="bar" x1="([\d.]+)"/.exec(svg)![1]);
    const [met, missed] = [...svg.matchAll(/<circle class="(?:met|missed)" cx="([\d.]+)"/g)];
    expect(Number(met![1])).toBeGreaterThan(bar);
    expect(Number(missed![1])).toBeLessThan(bar);
  });

  test("can be read on dark ground", () => {
    expect(svg).toContain("prefers-color-scheme:dark");
  });

  test("is drawn of nothing as well", () => {
    expect(picture([], "")).not.toMatch(/NaN|Infinity|undefined/);
  });
});
