/**
 * `bun run check:deb`: lintian's opinion of the Debian packages, and the one for x64 installed, upgraded,
 * removed and purged on Debian 12 and 13, booted by systemd and without it. Needs root.
 */
import { join } from "node:path";

import { packageName } from "../../.github/release/deb.ts";
import { artefact, giveUp, requirePackages } from "../foreign/suite.ts";
import { outputOf, runProcess } from "../processes.ts";
import { debian, runTests } from "../systemd/debian.ts";
import { temporaryFolder } from "../temporary.ts";

const RELEASES = ["bookworm", "trixie"];
const MINUTE_MS = 60_000;

requirePackages([
  ["dpkg-deb", "dpkg"],
  ["lintian", "lintian"],
]);
const executable = artefact("dynip-linux-x64");
const packages = (["linux-x64", "linux-arm64"] as const).map((target) =>
  artefact(packageName(target)!),
);
for (const path of packages) {
  const command = ["lintian", "--allow-root", "--fail-on=error,warning", path];
  const { exitCode, stdout, stderr } = await runProcess(command, { deadline: 5 * MINUTE_MS });
  if (exitCode !== 0) giveUp(`lintian refuses ${path}`, `${stdout}${stderr}`);
  console.log(`lintian finds neither an error nor a warning in ${path}`);
}
await using folder = await temporaryFolder();
const older = await makeOlder(packages[0]!);
for (const release of RELEASES) {
  console.log(`Debian ${release}`);
  const exitCode = await runTests("test/debian", await debian(release), {
    DYNIP_BINARY: executable,
    DYNIP_DEB: packages[0]!,
    DYNIP_OLDER_DEB: older,
  });
  if (exitCode === 0) continue;
  process.exitCode = exitCode; // process.exit would leave the temporary folder
  break;
}

/** The same package under an older version, to upgrade from. */
async function makeOlder(path: string): Promise<string> {
  const options = { deadline: MINUTE_MS };
  const root = folder.file("older");
  await outputOf(["dpkg-deb", "--raw-extract", path, root], options);
  const control = Bun.file(join(root, "DEBIAN/control"));
  await control.write((await control.text()).replace(/^Version: .*$/m, "Version: 0.0.1"));
  const result = folder.file("older.deb");
  await outputOf(
    ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", root, result],
    options,
  );
  return result;
}
