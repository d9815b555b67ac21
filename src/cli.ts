/** dynip's entry point. */
import { main } from "./commands/run.ts";
import { dynip } from "./commands/root.ts";

// No top-level await: one that is pending hides errors that would end a daemon.
//
// The timer: Bun 1.4.5 for Windows does not wait for a file that is not there, and ends with 0 unless
// something else is left to do.
//
// The end at once: a look-up that nobody waits for any more may hold the process for as long as its
// resolver is silent, and what is left to do at an end costs a ping a tenth of its time.
setInterval(() => {}, 2 ** 30);
void main(dynip, process.argv.slice(2)).then((exitCode) => process.exit(exitCode));
