/**
 * `bun run demo`: shows the three commands of dynip to a newcomer. A server records the address of a
 * client, on a free port of this machine, in a temporary folder that is removed at the end.
 */
import { readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";

import { expectSuccess, runProcess } from "./processes.ts";
import { freePort, temporaryFolder } from "./temporary.ts";
import { eventually } from "./waiting.ts";

const WINDOWS = process.platform === "win32";
const BINARY = resolve(import.meta.dir, "..", "dist", WINDOWS ? "dynip.exe" : "dynip");
const DEADLINE_MS = 20_000;

await using folder = await temporaryFolder();
const config = folder.file("dynip.toml");
const log = folder.file("dynip.json");
const port = await freePort();

step("dynip init dynip.toml", "writes a configuration");
const { stdout } = await dynip("init", config);
show(stdout.slice(0, stdout.indexOf("\n")));
const text = await readFile(config, "utf8");
const local = text
  .replaceAll("server_port = 28630", `server_port = ${port}`)
  .replace('server_ip = "*"', 'server_ip = "127.0.0.1"')
  .replace('# client_name = "nas"', 'client_name = "nas"');
await writeFile(config, local);
show(`(for this demo on port ${port} of this machine alone)`);

step("dynip serve dynip.toml", "records every ping until it is stopped");
const server = Bun.spawn([BINARY, "serve", config], { stderr: "pipe", timeout: DEADLINE_MS });
const said = lines(server.stderr);
await said.until("listening");

step("dynip ping dynip.toml", "tells the server, once; cron does that every 5 minutes");
const { stderr } = await dynip("ping", "-v", config);
await said.until("new host");
stderr
  .split("\n")
  .filter((line) => line.includes("recorded"))
  .forEach(show);

step("Ctrl-C", "stops the server; nothing accepted is lost");
await Bun.sleep(WINDOWS ? 1000 : 0); // Windows ends a process at once: the log must be written by then
server.kill("SIGINT");
const exitCode = await server.exited;
await said.end();
if (exitCode !== 0 && !WINDOWS) throw new Error(`the server ended with ${exitCode}`);

step("cat dynip.json", "what was recorded");
const recorded = await readFile(log, "utf8");
for (const line of recorded.trimEnd().split("\n")) show(line);
if (!recorded.includes('"127.0.0.1"')) throw new Error("the client's address was not recorded");

console.log(`\nThat was all. ${folder.path} is removed; the program is dist/dynip.`);

function step(command: string, meaning: string): void {
  console.log(`\n$ ${command}\n  # ${meaning}`);
}

function show(line: string): void {
  console.log(`  ${line}`);
}

/** Runs dynip to its end. */
async function dynip(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const command = [BINARY, ...args];
  return expectSuccess(command, await runProcess(command));
}

/** Shows the lines of a stream as they come; `until` waits for one with a word in it. */
function lines(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
  let seen = "";
  const reading = (async () => {
    let rest = "";
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
      seen += chunk;
      const whole = (rest + chunk).split("\n");
      rest = whole.pop()!;
      whole.forEach(show);
    }
  })();
  return {
    end: () => reading,
    until: (word: string) => eventually(word, () => seen.includes(word), DEADLINE_MS),
  };
}
