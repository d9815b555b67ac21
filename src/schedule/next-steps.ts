/** What `dynip init` says to do next. Pure. */
import { type Machine, schedulerFor } from "./index.ts";
import { powerShellWord, shellWord, wordFor } from "./quoting.ts";
import { describeLater, type Scheduler, type Start } from "./scheduler.ts";

/** The machine that the steps are for, and the files as that machine names them. */
export interface Here extends Start {
  machine: Machine;
}

/** The new configuration of a server. */
export interface NewServer extends Here {
  /** The UDP port that it listens on. */
  port: number;
  /** Whether commands find the configuration if none is given. */
  isFound: boolean;
  /** Whether the configuration has a server_hostname for clients elsewhere. */
  isHostKnown: boolean;
}

/** The steps for the new configuration of a server, on the server. */
export function nextSteps(server: NewServer): string {
  const service = install("serve", server);
  const { platform } = server.machine;
  const init = [
    `${program(platform, server.binary)} init --name NAME`,
    server.isFound ? "" : ` --from ${wordFor(platform)(server.config)}`,
    server.isHostKnown ? "" : " --server HOST",
  ].join("");
  const host = server.isHostKnown
    ? ""
    : "\n   HOST is the host name or IP address by which that machine reaches this server.";
  return `Next${inPrompt(server)}:
1. Let UDP port ${server.port} through the firewall of this server, and of its provider, and start it:
${runs("serve", server)}${service ? `\n   Or as a service, which starts with the system${service}` : ""}
2. For each machine that is to be found, make a file with its own key; that says how to carry it there:
${indented([init])}${host}
Keep a copy of ${server.config} in a safe place: without its secret, every machine needs a new file.
`;
}

/** The new configuration of one client. It lies on the server. */
export interface NewClient {
  name: string;
  /** The absolute path of its configuration. */
  path: string;
  /** The server, as the client names it. */
  host: string;
  /** The operating system of the server. */
  platform: NodeJS.Platform;
  /** The user that fetches the file from the server; undefined if not known. */
  user: string | undefined;
  /** Whether that user can read the file. */
  isOwner: boolean;
  /** The generation of its key. */
  generation: number;
}

/** The steps for the new configuration of one client, whatever the client's operating system is. */
export function clientNextSteps(client: NewClient): string {
  const { name, path, generation, platform, user, isOwner } = client;
  const word = wordFor(platform);
  const before = [];
  if (generation > 1) {
    before.push(
      `The server accepts this key once it is restarted with ${name} = ${generation} in [server.generations].`,
    );
  }
  if (!isOwner) {
    before.push(`Here, let ${user} read the file:`, indented([`sudo chown ${user} ${word(path)}`]));
  }
  const remove = platform === "win32" ? "del" : isOwner ? "rm" : "sudo rm";
  const isFetched = platform !== "win32"; // there an SSH server is rare
  const lead = isFetched
    ? `Next, on ${name}, with dynip installed there, fetch the file, try it, and ping every 5 minutes.`
    : `Next, copy the file to ${name} as dynip.toml, and there, with dynip installed, try it, and ping every 5 minutes.`;
  const fetch = (quoted: (text: string) => string): string[] =>
    isFetched ? [`scp ${quoted(remote(client))} dynip.toml`] : [];
  return `${before.map((line) => `${line}\n`).join("")}${lead}
In a terminal of Linux or macOS:
${indented([
  ...fetch(shellWord),
  "dynip ping dynip.toml",
  "sudo dynip init --install ping dynip.toml",
])}
In Windows PowerShell, opened with "Run as administrator":
${indented([
  "cd $HOME",
  ...fetch(powerShellWord),
  `${WINDOWS_DYNIP} ping dynip.toml`,
  `${WINDOWS_DYNIP} init --install ping dynip.toml`,
])}
Then remove it here:
${indented([`${remove} ${word(path)}`])}
`;
}

/** Where `install.ps1` puts dynip for an administrator. A window that was open then does not have it in PATH. */
const WINDOWS_DYNIP = '& "$env:ProgramFiles\\dynip\\dynip.exe"';

/** A file of the server for scp(1), which wants brackets around an IPv6 address. */
function remote({ user, host, path }: NewClient): string {
  const login = user === undefined ? "" : `${user}@`;
  return `${login}${host.includes(":") ? `[${host}]` : host}:${path}`;
}

/** The new configuration of a client whose pings are plain. */
export interface NewPlainClient extends Here {
  /** A name for it that can be signed; undefined if none is known. */
  name: string | undefined;
  /** The server, if it is on another machine. */
  host: string | undefined;
}

/** The steps for the new configuration of a client that has no key yet, on the client. */
export function plainClientNextSteps(client: NewPlainClient): string {
  const name = client.name ?? "NAME";
  return `It has no key: its pings are plain, as those of DynIP 0.1e, and a server with a secret drops them
unless its configuration has allow_plain = true. To sign them, make a file with a key on the server;
that says how to carry it here, where it replaces this one:
     dynip init --name ${name} --server ${client.host ?? "HOST"}

Next${inPrompt(client)}:
1. Try:
${runs("ping", client)}
2. Ping every 5 minutes${install("ping", client)}
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
  return `${program(platform, binary)} ${words} ${wordFor(platform)(config)}`;
}

/** A program as a command of that shell; PowerShell takes a word in quotes for a text. */
function program(platform: NodeJS.Platform, binary: string): string {
  return `${platform === "win32" ? "& " : ""}${wordFor(platform)(binary)}`;
}

function inPrompt({ machine }: Here): string {
  return machine.platform === "win32" ? ", in PowerShell" : "";
}

function runs(subcommand: Scheduler["subcommand"], here: Here): string {
  return indented([commandLine(here.machine.platform, subcommand, here)]);
}

/** The end of a sentence, and the command that it introduces; empty where nothing starts dynip. */
function install(subcommand: Scheduler["subcommand"], here: Here): string {
  const scheduler = schedulerFor(subcommand, here.machine);
  if (!scheduler) return "";
  const { platform, isAdministrator } = here.machine;
  const command = commandLine(platform, `init --install ${subcommand}`, here);
  const later = describeLater(scheduler.service(here));
  const looks = subcommand === "ping" ? `\n   Later:\n${indented(later)}` : "";
  if (platform === "win32") {
    return `, in a PowerShell opened with "Run as administrator":\n${indented([command])}${looks}`;
  }
  return `:\n${indented([isAdministrator ? command : `sudo ${command}`])}${looks}`;
}

function indented(lines: readonly string[]): string {
  return lines.map((line) => `     ${line}`).join("\n");
}
