/**
 * `bun run check:arm64`: runs the end-to-end tests on the executable for Linux on ARM, by QEMU. That is
 * some twenty times slower, so that tests get more time, and those of speed are left out.
 */
import { artefact, NAMES_THE_EXECUTABLE, requirePackages, runWrapped } from "./suite.ts";

const LIBRARIES = "/usr/aarch64-linux-gnu";

const FLOOD = "emulated, the server is too slow for a flood of this machine";

requirePackages([
  ["qemu-aarch64-static", "qemu-user-static"],
  [`${LIBRARIES}/lib/ld-linux-aarch64.so.1`, "libc6-arm64-cross"],
  [`${LIBRARIES}/lib/libstdc++.so.6`, "libstdc++6-arm64-cross"],
]);
const binary = artefact("dynip-linux-arm64");
await runWrapped({
  command: async () => `qemu-aarch64-static -L ${LIBRARIES} '${binary}'`,
  patience: 6,
  leftOut: [
    ...NAMES_THE_EXECUTABLE,
    { name: "while a process sends as fast as it can", count: 10, why: FLOOD },
    {
      name: "kill -9 under load left a broken log",
      count: 1,
      why: "no snapshot of 10,000 hosts comes to its end before the kill",
    },
    {
      name: "why it cannot be started is said once",
      count: 4,
      why: "QEMU forks where vfork is asked for, so that Bun is told exit code 127",
    },
    {
      name: "that floods its output with 100 MB",
      count: 1,
      why: "the memory that it measures is QEMU's, too",
    },
  ],
  retries: 1,
  minutes: 30,
});
