/** dynip's entry point. */
import { version } from "../package.json";

import { main, type Root } from "./commands/main.ts";

/** Which build this is: its commit and target, as build.ts defines it. */
declare const BUILD: string;

/** The whole of the command line; the manual page is made of it, too. */
export const dynip: Root = {
  meta: {
    name: "dynip",
    version,
    build: typeof BUILD === "undefined" ? "not compiled" : BUILD,
    description: "Know where your machines are: clients ping, the server records their addresses",
  },
  subCommands: {
    init: () => import("./commands/init.ts").then((module) => module.default),
    serve: () => import("./commands/serve.ts").then((module) => module.default),
    ping: () => import("./commands/ping.ts").then((module) => module.default),
  },
};

// No top-level await: one that is pending hides errors that would end a daemon.
if (import.meta.main) {
  // At once: a look-up that nobody waits for any more may hold the process for as long as its
  // resolver is silent, and what is left to do at an end costs a ping a tenth of its time.
  void main(dynip, process.argv.slice(2)).then((exitCode) => process.exit(exitCode));
}
