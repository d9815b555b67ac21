/** dynip's entry point. */
import { main } from "./commands/run.ts";
import { dynip } from "./commands/root.ts";

// No top-level await: while one is pending, Bun hides errors that should end a server.
//
// Bun 1.4.5 for Windows does not wait for a file that does not exist, and exits with 0; the timer keeps
// the process alive.
setInterval(() => {}, 2 ** 30);

// process.exit: a name look-up that is given up would keep the process until its resolver answers, and
// an exit without it takes a tenth of a ping's time longer.
void main(dynip, process.argv.slice(2)).then((exitCode) => process.exit(exitCode));
