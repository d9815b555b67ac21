/** launchd of macOS: property lists for the server and for a ping every 5 minutes (launchd.plist(5)). Pure. */
import { xmlText } from "./quoting.ts";
import type { Check, Problem, Scheduler, Service, Start, State } from "./scheduler.ts";

/** The server. */
export const launchdServe: Scheduler = daemon("launchd-serve", "serve", "dynip", {
  KeepAlive: { SuccessfulExit: false },
  // Clients wait for its answers. macOS slows down daemons of other types.
  ProcessType: "Interactive",
});

/** The ping. */
export const launchdPing: Scheduler = daemon("launchd-ping", "ping", "dynip-ping", {
  StartInterval: 300,
  ProcessType: "Background",
});

/** A daemon: launchd starts it whether or not a user is logged on. */
function daemon(
  kind: string,
  subcommand: Scheduler["subcommand"],
  label: string,
  properties: Readonly<Record<string, Value>>,
): Scheduler {
  const print = (start: Start) =>
    propertyList({ ...common(label, subcommand, start), ...properties });
  return {
    kind,
    subcommand,
    platforms: ["darwin"],
    runsAsOwner: true,
    print,
    service: (start) => service(label, subcommand, print(start)),
    problems: configProblems,
  };
}

function service(label: string, subcommand: Scheduler["subcommand"], text: string): Service {
  const target = `system/${label}`;
  const path = `/Library/LaunchDaemons/${label}.plist`;
  const state: Check["state"] = { command: ["launchctl", "print", target], read: stateOf };
  return {
    name: label,
    files: [{ path, mode: 0o644, text }],
    started: [["launchctl", "print", target]],
    start: [
      // A daemon that was disabled once cannot be bootstrapped.
      ["launchctl", "enable", target],
      ["launchctl", "bootstrap", "system", path],
    ],
    stop: [["launchctl", "bootout", target]],
    check: {
      state,
      said: () => [["tail", "-n", "5", logOf(label)]],
      ...(subcommand === "serve"
        ? { listens }
        : { ping: ["launchctl", "kickstart", target], startPings: true }),
    },
    later: [
      [`launchctl print ${target}`, "shows how it is; last exit code is dynip's"],
      [`tail ${logOf(label)}`, "shows what it said"],
    ],
  };
}

function listens(pid: number, port: number) {
  const command = ["lsof", "-nP", "-a", "-p", `${pid}`, `-iUDP:${port}`, "-Fp"] as const;
  return { commands: [command], read: ([stdout = ""]: readonly string[]) => stdout !== "" };
}

/** What `launchctl print` says of a daemon. Its lines are `name = value`. */
function stateOf(text: string): State {
  const valueOf = (name: string) => new RegExp(`^\\s*${name} = (.*)$`, "m").exec(text)?.[1];
  const pid = Number(valueOf("pid"));
  if (valueOf("state") === "running" && pid > 0) return { kind: "running", pid };
  const exitCode = valueOf("last exit code");
  // "(never exited)" until the first end.
  if (valueOf("state") !== "not running" || !/^\d/.test(exitCode ?? "")) return { kind: "busy" };
  return { kind: "ended", exitCode: Number.parseInt(exitCode!, 10), run: valueOf("runs") ?? "" };
}

/** macOS asks the user before a program may read some folders, and a daemon has no user to ask. */
function configProblems({ config }: Start): Problem[] {
  const folder = /^\/Users\/[^/]+\/(Documents|Desktop|Downloads)\//.exec(config)?.[1];
  if (folder === undefined) return [];
  return [
    {
      problem: `macOS lets no daemon read "${config}", in ${folder}`,
      hint: "move it to /etc/dynip/dynip.toml, or elsewhere in your home",
      isWarning: true,
    },
  ];
}

function common(label: string, subcommand: string, { binary, config, user }: Start) {
  return {
    Label: label,
    ProgramArguments: [binary, subcommand, config],
    ...(user === undefined ? {} : { UserName: user }),
    RunAtLoad: true,
    // launchd creates the file, and makes the user its owner.
    StandardErrorPath: logOf(label),
  };
}

function logOf(label: string): string {
  return `/Library/Logs/${label}.log`;
}

type Value = string | number | boolean | readonly string[] | { readonly [key: string]: Value };

function propertyList(value: Value): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
${element(value, "")}
</plist>
`;
}

function element(value: Value, indent: string): string {
  if (typeof value === "string") return `${indent}<string>${xmlText(value)}</string>`;
  if (typeof value === "number") return `${indent}<integer>${value}</integer>`;
  if (typeof value === "boolean") return `${indent}<${value}/>`;
  const inner = `${indent}  `;
  const [name, lines] = isArray(value)
    ? ["array", value.map((item) => element(item, inner))]
    : [
        "dict",
        Object.entries(value).map(
          ([key, item]) => `${inner}<key>${xmlText(key)}</key>\n${element(item, inner)}`,
        ),
      ];
  return `${indent}<${name}>\n${lines.join("\n")}\n${indent}</${name}>`;
}

/** `Array.isArray`, which does not narrow to readonly arrays. */
function isArray(value: object): value is readonly string[] {
  return Array.isArray(value);
}
