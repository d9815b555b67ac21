/**
 * `bun run picture`: runs the demo and draws its output as `.github/demo.svg`, and photographs the page
 * for `.github/page-phone.png` and `.github/page-phone-dark.png`, where there is a Chromium.
 */
import { CHROMIUM } from "../browser.ts";
import { demoOutput } from "./demo-output.ts";
import { drawDemo, PICTURE } from "./demo-picture.ts";
import { drawPage } from "./page-picture.ts";

await Bun.write(PICTURE, drawDemo(await demoOutput()));
console.log("drew .github/demo.svg");
if (CHROMIUM === undefined) {
  console.error("Cannot draw .github/page-phone.png and page-phone-dark.png: there is no Chromium");
  process.exitCode = 1;
} else {
  await drawPage();
  console.log("drew .github/page-phone.png and page-phone-dark.png");
}
