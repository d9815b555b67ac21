/** launchd of macOS: property lists for the server and for a ping every 5 minutes (launchd.plist(5)). Pure. */
import { xmlText } from "./quoting.ts";
import { commandLine, type Scheduler, type Start } from "./scheduler.ts";

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
  const path = `/Library/LaunchDaemons/${label}.plist`;
  return {
    kind,
    subcommand,
    platforms: ["darwin"],
    runsAsOwner: true,
    print: (start) => propertyList({ ...common(label, subcommand, start), ...properties }),
    steps: (start) => ({
      lead: ":",
      lines: [
        `${commandLine("darwin", `init --print ${kind}`, start)} | sudo tee ${path}`,
        `sudo launchctl bootstrap system ${path}`,
      ],
    }),
  };
}

function common(label: string, subcommand: string, { binary, config, user }: Start) {
  return {
    Label: label,
    ProgramArguments: [binary, subcommand, config],
    ...(user === undefined ? {} : { UserName: user }),
    RunAtLoad: true,
    // launchd creates the file, and makes the user its owner.
    StandardErrorPath: `/Library/Logs/${label}.log`,
  };
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
