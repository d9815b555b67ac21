/** The smallest executables there are for every target, made by another program than ours. */
import { gunzipSync } from "node:zlib";

import type { Target } from "../../.github/release/targets.ts";
import { executables } from "./executables.json";

export function smallest(target: Target): Buffer {
  return gunzipSync(Buffer.from(executables[target], "base64"));
}
