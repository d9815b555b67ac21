/** The whole of the command line, of which the manual page is made, too. */
import { version } from "../../package.json";

import type { Root } from "./run.ts";

/** Which build this is: its commit and target, as build.ts defines it. */
declare const BUILD: string;

export const dynip: Root = {
  meta: {
    name: "dynip",
    version,
    build: typeof BUILD === "undefined" ? "not compiled" : BUILD,
    description: "Know where your machines are: clients ping, the server records their addresses",
  },
  subCommands: {
    init: () => import("./init.ts").then((module) => module.default),
    serve: () => import("./serve.ts").then((module) => module.default),
    ping: () => import("./ping.ts").then((module) => module.default),
  },
};
