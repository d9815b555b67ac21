/**
 * The configurations that `dynip init` writes. Pure: values are passed in.
 */

type Value = string | number | boolean | string[];

/** What a server's configuration, which its clients may share, says. */
export interface ConfigValues {
  secret: string;
  server: {
    server_ip: Value;
    server_port: Value;
    client_log_path: Value;
    max_clients: Value;
    allow_plain: Value;
  };
  client: { server_hostname: Value; server_port: Value; family: Value };
}

/** A commented configuration with these values: TOML. */
export function configText({ secret, server, client }: ConfigValues): string {
  return `# dynip's configuration. The server reads [server], a client reads [client]; what a machine
# does not need may be deleted. Whatever stands behind a # is a comment.

# Shared by the server and its clients, and nobody else: it signs every ping. Whoever has it can be
# any machine; "dynip init --name" makes a file for one machine, with a key that is only that one's.
# Without a secret pings are plain, as DynIP 0.1e's: anyone can forge them, nothing confirms them.
secret = ${toml(secret)}

[server]
# The IP address to listen on; "*" is every interface, IPv4 and IPv6.
server_ip = ${toml(server.server_ip)}

# The UDP port to listen on. Firewalls on the way must let it through.
server_port = ${toml(server.server_port)}

# The JSON file with every host's name, address and times. A relative path starts at this file's
# folder.
client_log_path = ${toml(server.client_log_path)}

# Whether to accept the plain pings of DynIP 0.1e as well, but for names that were ever signed.
allow_plain = ${toml(server.allow_plain)}

# When so many plain names are known, pings of new ones are dropped. Known ones keep their place.
max_clients = ${toml(server.max_clients)}

# To revoke the key of one machine, raise its number, and make it a new file.
[server.generations]
# laptop = 2

[client]
# The server's host name or IP address, or a list of them: each is pinged.
server_hostname = ${toml(client.server_hostname)}

# The server's UDP port.
server_port = ${toml(client.server_port)}

# The name to be recorded under; this machine's hostname unless given.
# client_name = "nas"

${familyText(client.family)}
`;
}

/** What one client's configuration says. */
export interface ClientValues {
  name: string;
  key: string;
  server_hostname: Value;
  server_port: Value;
  family: Value;
}

/** A configuration for one client, with its own key and not the secret. */
export function clientConfigText({ name, key, ...client }: ClientValues): string {
  return `# dynip's configuration for ${name}, and for no other machine.

[client]
# The server's host name or IP address.
server_hostname = ${toml(client.server_hostname)}

# The server's UDP port.
server_port = ${toml(client.server_port)}

# The name to be recorded under.
client_name = ${toml(name)}

# The key of this name: it signs every ping. Whoever has it can be ${name}, and nobody else.
key = ${toml(key)}

${familyText(client.family)}
`;
}

function familyText(family: Value): string {
  return `# Which address is recorded: "any" (IPv4 where the server can be reached by it, else IPv6),
# "ipv4", "ipv6", or "both", which sends one ping in each.
family = ${toml(family)}`;
}

/** A TOML value: a JSON string is a TOML basic string, but that TOML wants DEL escaped, too. */
function toml(value: Value): string {
  return JSON.stringify(value).replaceAll("\x7f", "\\u007f");
}
