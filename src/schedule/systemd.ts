/**
 * systemd: a service for the server, and a service with a timer for the ping. For systemd 247 (2020) and
 * newer, which has credentials. Pure.
 */
import { shellWord, systemdProgram, systemdText } from "./quoting.ts";
import { commandLine, type Problem, type Scheduler, type Start } from "./scheduler.ts";

/** Where the units belong. */
export const UNIT_FOLDER = "/etc/systemd/system";

/** Where the server keeps its client log: systemd's StateDirectory. */
const STATE_FOLDER = "/var/lib/dynip";

/** It exists where systemd runs the machine (sd_booted(3)). */
const BOOTED = "/run/systemd/system";

/** The server: the unit `dynip.service`. */
export const systemdServe: Scheduler = {
  kind: "systemd-serve",
  subcommand: "serve",
  platforms: ["linux"],
  sign: BOOTED,
  print: serveService,
  steps: (start) => ({
    lead: `, which keeps its log in ${STATE_FOLDER}:`,
    lines: [
      `${commandLine("linux", "init --print systemd-serve", start)} | sudo tee ${UNIT_FOLDER}/dynip.service`,
      "sudo systemctl enable --now dynip",
    ],
  }),
  problems: ({ binary }, clientLogPath) => [
    ...programProblems(binary),
    ...clientLogProblems(clientLogPath),
  ],
};

/** The ping: the units `dynip-ping.service` and `dynip-ping.timer`. */
export const systemdPing: Scheduler = {
  kind: "systemd-ping",
  subcommand: "ping",
  platforms: ["linux"],
  sign: BOOTED,
  print: pingScript,
  steps: (start) => ({
    lead: ":",
    lines: [
      `${commandLine("linux", "init --print systemd-ping", start)} | sudo sh`,
      "sudo systemctl enable --now dynip-ping.timer",
    ],
  }),
  problems: ({ binary }) => programProblems(binary),
};

/** A shell script that writes both units, because one file cannot hold two. */
function pingScript(start: Start): string {
  return `# Run by a shell as root, this writes the units of a ping every 5 minutes, and does nothing else.
# "systemctl enable --now dynip-ping.timer" starts them.
set -e
${hereDocument("dynip-ping.service", pingService(start))}
${hereDocument("dynip-ping.timer", PING_TIMER)}
`;
}

function serveService(start: Start): string {
  return `# The server of dynip. Its user exists only while it runs, and can write only in ${STATE_FOLDER}:
# a relative client_log_path starts there, and an absolute one must lie there.

[Unit]
Description=dynip server: records where machines are
Wants=network-online.target
After=network-online.target

[Service]
${command("serve", start)}
StateDirectory=dynip
StateDirectoryMode=0700
Restart=on-failure
RestartSec=5s
# Exit code 3 is a mistake in the configuration, which a restart does not mend.
RestartPreventExitStatus=3
# For a server_port below 1024, set both to CAP_NET_BIND_SERVICE.
CapabilityBoundingSet=
AmbientCapabilities=
RestrictAddressFamilies=AF_INET AF_INET6
${HARDENING}

[Install]
WantedBy=multi-user.target
`;
}

function pingService(start: Start): string {
  return `[Unit]
Description=dynip ping: tells the server where this machine is
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
${command("ping", start)}
# dynip ping gives up by itself, most often after 40 seconds of silence. This is for one that hangs.
TimeoutStartSec=4min
# Messages of level INFO, systemd's own among them, stay out of the journal: a good ping leaves none.
LogLevelMax=notice
CapabilityBoundingSet=
# Looking up a host name may need AF_UNIX and AF_NETLINK.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
${HARDENING}
`;
}

const PING_TIMER = `[Unit]
Description=Starts dynip ping every 5 minutes

[Timer]
OnBootSec=15s
OnCalendar=*:0/5
# Spreads the pings of several machines over half a minute.
RandomizedDelaySec=30s

[Install]
WantedBy=timers.target
`;

function command(subcommand: Scheduler["subcommand"], { binary, config }: Start): string {
  return `# systemd reads the configuration as root and passes it on. It may lie anywhere and be root's alone.
LoadCredential=dynip.toml:${systemdText(config)}
ExecStart=${systemdProgram(binary)} ${subcommand} \${CREDENTIALS_DIRECTORY}/dynip.toml
# These variables would make dynip run other code than its own.
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
# No MemoryDenyWriteExecute: it turns JavaScript's compiler off, and dynip gets many times slower.`;

function hereDocument(name: string, text: string): string {
  return `cat > ${UNIT_FOLDER}/${name} <<'END'\n${text}END`;
}

function programProblems(binary: string): Problem[] {
  const hint = `sudo install ${shellWord(binary)} /usr/local/bin/dynip, and print it with that program`;
  const problems = [];
  if (/["'\\]/.test(binary)) {
    problems.push({
      problem: `systemd cannot start "${binary}": its path has a quote or a backslash`,
      hint,
    });
  }
  if (/^\/(?:home|root|run\/user|tmp|var\/tmp)\//.test(binary)) {
    problems.push({
      problem: `the service cannot start "${binary}": homes and temporary folders are hidden from it`,
      hint,
    });
  }
  return problems;
}

function clientLogProblems(path: string | undefined): Problem[] {
  if (!path?.startsWith("/") || path.startsWith(`${STATE_FOLDER}/`)) return [];
  return [
    {
      problem: `the service cannot write client_log_path, "${path}"`,
      hint: `a relative one, such as "dynip.json", is kept in ${STATE_FOLDER}`,
    },
  ];
}
