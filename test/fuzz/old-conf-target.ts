/** Passes mutated configurations of DynIP 0.1e through `parseOldConf` and into a new configuration. */
import { type Config, parseConfig } from "../../src/config/config.ts";
import { EXIT, UserError } from "../../src/system/errors.ts";
import { type OldConf, OldConfError, parseOldConf } from "../../src/config/old-conf.ts";
import { configText } from "../../src/config/template.ts";
import { must, type TargetKind } from "./target.ts";
import { TextTarget } from "./text-target.ts";

export const oldConfKind: TargetKind = {
  name: "0.1e's .conf",
  share: 0.05,
  batch: 500,
  make: (seed) =>
    new TextTarget({ name: oldConfKind.name, seed, texts: TEXTS, tokens: TOKENS, check }),
};

function check(text: string): void {
  let old: OldConf;
  try {
    old = parseOldConf(text);
  } catch (error) {
    if (!(error instanceof OldConfError)) throw error;
    must(/^line \d+: /.test(error.message), "a line that is none of DynIP 0.1e is named");
    return;
  }
  const config = takeOver(old);
  if (!config) return;
  for (const section of ["server", "client"] as const) {
    for (const [key, value] of Object.entries(old[section] ?? {})) {
      const taken = (config[section] as unknown as Record<string, unknown>)[key];
      const wanted = key === "server_hostname" ? [value].filter((host) => host !== "") : value;
      must(Bun.deepEquals(taken, wanted), `${key} is taken over as it is`);
    }
  }
}

/** The new configuration, as `dynip init --from` makes it; undefined where a value is refused. */
function takeOver(old: OldConf): Config | undefined {
  const text = configText({
    secret: "A".repeat(43),
    server: old.server ?? {},
    client: { server_hostname: "localhost", ...old.client },
  });
  try {
    return parseConfig(text, "dynip.conf");
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    must(error.exitCode === EXIT.config, "a configuration is refused with exit code 3");
    return undefined;
  }
}

const TEXTS = [
  `# Server Configuration

[DynIP:Server]
server_ip = *
server_port = 28630
client_log_path = /var/lib/my dynip/dynip.json

[DynIP:Client]
server_hostname = vps.example.com ; home
server_port: 28632
`,
  "; comment\n[DynIP:Client]\nServer_Hostname: localhost\nSERVER_PORT=1\n",
  "[DynIP:Client]\r\nserver_hostname =\r\n",
];

const TOKENS = [
  "[DynIP:Server]\n",
  "[DynIP:Client]\n",
  "[constructor]\n",
  "__proto__ = 1\n",
  "server_port = ",
  "client_log_path = ",
  "\n",
  "\r",
  " ;",
  "=",
  ":",
  "]",
  "9".repeat(400),
  "\x7f",
  "\u2028",
  "\ufeff",
];
