/**
 * A home and a server that it reports to by HTTP, in a network of their own, so that nothing of it
 * reaches the internet. The server has the name and the port that `.github/ROUTERS.md` has, and the
 * proxies run with the texts of that page.
 */
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

import {
  cleanEnvironment,
  outputOf,
  type RunningProcess,
  type RunResult,
  startProcess,
} from "../../processes.ts";
import { temporaryFolder } from "../../temporary.ts";
import { eventually, TEST_MS, WAIT_MS } from "../../waiting.ts";
import { dynip, type Server, serve } from "../dynip.ts";
import { newNetwork, type Network } from "../network.ts";
import { passwordOf } from "../web.ts";
import { SECRET } from "../wire.ts";

/** How a report reaches the server: straight, or by HTTPS through a proxy. */
export type Way = "HTTP" | "Caddy" | "nginx";

/** The addresses of the client, from which its requests come. */
export const CLIENT = { ipv4: "203.0.113.9", ipv6: "2001:db8::9" } as const;

export interface Lab {
  /** How reports reach the server. */
  readonly way: Way;
  /** Where they go, for a router: the URL of the name's file, or the same by HTTP. */
  readonly url: string;
  readonly password: string;
  /** The certificate that the client trusts, in PEM. */
  readonly authority: string;
  /** The path of a file in the lab's folder. */
  file(name: string): string;
  /** Starts a program in the client's network. */
  start(command: readonly string[], env?: Record<string, string>): RunningProcess;
  /** Runs a program in the client's network to its end. */
  run(command: readonly string[], env?: Record<string, string>): Promise<RunResult>;
  /** The address of `home` that is durable, as the server says by HTTP; empty where there is none. */
  recorded(family?: "ipv4" | "ipv6"): Promise<string>;
  /** What the server has said since it was started last. */
  said(): string;
  /** Takes the folder of the client log away, so that nothing can be made durable. */
  takeDisk(): Promise<Outage>;
  /** Stops the server. */
  stopServer(): Promise<Outage>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Something is not there. It ends with its scope, at the latest. */
export interface Outage {
  end(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const PAGE = await Bun.file(
  join(import.meta.dir, "..", "..", "..", ".github", "ROUTERS.md"),
).text();

/** The first code block behind a text of `.github/ROUTERS.md`. */
export function blockAfter(text: string): string {
  return partAfter(text, /^```\w*\n([^]*?)^```$/m);
}

/** What the group of a pattern matches first behind a text of `.github/ROUTERS.md`. */
export function partAfter(text: string, pattern: RegExp): string {
  const [, rest] = PAGE.split(text);
  const part = pattern.exec(rest ?? "")?.[1];
  if (part === undefined) throw new Error(`.github/ROUTERS.md has no ${pattern} behind ${text}`);
  return part;
}

/** Servers and daemons are in no ordinary user's path. */
export const PATH = `${process.env["PATH"]}:/usr/sbin:/usr/local/sbin`;

export async function newLab(way: Way): Promise<Lab> {
  await using parts = new AsyncDisposableStack();
  const folder = parts.use(await temporaryFolder());
  const { file } = folder;
  const network = parts.use(newNetwork());
  giveAddresses(network);
  await writeFile(file("hosts"), HOSTS);
  const access = await writeConfigs(file, way);
  let server = await startServer(file, network);
  parts.defer(() => server[Symbol.asyncDispose]());
  if (way !== "HTTP") {
    await makeCertificate(file);
    parts.use(await startProxy(way, file, network));
  }
  const lab: Omit<Lab, typeof Symbol.asyncDispose> = {
    ...clientSide(file, network),
    ...access,
    way,
    authority: file("server.pem"),
    file,
    async recorded(family = "ipv4") {
      const url = new URL(`/hosts/home?family=${family}`, access.url);
      const { stdout } = await lab.run(["curl", "-sf", "-u", `home:${access.password}`, url.href]);
      return stdout.trim();
    },
    said: () => server.stderr(),
    async takeDisk() {
      await rename(file("disk"), file("away"));
      return outage(async () => {
        await rename(file("away"), file("disk"));
        await eventually("the disk is written to again", answers);
      });
    },
    async stopServer() {
      await server.stop();
      return outage(async () => {
        server = await startServer(file, network);
      });
    },
  };
  const answers = async () => {
    const { exitCode } = await lab.run(probe(access));
    if (exitCode !== 0) await Bun.sleep(300); // fewer tries than the server records in a minute
    return exitCode === 0;
  };
  await eventually(`reports arrive by ${way}`, answers);
  const all = parts.move();
  return { ...lab, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

function outage(end: () => Promise<void>): Outage {
  let ending: Promise<void> | undefined;
  const endOnce = () => (ending ??= end());
  return { end: endOnce, [Symbol.asyncDispose]: endOnce };
}

type FileOf = (name: string) => string;

interface Access {
  readonly url: string;
  readonly password: string;
}

const HOSTS = `127.0.0.1 localhost
203.0.113.1 dyn.example.com
2001:db8::1 dyn.example.com
`;

function giveAddresses(network: Network): void {
  for (const [side, ipv4, ipv6] of [
    ["server", "203.0.113.1", "2001:db8::1"],
    ["client", CLIENT.ipv4, CLIENT.ipv6],
  ] as const) {
    network.ip(side, `address add ${ipv4}/24 dev eth0`);
    network.ip(side, `address add ${ipv6}/64 dev eth0 nodad`);
  }
}

/**
 * Writes the server's configuration, and one for `home`.
 * @returns what the latter says to enter in a router
 */
async function writeConfigs(file: FileOf, way: Way): Promise<Access> {
  await mkdir(file("disk"));
  const http = way === "HTTP" ? 'ip = "::"\n' : "";
  await writeFile(
    file("dynip.toml"),
    `secret = "${SECRET}"\n[server]\nclient_log_path = "disk/dynip.json"\n[http]\n${http}`,
    { mode: 0o600 },
  );
  const args = ["--name", "home", "--from", file("dynip.toml"), "--server", "dyn.example.com"];
  const { exitCode, stderr } = await dynip(["init", file("home.toml"), ...args]);
  if (exitCode !== 0) throw new Error(stderr);
  const text = await Bun.file(file("home.toml")).text();
  const given = (what: string) => new RegExp(`^# +${what} +(.*)$`, "m").exec(text)![1]!;
  const url = given("URL");
  return {
    url: way === "HTTP" ? url.replace("https://dyn.example.com", HTTP_ORIGIN) : url,
    password: given("password"),
  };
}

const HTTP_ORIGIN = "http://dyn.example.com:28630";

function startServer(file: FileOf, network: Network): Promise<Server> {
  return serve([file("dynip.toml")], { within: network.on("server") });
}

/** A certificate that signs itself: the server's, and the authority that its clients trust. */
async function makeCertificate(file: FileOf): Promise<void> {
  await outputOf([
    ...["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=dyn.example.com"],
    ...["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    ...["-addext", "subjectAltName=DNS:dyn.example.com"],
    ...["-keyout", file("server.key"), "-out", file("server.pem")],
  ]);
}

async function startProxy(
  way: "Caddy" | "nginx",
  file: FileOf,
  network: Network,
): Promise<RunningProcess> {
  const config = file(way);
  await writeFile(config, way === "Caddy" ? caddyfile(file) : nginxConfig(file));
  const program =
    way === "Caddy"
      ? ["caddy", "run", "--adapter", "caddyfile", "--config", config]
      : ["nginx", "-e", "stderr", "-c", config];
  const env = { ...cleanEnvironment(), PATH, HOME: file("") };
  return startProcess([...network.on("server"), ...program], { env, deadline: LAB_MS });
}

const LAB_MS = 20 * TEST_MS;

/** The page's Caddyfile. The options in front of it replace the authority on the internet. */
function caddyfile(file: FileOf): string {
  return `{
	admin off
	local_certs
	skip_install_trust
	storage file_system "${file("caddy")}"
	pki {
		ca {
			root {
				cert "${file("server.pem")}"
				key "${file("server.key")}"
			}
		}
	}
}
${blockAfter("**Caddy**")}`;
}

/** The page's nginx snippet, with the test's certificate. It is one process, which ends by SIGKILL. */
function nginxConfig(file: FileOf): string {
  const snippet = blockAfter("**nginx**")
    .replace(/(ssl_certificate) .*;/, `$1 "${file("server.pem")}";`)
    .replace(/(ssl_certificate_key) .*;/, `$1 "${file("server.key")}";`);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (what) => `  ${what}_temp_path "${file(what)}";\n`,
  );
  return `daemon off;
master_process off;
pid "${file("nginx.pid")}";
events {}
http {
  access_log off;
${temporary.join("")}${snippet}}
`;
}

/** What runs on the client's side: its hosts file says where dyn.example.com is. */
function clientSide(file: FileOf, network: Network): Pick<Lab, "start" | "run"> {
  const script = 'mount --bind "$0" /etc/hosts && exec "$@"';
  const start: Lab["start"] = (command, env = {}) => {
    const trust = { SSL_CERT_FILE: file("server.pem"), CURL_CA_BUNDLE: file("server.pem") };
    return startProcess([...network.on("client"), "sh", "-c", script, file("hosts"), ...command], {
      env: { ...cleanEnvironment(), PATH, HOME: file(""), ...trust, ...env },
      deadline: 2 * WAIT_MS,
    });
  };
  return { start, run: (command, env) => start(command, env).result() };
}

/**
 * Reports an address for a name of its own, since the server records 60 reports a minute for each name;
 * exit code 0 if it is recorded.
 */
function probe({ url }: Access): string[] {
  const user = `probe:${passwordOf("probe")}`;
  return ["curl", "-sf", "-o", "/dev/null", "-u", user, `${url}?myip=192.0.2.1`];
}
