/** The README's picture: the demo in three terminals. */
import { join } from "node:path";

import { drawTerminals } from "./draw.ts";

export const PICTURE = join(import.meta.dir, "..", "..", ".github", "demo.svg");

/** Draws the output of the demo. */
export function drawDemo(output: string): string {
  const titles = {
    server: "the server, vps.example.com",
    nas: "nas, at home",
    laptop: "the laptop, far away",
  };
  return drawTerminals(output, titles, "dynip: a server records where nas is, and is asked for it");
}
