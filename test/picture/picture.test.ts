import { expect, setDefaultTimeout, test } from "bun:test";

import { parseWithPython, PYTHON, WITHOUT_PYTHON } from "../python.ts";
import { demoOutput } from "./demo-output.ts";
import { drawDemo, PICTURE } from "./demo-picture.ts";
import { drawTerminals } from "./draw.ts";
import { digestIn, digestOf, PAGE_PICTURES, picturedPage } from "./page-picture.ts";
import { TEST_MS } from "../waiting.ts";

setDefaultTimeout(TEST_MS);

// The demo's story needs the addresses 127.0.0.2 and 127.0.0.3, and paths with slashes.
test.skipIf(process.platform !== "linux")(
  'the picture is what the demo shows, but for times and counters ("bun run picture" draws it)',
  async () => {
    const lasting = (svg: string) => svg.replace(/[0-9a-f]/g, "0");
    expect(lasting(await Bun.file(PICTURE).text())).toBe(lasting(drawDemo(await demoOutput())));
  },
  60_000,
);

test("no time in the picture is broken", async () => {
  const picture = await Bun.file(PICTURE).text();
  const lines = picture.match(/<text .*<\/text>/g)!.map((line) => line.replace(/<[^>]*>/g, ""));
  const year = /^\d{4}/.exec(lines.find((line) => /^\d{4}-/.test(line))!)![0];
  const dates = lines.flatMap((line) => line.split(`${year}-`).slice(1));
  expect(dates.length).toBeGreaterThan(3);
  for (const rest of dates) expect(rest).toMatch(/^\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/);
});

test.skipIf(!PYTHON)(
  `everything printed is in it as text, unchanged, in the terminal of its machine${WITHOUT_PYTHON}`,
  async () => {
    const long = "x".repeat(200);
    const words = `{${'"name":"value",'.repeat(12)}}`;
    const output = [
      '\na | $ echo "<&>"  # says',
      "a | <&> 'é'",
      "b | # later",
      "b | $ long",
      `b | ${long}`,
      `b | ${words}`,
    ].join("\n");
    const code =
      "from xml.etree import ElementTree\n" +
      "root = ElementTree.fromstring(sys.stdin.read())\n" +
      'value = ["".join(e.itertext()) for e in root.iter() if e.tag.endswith("}text")]';
    const svg = drawTerminals(output, { b: "B", a: "A" }, "a title");
    const lines = (await parseWithPython(code, svg)) as string[];
    expect(lines.slice(0, 3)).toEqual(["B", "# later", "$ long"]);
    expect(lines.slice(-3)).toEqual(["A", '$ echo "<&>"  # says', "<&> 'é'"]);
    const broken = lines.slice(3, -3);
    expect(broken.join("")).toBe(long + words);
    expect(Math.max(...broken.map((line) => line.length))).toBe(92);
    for (const line of broken.slice(3, -1)) expect(line).toEndWith(",");
  },
);

test.each(Object.entries(PAGE_PICTURES))(
  'the %s picture of the page is of the page as it is ("bun run picture" draws it)',
  async (_, file) => {
    expect(digestIn(await Bun.file(file).bytes())).toBe(digestOf(picturedPage()));
  },
);
