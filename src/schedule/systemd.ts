/**
 * systemd: a service for the server, and a service with a timer for the ping. For systemd 247 (2020) and
 * newer, which has credentials. Pure.
 */
import { systemdProgram, systemdText, systemdWord } from "./quoting.ts";
import type { Command, Needs, Problem, Scheduler, Start, State, TextFile } from "./scheduler.ts";

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
  service: (start) => ({
    name: "dynip.service",
    files: [unit("dynip.service", serveService(start))],
    started: [
      ["systemctl", "is-enabled", "--quiet", "dynip.service"],
      ["systemctl", "is-active", "--quiet", "dynip.service"],
    ],
    start: [RELOAD, ["systemctl", "enable", "--now", "dynip.service"]],
    restart: [RELOAD, ["systemctl", "restart", "dynip.service"]],
    stop: [["systemctl", "disable", "--now", "dynip.service"]],
    forget: [RELOAD, ["systemctl", "reset-failed", "dynip.*"]],
    configCopy: "/run/credentials/dynip.service/dynip.toml",
    // Linux adds " (deleted)" to the path of a file that another has replaced (proc(5)).
    programOf: (pid) => ["readlink", `/proc/${pid}/exe`],
    check: { state: stateOf("dynip.service"), listens, said: said("dynip.service") },
    later: [
      ["systemctl status dynip", "shows how it is"],
      ["journalctl -u dynip", "shows what it said"],
      [`cat ${STATE_FOLDER}/dynip.json`, "shows where your machines are"],
    ],
  }),
  problems: ({ binary, needs }) => [
    ...programProblems(binary),
    ...(needs ? [...fileProblems(needs.files), ...commandProblems(needs.command)] : []),
  ],
};

/** The ping: the units `dynip-ping.service` and `dynip-ping.timer`. */
export const systemdPing: Scheduler = {
  kind: "systemd-ping",
  subcommand: "ping",
  platforms: ["linux"],
  sign: BOOTED,
  print: pingScript,
  service: (start) => ({
    name: "dynip-ping.timer",
    files: pingUnits(start),
    started: [
      ["systemctl", "is-enabled", "--quiet", "dynip-ping.timer"],
      ["systemctl", "is-active", "--quiet", "dynip-ping.timer"],
    ],
    start: [RELOAD, ["systemctl", "enable", "--now", "dynip-ping.timer"]],
    restart: [RELOAD, ["systemctl", "restart", "dynip-ping.timer"]],
    stop: [
      ["systemctl", "disable", "--now", "dynip-ping.timer"],
      ["systemctl", "stop", "dynip-ping.service"],
    ],
    forget: [RELOAD, ["systemctl", "reset-failed", "dynip-ping.*"]],
    check: {
      // It returns when the ping has ended.
      ping: ["systemctl", "start", "dynip-ping.service"],
      state: stateOf("dynip-ping.service"),
      said: said("dynip-ping.service"),
    },
    later: [
      ["systemctl list-timers dynip-ping", "shows when it pings next"],
      ["systemctl status dynip-ping", "shows how the last ping ended"],
      ["journalctl -u dynip-ping", "shows what failed pings said"],
    ],
  }),
  problems: ({ binary }) => programProblems(binary),
};

/**
 * The units of a package. The server runs as a user of the system, and the user's group may enter the
 * folder with the client log.
 */
export function packagedUnits(start: Start, user: string): { name: string; text: string }[] {
  return [
    { name: "dynip.service", text: serveService(start, user) },
    { name: "dynip-ping.service", text: pingService(start) },
    { name: "dynip-ping.timer", text: PING_TIMER },
  ];
}

// "reset-failed" has a pattern, which may match nothing: a name that is not loaded is an error.
const RELOAD: Command = ["systemctl", "daemon-reload"];

/** A shell script that writes both units, because one file cannot hold two. */
function pingScript(start: Start): string {
  return `# Run by a shell as root, this writes the units of a ping every 5 minutes, and does nothing else.
# "systemctl enable --now dynip-ping.timer" starts them.
set -e
${pingUnits(start).map(hereDocument).join("\n")}
`;
}

function pingUnits(start: Start): TextFile[] {
  return [unit("dynip-ping.service", pingService(start)), unit("dynip-ping.timer", PING_TIMER)];
}

