/**
 * The property lists that `dynip init` prints for macOS's launchd: the server, and the ping every 5
 * minutes (launchd.plist(5)). Pure: paths are passed in.
 */
import { xmlText } from "./quoting.ts";

/** Where they belong: daemons, which run whether or not anybody is logged on. */
export const DAEMON_FOLDER = "/Library/LaunchDaemons";

export interface Daemon {
  /** The absolute path of dynip. */
  binary: string;
  /** The absolute path of the configuration. */
  config: string;
  /** Whom it runs as; undefined for root. */
  user: string | undefined;
}

/** The server, `dynip.plist`. */
export function serveDaemon(daemon: Daemon): string {
  return propertyList({
    ...common("dynip", "serve", daemon),
    KeepAlive: { SuccessfulExit: false },
    // Its clients wait for its answers; else macOS would slow it down when it is busy.
    ProcessType: "Interactive",
  });
}

/** The ping, `dynip-ping.plist`. */
export function pingDaemon(daemon: Daemon): string {
  return propertyList({
    ...common("dynip-ping", "ping", daemon),
    StartInterval: 300,
    ProcessType: "Background",
  });
}

function common(label: string, subcommand: string, { binary, config, user }: Daemon) {
  return {
    Label: label,
    ProgramArguments: [binary, subcommand, config],
    ...(user === undefined ? {} : { UserName: user }),
    RunAtLoad: true,
    // launchd makes the file, and makes it the user's.
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

/** Array.isArray does not narrow a type to its readonly arrays. */
function isArray(value: object): value is readonly string[] {
  return Array.isArray(value);
}
