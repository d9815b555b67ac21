import { expect, test } from "bun:test";
import { join } from "node:path";

import { parseWithPython, PYTHON, WITHOUT_PYTHON } from "../python.ts";
import { demoOutput } from "./demo-output.ts";
import { drawTerminal } from "./draw.ts";

const PICTURE = join(import.meta.dir, "..", "..", ".github", "demo.svg");

test.skipIf(process.platform === "win32")(
  'the picture is what the demo shows, but for times and counters ("bun run picture" draws it)',
  async () => {
    const picture = await Bun.file(PICTURE).text();
    const title = /<title>(.*)<\/title>/.exec(picture)![1]!;
    // On a busy machine the client may send twice, and the server counts both.
    const lasting = (svg: string) =>
      svg.replace(/stopped: [^<]*/, "stopped:").replace(/[0-9a-f]/g, "0");
    expect(lasting(picture)).toBe(lasting(drawTerminal(await demoOutput(), title)));
  },
  60_000,
);

test.skipIf(!PYTHON)(
  `everything printed is in it as text, unchanged${WITHOUT_PYTHON}`,
  async () => {
    const output = `\n$ echo "<&>"\n  # says\n  <&> 'é'\n\n$ long\n  # a line\n  ${"x".repeat(200)}\n`;
    const code =
      "from xml.etree import ElementTree\n" +
      "root = ElementTree.fromstring(sys.stdin.read())\n" +
      'value = ["".join(e.itertext()) for e in root.iter() if e.tag.endswith("}text")]';
    const lines = (await parseWithPython(code, drawTerminal(output, "a title"))) as string[];
    expect(lines.slice(0, 3)).toEqual(['$ echo "<&>"  # says', "<&> 'é'", "$ long  # a line"]);
    expect(lines.slice(3).join("")).toBe("x".repeat(200));
    expect(Math.max(...lines.map((line) => line.length))).toBe(92);
  },
);