function unit(name: string, text: string): TextFile {
  return { path: `${UNIT_FOLDER}/${name}`, mode: 0o644, text };
}

/** Reads what `systemctl show` says, whose properties have stable names (systemd.unit(5)). */
function stateOf(name: string): { command: Command; read(stdout: string): State } {
  const properties = "ActiveState,SubState,MainPID,ExecMainStatus,Result,AssertResult";
  return {
    command: ["systemctl", "show", name, `--property=${properties}`],
    read(stdout) {
      const valueOf = (property: string) =>
        new RegExp(`^${property}=(.*)$`, "m").exec(stdout)?.[1] ?? "";
      const state = valueOf("ActiveState");
      if (state === "active" && valueOf("MainPID") !== "0") {
        return { kind: "running", pid: Number(valueOf("MainPID")) };
      }
      const hasEnded =
        state === "failed" || state === "inactive" || valueOf("SubState") === "auto-restart";
      if (!hasEnded) return { kind: "busy" };
      const wasRun = ["success", "exit-code"].includes(valueOf("Result"));
      const exitCode =
        wasRun && valueOf("AssertResult") !== "no" ? Number(valueOf("ExecMainStatus")) : undefined;
      return { kind: "ended", exitCode };
    },
  };
}

/** What a unit's program said, from the journal. */
function said(name: string): (since: number) => Command[] {
  return (since) => [
    ["journalctl", "--sync"],
    [
      ...(["journalctl", `--unit=${name}`, `--since=@${since}`, "--output=cat"] as const),
      ...["--lines=5", "--no-pager", "--quiet"],
    ],
  ];
}

/** Looks whether one of a process's sockets is a UDP socket with a port (proc(5), /proc/pid/net). */
function listens(pid: number, port: number) {
  return {
    commands: [
      ["ls", "-l", `/proc/${pid}/fd`],
      ["cat", `/proc/${pid}/net/udp`, `/proc/${pid}/net/udp6`],
    ] as const,
    read([files = "", sockets = ""]: readonly string[]): boolean {
      const hex = port.toString(16).toUpperCase().padStart(4, "0");
      return sockets.split("\n").some((line) => {
        const columns = line.trim().split(/\s+/);
        return columns[1]?.endsWith(`:${hex}`) && files.includes(`socket:[${columns[9]}]`);
      });
    },
  };
}

/** @param user of the system; undefined for one that systemd makes while the server runs */
function serveService(start: Start, user?: string): string {
  const { port, needs } = start;
  // Ports below 1024 need a privilege (capabilities(7)).
  const isPrivileged = [port, needs?.httpPort].some((one) => one !== undefined && one < 1024);
  const capability = isPrivileged ? "CAP_NET_BIND_SERVICE" : "";
  const who = user === undefined ? "user exists only while it runs, and" : `user ${user}`;
  return `# The server of dynip. Its ${who} can write only in ${STATE_FOLDER}:
# a relative client_log_path starts there, and an absolute one must lie there.
# "systemctl edit dynip" keeps changes of yours in a file that "dynip init --install" leaves alone.

[Unit]
Description=dynip server: records where machines are
Wants=network-online.target
After=network-online.target
${assertion(start)}

[Service]
${command("serve", start)}
StateDirectory=dynip
StateDirectoryMode=${user === undefined ? "0700" : "0750"}
Restart=on-failure
RestartSec=5s
# Exit code 3 is a mistake in the configuration, which a restart does not mend.
RestartPreventExitStatus=3
# For a server_port below 1024, both are CAP_NET_BIND_SERVICE.
CapabilityBoundingSet=${capability}
AmbientCapabilities=${capability}
${allowances(needs)}
${user === undefined ? "DynamicUser=yes" : `User=${user}`}
${HARDENING}

[Install]
WantedBy=multi-user.target
`;
}

