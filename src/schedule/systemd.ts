/**
 * The units that `dynip init` prints for systemd: the server as a service, and the ping as a service
 * with a timer. Pure: paths are passed in. For systemd 247 (2020) and newer, which has credentials.
 */
import { shellWord, systemdProgram, systemdText } from "./quoting.ts";

/** Where the units belong, and the server's state. */
export const UNIT_FOLDER = "/etc/systemd/system";
export const STATE_FOLDER = "/var/lib/dynip";

/** The unit of the server, `dynip.service`. Both paths are absolute. */
export function serveUnit(binary: string, config: string): string {
  return `# dynip's server, as a user that exists only while it runs. It can write in ${STATE_FOLDER}
# alone: a relative client_log_path starts there, and another cannot be kept.

[Unit]
Description=dynip, which records where machines are
Wants=network-online.target
After=network-online.target

[Service]
${command("serve", binary, config)}
StateDirectory=dynip
StateDirectoryMode=0700
Restart=on-failure
RestartSec=5s
# Exit code 3: the configuration is wrong, and another start makes it no better.
RestartPreventExitStatus=3
# For a server_port below 1024, CAP_NET_BIND_SERVICE in both:
CapabilityBoundingSet=
AmbientCapabilities=
RestrictAddressFamilies=AF_INET AF_INET6
${HARDENING}

[Install]
WantedBy=multi-user.target
`;
}

/**
 * The units of the ping, `dynip-ping.service` and `dynip-ping.timer`, in a shell script that writes
 * both: one file cannot hold two units. Both paths are absolute.
 */
export function pingUnits(binary: string, config: string): string {
  return `# A service that pings, and a timer that starts it every 5 minutes. Run by a shell, as root,
# this writes the two files and nothing else; "systemctl enable --now dynip-ping.timer" starts it.
set -e
${hereDocument("dynip-ping.service", pingService(binary, config))}
${hereDocument("dynip-ping.timer", PING_TIMER)}
`;
}

/** Why a service with these paths would not work as its user expects; empty when it will. */
export function unitProblems(
  binary: string,
  clientLogPath: string | undefined,
): { problem: string; hint: string }[] {
  const problems = [];
  if (/["'\\]/.test(binary)) {
    problems.push({
      problem: `systemd starts no program with a quote or a backslash in its path, "${binary}"`,
      hint: `sudo install ${shellWord(binary)} /usr/local/bin/dynip, and print it with that one`,
    });
  }
  if (/^\/(?:home|root|run\/user|tmp|var\/tmp)\//.test(binary)) {
    problems.push({
      problem: `the service cannot start "${binary}": it sees no home and no temporary folder of others`,
      hint: `sudo install ${shellWord(binary)} /usr/local/bin/dynip, and print it with that one`,
    });
  }
  if (clientLogPath?.startsWith("/") && !clientLogPath.startsWith(`${STATE_FOLDER}/`)) {
    problems.push({
      problem: `the service cannot write client_log_path, "${clientLogPath}"`,
      hint: `a relative one, such as "dynip.json", is kept in ${STATE_FOLDER}`,
    });
  }
  return problems;
}

function pingService(binary: string, config: string): string {
  return `[Unit]
Description=dynip ping, which tells the server where this machine is
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
${command("ping", binary, config)}
# It gives up by itself, after 40 seconds of silence or a few times that.
TimeoutStartSec=4min
# Nothing in the journal on a good run, every 5 minutes.
LogLevelMax=notice
CapabilityBoundingSet=
# The last two are what looking up a host name may take.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
${HARDENING}
`;
}

const PING_TIMER = `[Unit]
Description=dynip ping, every 5 minutes

[Timer]
OnBootSec=15s
OnCalendar=*:0/5
# Not all machines in the same second.
RandomizedDelaySec=30s

[Install]
WantedBy=timers.target
`;

function command(subcommand: string, binary: string, config: string): string {
  return `# root reads the configuration and passes it on, so it may be anywhere, and root's alone.
LoadCredential=dynip.toml:${systemdText(config)}
ExecStart=${systemdProgram(binary)} ${subcommand} \${CREDENTIALS_DIRECTORY}/dynip.toml
# They would make dynip run other code than its own.
UnsetEnvironment=BUN_OPTIONS BUN_BE_BUN BUN_INSPECT`;
}

const HARDENING = `DynamicUser=yes
UMask=0077
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
# Not MemoryDenyWriteExecute: JavaScript's just-in-time compiler would be off, and all of it slow.`;

function hereDocument(name: string, text: string): string {
  return `cat > ${UNIT_FOLDER}/${name} <<'END'\n${text}END`;
}
