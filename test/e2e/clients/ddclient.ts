/** ddclient of Debian 12 (3.10), with the configuration of `.github/ROUTERS.md`. */
import { readFile, writeFile } from "node:fs/promises";

import type { RunResult } from "../../processes.ts";
import { blockAfter, type Lab } from "./lab.ts";

/** What a test changes in the configuration of a router. */
export interface Settings {
  password?: string;
  hostname?: string;
}

/** A ddclient with a cache of its own. */
export interface Ddclient {
  /** Has it report an address, as its timer does. */
  report(address: string, settings?: Settings): Promise<RunResult>;
  /** What its cache says of the last report. */
  cached(): Promise<{ status: string | undefined; address: string | undefined }>;
  /** Makes its last try as long ago as it waits between tries after a failure. */
  wait5Minutes(): Promise<void>;
}

let clients = 0;

export function newDdclient(lab: Lab): Ddclient {
  const config = lab.file(`ddclient-${++clients}.conf`);
  const cache = lab.file(`ddclient-${clients}.cache`);
  const command = ["ddclient", "-file", config, "-cache", cache];
  command.push("-foreground", "-daemon=0", "-verbose", "-noquiet");
  return {
    async report(address, settings) {
      await writeFile(config, configText(lab, address, settings), { mode: 0o600 });
      return lab.run(command);
    },
    async cached() {
      const text = await readFile(cache, "utf8");
      const value = (name: string) => new RegExp(`\\b${name}=([^,]*),`).exec(text)?.[1];
      return { status: value("status"), address: value("ip") };
    },
    async wait5Minutes() {
      const text = await readFile(cache, "utf8");
      const then = Math.floor(Date.now() / 1000) - 301;
      await writeFile(cache, text.replace(/\batime=\d+/, `atime=${then}`));
    },
  };
}

function configText(lab: Lab, address: string, settings: Settings = {}): string {
  const { password = lab.password, hostname = "home" } = settings;
  // An address in "ip=" would be written to the cache of a failed report, too.
  const text = blockAfter("**ddclient**")
    .replace("use=web", `use=cmd, cmd="echo ${address}"`)
    .replace("PASSWORD", password)
    .replace(/^home$/m, hostname);
  if (lab.way !== "HTTP") return text;
  return text
    .replace("ssl=yes", "ssl=no")
    .replace(/^server=.*/m, `server=${new URL(lab.url).host}`);
}