/** What the configuration asks for, beside the port and the state folder, and no more. */
function allowances({ files = {}, httpPort, command, posts }: Partial<Needs> = {}): string {
  const lines = ["# AF_NETLINK lists the addresses of this machine."];
  if (command !== undefined || posts) {
    lines.push("# A command, and looking up the host name of a URL, may need AF_UNIX.");
    lines.push("RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK");
  } else {
    lines.push("RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK");
  }
  if (httpPort !== undefined) {
    lines.push("# Each connection to [http] takes a file.", "LimitNOFILE=65536");
  }
  const allowed = filesElsewhere(files).filter(([key, path]) => isAllowed(key, path));
  const folders = new Set(allowed.map(([, path]) => folderOf(path)));
  if (folders.size > 0) {
    // "-": a folder that is missing keeps nothing else from working (systemd.exec(5)).
    const words = [...folders].map((folder) => systemdWord(`-${folder}`));
    lines.push(
      "# Files that the configuration puts there. The service's user must be able to write.",
    );
    lines.push(`ReadWritePaths=${words.join(" ")}`);
  }
  return lines.join("\n");
}

function pingService(start: Start): string {
  return `[Unit]
Description=dynip ping: tells the server where this machine is
Wants=network-online.target
After=network-online.target
${assertion(start)}

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
DynamicUser=yes
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
# Without this systemd adds up to a minute.
AccuracySec=1s

[Install]
WantedBy=timers.target
`;

/** Without it a configuration that was moved is "Failed at step CREDENTIALS". */
function assertion({ config }: Start): string {
  return `# Says so when the configuration is no longer there.
AssertPathExists=${systemdText(config)}`;
}

function command(subcommand: Scheduler["subcommand"], { binary, config }: Start): string {
  return `# systemd reads the configuration as root and passes it on. It may lie anywhere and be root's alone.
LoadCredential=dynip.toml:${systemdText(config)}
ExecStart=${systemdProgram(binary)} ${subcommand} \${CREDENTIALS_DIRECTORY}/dynip.toml
# These variables would make dynip run other code than its own.
UnsetEnvironment=BUN_OPTIONS BUN_BE_BUN BUN_INSPECT`;
}

const HARDENING = `UMask=0077
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

function hereDocument({ path, text }: TextFile): string {
  return `cat > ${path} <<'END'\n${text}END`;
}

function programProblems(binary: string): Problem[] {
  const hint = `"dynip init --install" copies it to /usr/local/bin/dynip, and starts that`;
  const problems = [];
  if (/["'\\]/.test(binary)) {
    problems.push({
      problem: `systemd cannot start "${binary}": its path has a quote or a backslash`,
      hint,
    });
  }
  if (HIDDEN.test(binary)) {
    problems.push({
      problem: `the service cannot start "${binary}": homes and temporary folders are hidden from it`,
      hint,
    });
  }
  return problems;
}

/** Folders that ProtectHome and PrivateTmp hide from the services. */
const HIDDEN = /^\/(?:home|root|run\/user|tmp|var\/tmp)\//;

/**
 * Whether the service may write a file outside of the state folder. The client log has a journal and a
 * lock beside it, and belongs there; the other files may be for other programs to read. A file in `/`
 * would take all of /.
 */
function isAllowed(key: string, path: string): boolean {
  return key !== "client_log_path" && !HIDDEN.test(path) && folderOf(path) !== "";
}

function fileProblems(files: Needs["files"]): Problem[] {
  return filesElsewhere(files).map(([key, path]) => {
    if (!isAllowed(key, path)) {
      return {
        problem: `the service cannot write ${key}, "${path}"`,
        hint: `a relative one, such as "${path.replace(/^.*\//, "")}", is kept in ${STATE_FOLDER}`,
      };
    }
    const folder = folderOf(path);
    return {
      problem: `${key} is "${path}": the service can write there if its user can`,
      hint: `"useradd --system dynip" and "chown dynip ${folder}" let it; or keep a relative one, and copy it`,
      isWarning: true,
    };
  });
}

/** The files that are not in the state folder, where a relative path starts. */
function filesElsewhere(files: Needs["files"]): [key: string, path: string][] {
  return Object.entries(files).filter(
    (entry): entry is [string, string] =>
      (entry[1]?.startsWith("/") ?? false) && !entry[1]!.startsWith(`${STATE_FOLDER}/`),
  );
}

function folderOf(path: string): string {
  return path.replace(/\/[^/]*$/, "");
}

function commandProblems(command: string | undefined): Problem[] {
  if (command === undefined || !HIDDEN.test(command)) return [];
  return [
    {
      problem: `the service cannot run command in [notify], "${command}": homes and temporary folders are hidden from it`,
      hint: "put it into /usr/local/bin",
    },
  ];
}
