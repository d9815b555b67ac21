/** `bun run picture`: runs the demo and draws its output as `.github/demo.svg`. */
import { join } from "node:path";

import { demoOutput } from "./demo-output.ts";
import { drawTerminal } from "./draw.ts";

const PATH = join(import.meta.dir, "..", "..", ".github", "demo.svg");

await Bun.write(PATH, drawTerminal(await demoOutput(), "dynip init, dynip serve, dynip ping"));
console.log("drew .github/demo.svg");
