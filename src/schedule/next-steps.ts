/** What `dynip init` says to do next. Pure: the system and the paths are passed in. */
import { crontabLine } from "./cron.ts";
import { DAEMON_FOLDER } from "./launchd.ts";
import { shellWord, windowsWord } from "./quoting.ts";
import { STATE_FOLDER, UNIT_FOLDER } from "./systemd.ts";

/** What starts programs on this machine: at boot, and every 5 minutes. */
export type Starter = "systemd" | "cron" | "launchd" | "windows";

export interface Here {
  starter: Starter;
  /** The absolute path of this executable. */
  binary: string;
  /** The absolute path of the configuration. */
  config: string;
}

/** What to do with a new configuration of a server, on this operating system. */
export function nextSteps(here: Here & { port: number }): string {
  return `Next${commandPrompt(here)}:
1. On the server, let UDP port ${here.port} through its firewall and start:
${steps([commandLine(here, "serve")])}${service(here)}
2. On each machine to be found, set server_hostname in [client] to the server's name, and try:
${steps([commandLine(here, "ping")])}
3. There, schedule a ping every 5 minutes${schedule(here)}
A machine that you trust less gets a file of its own, without the secret:
     dynip init nas.toml --name nas --from ${word(here, here.config)} --server HOST
`;
}

/** What to do with a new configuration of one client; it is on the machine that made it. */
export function clientNextSteps(here: Here & { name: string }): string {
  return `Next${commandPrompt(here)}:
1. Move it to ${here.name}, with the dynip binary, and remove it here.
2. There, with the paths as they are on that machine, try:
${steps([commandLine(here, "ping")])}
3. Schedule a ping every 5 minutes${schedule(here)}
`;
}

function commandPrompt({ starter }: Here): string {
  return starter === "windows" ? ", in a command prompt" : "";
}

/** The server as a service, where there is something to print for one. */
function service(here: Here): string {
  switch (here.starter) {
    case "systemd":
      return `
   Or as a service, which keeps its log in ${STATE_FOLDER}:
${steps([
  `${print(here, "systemd-serve")} | sudo tee ${UNIT_FOLDER}/dynip.service`,
  "sudo systemctl enable --now dynip",
])}`;
    case "launchd":
      return `
   Or as a service:
${steps(daemon(here, "launchd-serve", "dynip"))}`;
    default:
      return "";
  }
}

function schedule(here: Here): string {
  switch (here.starter) {
    case "systemd":
      return `:
${steps([`${print(here, "systemd-ping")} | sudo sh`, "sudo systemctl enable --now dynip-ping.timer"])}`;
    case "launchd":
      return `:
${steps(daemon(here, "launchd-ping", "dynip-ping"))}`;
    case "cron":
      return `: run "crontab -e" and add the line
${steps([crontabLine(here.binary, here.config)])}`;
    case "windows":
      return `, in a prompt opened with "Run as administrator":
${steps([`${print(here, "windows-task")} > dynip.xml`, "schtasks /create /xml dynip.xml /tn dynip"])}`;
  }
}

function daemon(here: Here, kind: string, label: string): string[] {
  const path = `${DAEMON_FOLDER}/${label}.plist`;
  return [`${print(here, kind)} | sudo tee ${path}`, `sudo launchctl bootstrap system ${path}`];
}

function print(here: Here, kind: string): string {
  return commandLine(here, `init --print ${kind}`);
}

function commandLine(here: Here, subcommand: string): string {
  return `${word(here, here.binary)} ${subcommand} ${word(here, here.config)}`;
}

function word({ starter }: Here, text: string): string {
  return starter === "windows" ? windowsWord(text) : shellWord(text);
}

function steps(commands: string[]): string {
  return commands.map((command) => `     ${command}`).join("\n");
}
