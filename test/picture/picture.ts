/** `bun run picture`: runs the demo and draws its output as `.github/demo.svg`. */
import { demoOutput } from "./demo-output.ts";
import { drawDemo, PICTURE } from "./demo-picture.ts";

await Bun.write(PICTURE, drawDemo(await demoOutput()));
console.log("drew .github/demo.svg");
