/**
 * `bun .github/release/update-runtimes.ts`: writes `runtimes.json`. Run it after an update of Bun.
 * It downloads the runtime package of every target, about 400 MB; Bun compares each with `bun.lock`.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { installRuntime, lockedIntegrity, sha256 } from "./runtime.ts";
import { TARGETS } from "./targets.ts";

const folder = await mkdtemp(join(tmpdir(), "dynip-runtimes-"));
try {
  // Bun compares a package with bun.lock only when it downloads it, so the cache must be empty.
  const env = { ...process.env, BUN_INSTALL_CACHE_DIR: join(folder, "cache") };
  const runtimes: Record<string, { package: string; executable: string }> = {};
  for (const target of TARGETS) {
    const runtime = await installRuntime(target, join(folder, target), env);
    runtimes[target] = { package: lockedIntegrity(target), executable: await sha256(runtime) };
    console.log(`${target}  ${runtimes[target].executable}`);
  }
  const path = join(import.meta.dir, "runtimes.json");
  await Bun.write(path, `${JSON.stringify(runtimes, undefined, 2)}\n`);
} finally {
  await rm(folder, { recursive: true });
}
