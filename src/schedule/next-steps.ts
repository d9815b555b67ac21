/** What `dynip init` says to do next. Pure. */
import { type Machine, schedulerFor } from "./index.ts";
import { wordFor } from "./quoting.ts";
import { describeLater, type Scheduler, type Start } from "./scheduler.ts";

/** The machine that the steps are for, and the files as that machine names them. */
export interface Here extends Start {
  machine: Machine;
}

/**
 * The steps for the new configuration of a server.
 * @param here `port` is the UDP port that the server listens on
 */
export function nextSteps(here: Here & { port: number }): string {
  const service = install("serve", here);
  return `Next${inPrompt(here)}:
1. On the server, let UDP port ${here.port} through its firewall and start:
${runs("serve", here)}${service ? `\n   Or as a service, which starts with the system${service}` : ""}
2. On each machine to be found, set server_hostname in [client] to the server's name, and try:
${runs("ping", here)}
3. There, ping every 5 minutes${install("ping", here)}
A machine that you trust less gets a file of its own, without the secret:
     dynip init nas.toml --name nas --from ${wordFor(here.machine.platform)(here.config)} --server HOST
`;
}

/**
 * The steps for the new configuration of one client, which lies on another machine as yet.
 * @param here `name` is the client's
 */
export function clientNextSteps(here: Here & { name: string }): string {
  return `Next${inPrompt(here)}:
1. Move it to ${here.name}, with the dynip binary, and remove it here.
2. There, with the paths as they are on that machine, try:
${runs("ping", here)}
3. Ping every 5 minutes${install("ping", here)}
`;
}

/**
 * The command that runs dynip with a configuration, for the shell of an operating system: PowerShell on
 * Windows.
 * @param words the subcommand and its options, which need no quotes
 */
export function commandLine(
  platform: NodeJS.Platform,
  words: string,
  { binary, config }: Pick<Start, "binary" | "config">,
): string {
  const word = wordFor(platform);
  return `${platform === "win32" ? "& " : ""}${word(binary)} ${words} ${word(config)}`;
}

function inPrompt({ machine }: Here): string {
  return machine.platform === "win32" ? ", in PowerShell" : "";
}

function runs(subcommand: Scheduler["subcommand"], here: Here): string {
  return indented(commandLine(here.machine.platform, subcommand, here));
}

/** The end of a sentence, and the command that it introduces; empty where nothing starts dynip. */
function install(subcommand: Scheduler["subcommand"], here: Here): string {
  const scheduler = schedulerFor(subcommand, here.machine);
  if (!scheduler) return "";
  const { platform, isAdministrator } = here.machine;
  const command = commandLine(platform, `init --install ${subcommand}`, here);
  const later = describeLater(scheduler.service(here));
  const looks = subcommand === "ping" ? `\n   Later:\n${later.map(indented).join("\n")}` : "";
  if (platform === "win32") {
    return `, in a PowerShell opened with "Run as administrator":\n${indented(command)}${looks}`;
  }
  return `:\n${indented(isAdministrator ? command : `sudo ${command}`)}${looks}`;
}

function indented(line: string): string {
  return `     ${line}`;
}
