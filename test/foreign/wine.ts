/**
 * `bun run check:wine`: runs the end-to-end tests on the executable for Windows, by Wine on Linux. Bun
 * for Windows runs them in Wine as well, so that the tests for Windows are run. Wine is not Windows: a
 * pass is no proof, and a failure may be Wine's fault. Needs root, see wine-folder.ts.
 */
import { artefact, giveUp, PROJECT, requirePackages, runSuite } from "./suite.ts";
import { installsInWine } from "./wine-install.ts";
import { inWine, WINE_BUN, WINE_PROJECT, wineFolder } from "./wine-folder.ts";

requirePackages([
  ["debootstrap", "debootstrap"],
  ["unshare", "util-linux"],
  ["chroot", "coreutils"],
]);
if (process.getuid!() !== 0)
  giveUp("only root may make and enter a folder with Debian", "use sudo");
artefact("dynip-windows-x64.exe");
const folder = await wineFolder();

const isGood = await runSuite({
  bun: inWine(folder, PROJECT, ["wine", WINE_BUN]),
  env: {
    ...process.env,
    DYNIP_BINARY: `${WINE_PROJECT}\\dist\\dynip-windows-x64.exe`,
    DYNIP_TEST_PATIENCE: "3",
  },
  leftOut: [
    {
      name: "an address that the system does not send to is exit code 5",
      count: 1,
      why: "Wine lets a broadcast out, which Windows refuses to who has not asked for it",
    },
    {
      name: "a server that is not there yet",
      count: 2,
      why: "Wine gives up a connected socket at an ICMP error: SIO_UDP_CONNRESET does nothing in it",
    },
    {
      name: "answers nothing that the disk refuses",
      count: 1,
      why: "Wine opens a folder as a file, so that the error is another",
    },
  ],
  skipsBecause: "Windows has no signals, no file modes and no Unix shell; or their names say why",
  report: { path: `${folder}/report.xml`, there: "Z:\\report.xml" },
  retries: 1,
  minutes: 15,
});
process.exit((await installsInWine(folder)) && isGood ? 0 : 1);
