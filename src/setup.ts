/**
 * The texts that `dynip init` writes and prints. Pure: platform, paths and values are passed in.
 */

export interface ConfigValues {
  server: {
    server_ip: string | number;
    server_port: string | number;
    client_log_path: string | number;
    max_clients: string | number;
  };
  client: {
    server_hostname: string | number;
    server_port: string | number;
    family: string | number;
  };
}

/** A commented configuration with these values: TOML. */
export function configText({ server, client }: ConfigValues): string {
  return `# dynip's configuration. The server reads [server], a client reads [client]; what a machine
# does not need may be deleted. Whatever stands behind a # is a comment.

[server]
# The IP address to listen on; "*" is every interface, IPv4 and IPv6.
server_ip = ${toml(server.server_ip)}

# The UDP port to listen on. Firewalls on the way must let it through.
server_port = ${toml(server.server_port)}

# The JSON file with every host's name, address and times. A relative path starts at this file's
# folder.
client_log_path = ${toml(server.client_log_path)}

# When so many names are known, pings of new ones are dropped. Known ones keep their place.
max_clients = ${toml(server.max_clients)}

[client]
# The server's host name or IP address.
server_hostname = ${toml(client.server_hostname)}

# The server's UDP port.
server_port = ${toml(client.server_port)}

# The name to be recorded under; this machine's hostname unless given.
# client_name = "nas"

# Which address is recorded: "any" (IPv4 where the server can be reached by it, else IPv6),
# "ipv4", "ipv6", or "both", which sends one ping in each.
family = ${toml(client.family)}
`;
}

export interface NextSteps {
  platform: NodeJS.Platform;
  /** The absolute path of this executable. */
  binary: string;
  /** The absolute path of the configuration. */
  config: string;
  port: string | number;
}

/** What to do with a new configuration, on this operating system. */
export function nextSteps({ platform, binary, config, port }: NextSteps): string {
  const windows = platform === "win32";
  const run = (subcommand: string): string =>
    windows
      ? `"${binary}" ${subcommand} "${config}"`
      : `${shellWord(binary)} ${subcommand} ${shellWord(config)}`;
  const schedule = windows
    ? `   in one that was opened with "Run as administrator":
     ${windowsTask(binary, config)}`
    : `   run "crontab -e" and add the line
     ${crontabLine(binary, config)}`;
  return `Next${windows ? ", in a command prompt" : ""}:
1. On the server, let UDP port ${port} through its firewall and start:
     ${run("serve")}
2. On each machine to be found, set server_hostname in [client] to the server's name, and try:
     ${run("ping")}
3. There, schedule a ping every 5 minutes:
${schedule}
`;
}

/** The crontab(5) line that pings every 5 minutes. */
export function crontabLine(binary: string, config: string): string {
  // cron takes an unescaped % as a line break, inside quotes too (crontab(5)).
  const command = `${shellWord(binary)} ping ${shellWord(config)}`.replaceAll("%", "\\%");
  return `*/5 * * * * ${command}`;
}

/**
 * The command that makes the Scheduled Task: every 5 minutes, as SYSTEM, so that it runs whether
 * or not anybody is logged on and no window flashes up.
 */
export function windowsTask(binary: string, config: string): string {
  // schtasks takes \" for a quote inside /TR; a Windows path cannot have a quote of its own.
  const command = `\\"${binary}\\" ping \\"${config}\\"`;
  return `schtasks /Create /F /TN dynip /SC MINUTE /MO 5 /RU SYSTEM /TR "${command}"`;
}

/** `text` as one word of a POSIX shell, quoted only where it must be. */
function shellWord(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** A TOML value: a JSON string is a TOML basic string, but that TOML wants DEL escaped, too. */
function toml(value: string | number): string {
  return JSON.stringify(value).replaceAll("\x7f", "\\u007f");
}
