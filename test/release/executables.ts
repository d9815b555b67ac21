/** A minimal executable for each target, made by clang and lld (`executables.json`). */
import { gunzipSync } from "node:zlib";

import type { Target } from "../../.github/release/targets.ts";
import { executables } from "./executables.json";

export function smallest(target: Target): Buffer {
  return gunzipSync(Buffer.from(executables[target], "base64"));
}
