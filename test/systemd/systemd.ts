/**
 * `bun run check:systemd`: `dynip init --install` and `--uninstall` on a Debian that systemd has booted,
 * and on one with cron. Needs root.
 */
import { debian, runTests } from "./debian.ts";

process.exit(await runTests("test/systemd", await debian("bookworm")));
