/**
 * `bun run demo`: shows a newcomer what dynip is for. A server records where a machine is, the machine's
 * address changes, and a laptop asks the server for the new one. All of it runs on this machine, in a
 * temporary folder that is removed at the end.
 *
 * A line of the output begins with the machine that it is of: `server | `, `nas    | `, `laptop | `.
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { copyFile, mkdir, readFile, realpath, writeFile } from "node:fs/promises";
import { resolve } from "node:path";

import { errorCode } from "../src/system/errors.ts";
import {
  cleanEnvironment,
  expectSuccess,
  type RunResult,
  runProcess,
  startProcess,
} from "./processes.ts";
import { freePort, temporaryFolder } from "./temporary.ts";

type Place = "server" | "nas" | "laptop";

const WINDOWS = process.platform === "win32";
const BINARY = resolve(import.meta.dir, "..", "dist", WINDOWS ? "dynip.exe" : "dynip");
const LOCALHOST = "127.0.0.1";
/** The addresses of nas's router, one after the other. Linux has them; macOS has 127.0.0.1 alone. */
const FIRST_HOME = "127.0.0.2";
const SECOND_HOME = "127.0.0.3";

await using folder = await temporaryFolder();
const root = await realpath(folder.path);
for (const place of ["server", "nas", "laptop"]) await mkdir(folder.file(place));
const serverPort = await freePort();
const hasHomes = await canBind(SECOND_HOME);
const home = await router(hasHomes ? FIRST_HOME : LOCALHOST);

command("server", "dynip init", "writes dynip.toml, with a new secret");
show("server", firstLine(await dynip("server", "init")));
await edit("server/dynip.toml", [
  ["server_port = 28630", `server_port = ${serverPort}`],
  ['server_ip = "*"', `server_ip = "${LOCALHOST}"`],
  ['# readers = ["laptop"]', 'readers = ["laptop"]'],
]);

await initFor("nas", "nas.toml, with a key of its own");
await edit("nas/dynip.toml", [[`server_port = ${serverPort}`, `server_port = ${home.port}`]]);
tell("nas", "nas.toml is copied to nas, as dynip.toml");
await initFor("laptop", "laptop.toml, for the road");
tell(
  "laptop",
  'laptop.toml is copied to the laptop, and may ask: readers = ["laptop"] on the server',
);

command("server", "dynip serve", "records every ping until it is stopped");
await using server = startProcess([BINARY, "serve"], {
  cwd: folder.file("server"),
  env: cleanEnvironment(),
});
let shown = 0;
await serverSays("listening");

await ping("tells the server; cron runs it every 5 minutes", "new host nas");
if (hasHomes) {
  tell("nas", "later, the provider gives nas another address");
  await home.moveTo(SECOND_HOME);
  await ping("the next of them", "nas moved");
} else {
  tell("nas", `nas cannot move here: this system does not have the address ${SECOND_HOME}`);
}
command("laptop", "dynip ping --find nas", "where is nas?");
show("laptop", firstLine(await dynip("laptop", "ping", "--find", "nas")));

home.close();
const { exitCode } = await server.stop("SIGINT");
if (exitCode !== 0 && !WINDOWS) throw new Error(`the server ended with ${exitCode}`);
console.log(`\nThat was all. ${root} is removed; the program is dist/dynip.`);

async function ping(meaning: string, news: string): Promise<void> {
  command("nas", "dynip ping", meaning);
  const { stderr } = await dynip("nas", "ping", "-v");
  await serverSays(news);
  show(
    "nas",
    stderr.split("\n").find((line) => line.includes(" recorded nas at "))!,
  );
}

/** Waits until the server has said something, and shows all that it said since the last time. */
async function serverSays(news: string): Promise<void> {
  await server.said(new RegExp(`${news}.*\n`));
  const text = server.stderr();
  const end = text.lastIndexOf("\n") + 1;
  for (const line of text.slice(shown, end).trimEnd().split("\n")) show("server", line);
  shown = end;
}

/** Makes the configuration of a machine at the server, and copies it there. */
async function initFor(name: Exclude<Place, "server">, meaning: string): Promise<void> {
  const args = ["init", "--name", name, "--server", "localhost"];
  command("server", `dynip ${args.join(" ")}`, meaning);
  show("server", firstLine(await dynip("server", ...args)));
  await copyFile(folder.file(`server/${name}.toml`), folder.file(`${name}/dynip.toml`));
}

/** Shows what is typed at a machine. */
function command(place: Place, typed: string, meaning: string): void {
  console.log();
  show(place, `$ ${typed}  # ${meaning}`);
}

function show(place: Place, line: string): void {
  console.log(`${place.padEnd(6)} | ${line}`);
}

/** Says what happens at a machine in between. */
function tell(place: Place, text: string): void {
  console.log();
  show(place, `# ${text}`);
}

function firstLine({ stdout }: RunResult): string {
  return stdout.slice(0, stdout.indexOf("\n"));
}

/** Runs dynip to its end in a machine's folder. */
async function dynip(place: Place, ...args: string[]): Promise<RunResult> {
  const command = [BINARY, ...args];
  const options = { cwd: folder.file(place), env: cleanEnvironment() };
  return expectSuccess(command, await runProcess(command, options));
}

async function edit(name: string, changes: readonly [before: string, after: string][]) {
  let text = await readFile(folder.file(name), "utf8");
  for (const [before, after] of changes) {
    if (!text.includes(before)) throw new Error(`${name} has no ${before}`);
    text = text.replaceAll(before, after);
  }
  await writeFile(folder.file(name), text);
}

async function canBind(address: string): Promise<boolean> {
  try {
    (await bound(address)).close();
    return true;
  } catch (error) {
    if (errorCode(error) !== "EADDRNOTAVAIL") throw error;
    return false;
  }
}

async function bound(address: string): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(0, address);
  await once(socket, "listening");
  return socket;
}

/**
 * The router of nas's home: what is sent to `port` of this machine comes to the server from the router's
 * address, and the server's answers go back.
 */
async function router(first: string) {
  const inside = await bound(LOCALHOST);
  let outside: Socket;
  let client: { address: string; port: number } | undefined;
  const moveTo = async (address: string): Promise<void> => {
    outside?.close();
    outside = await bound(address);
    outside.on("message", (datagram) => {
      if (client) inside.send(datagram, client.port, client.address);
    });
  };
  await moveTo(first);
  inside.on("message", (datagram, sender) => {
    client = sender;
    outside.send(datagram, serverPort, LOCALHOST);
  });
  return {
    port: inside.address().port,
    get address() {
      return outside.address().address;
    },
    moveTo,
    close() {
      inside.close();
      outside.close();
    },
  };
}
