/** The root of the command line. The help and the manual page are made from it, too. */
import { defineCommand } from "citty";

import ping from "./ping.ts";
import { version } from "./definition.ts";

/** The commit and the target of this executable; build.ts defines it. */
declare const BUILD: string;

export const dynip = defineCommand({
  meta: {
    name: "dynip",
    version,
    build: typeof BUILD === "undefined" ? "not compiled" : BUILD,
    description: "Know where your machines are: clients ping, the server records their addresses",
  },
  // Loaded when used: a ping does not load the server. The ping itself starts faster in one piece with this.
  subCommands: {
    init: () => import("./init.ts").then((module) => module.default),
    serve: () => import("./serve.ts").then((module) => module.default),
    ping: () => ping,
  },
});
