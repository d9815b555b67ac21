/** inadyn of Debian 12 (2.10), with the configuration of `.github/ROUTERS.md`. */
import { mkdir, readFile, writeFile } from "node:fs/promises";

import type { RunningProcess, RunResult } from "../../processes.ts";
import type { Settings } from "./ddclient.ts";
import { blockAfter, type Lab } from "./lab.ts";

/** An inadyn with a cache of its own. */
export interface Inadyn {
  /** Has it report an address once, and end. */
  report(address: string, settings?: Settings): Promise<RunResult>;
  /** Starts it as a service does. SIGUSR1 has it report now. */
  start(address: string): Promise<RunningProcess>;
  /** The address that it believes to be known; undefined if it knows of none. */
  cached(): Promise<string | undefined>;
}

let clients = 0;

export function newInadyn(lab: Lab): Inadyn {
  const cache = lab.file(`inadyn-${++clients}`);
  const config = `${cache}.conf`;
  const command = ["inadyn", "-f", config, "-n", "--force"];
  command.push(`--cache-dir=${cache}`, "-P", `${cache}.pid`);
  const write = async (address: string, settings?: Settings) => {
    await mkdir(cache, { recursive: true }); // with -1 it makes none, and then has no cache
    await writeFile(config, configText(lab, address, settings), { mode: 0o600 });
  };
  return {
    async report(address, settings) {
      await write(address, settings);
      return lab.run([...command, "-1"]);
    },
    async start(address) {
      await write(address);
      return lab.start(command);
    },
    cached: () => readFile(`${cache}/home.cache`, "utf8").catch(() => undefined),
  };
}

function configText(lab: Lab, address: string, settings: Settings = {}): string {
  const { password = lab.password, hostname = "home" } = settings;
  const text = blockAfter("**inadyn**")
    .replace("{\n", `{\n    checkip-command = "echo ${address}"\n`)
    .replace("PASSWORD", password)
    .replace("hostname = home", `hostname = ${hostname}`);
  if (lab.way !== "HTTP") return `ca-trust-file = "${lab.authority}"\n${text}`;
  const server = `ddns-server = "${new URL(lab.url).host}"`;
  return text.replace(/ddns-server = .*/, `ssl = false\n    ${server}`);
}
