/** BIND 9 on loopback. It takes signed updates of one zone and journals each before it answers. */
import { freePort, temporaryFolder } from "../temporary.ts";
import { PATH_WITH_SBIN } from "./machine.ts";
import { run, startProgram } from "./processes.ts";

export const ZONE = "bench.";

/** Why BIND cannot be measured here; undefined where it can. */
export function missingBind(): string | undefined {
  const missing = ["named", "nsupdate", "tsig-keygen"].find((name) => !which(name));
  return missing && `there is no ${missing} (Debian: bind9, bind9-dnsutils)`;
}

export interface Named {
  readonly port: number;
  /** The command that sends the updates of a script, see {@link update}. */
  nsupdate(script: string): string[];
  /** The path of a file in the folder of named. */
  file(name: string): string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What named serves, and the name of the key that may update it. */
export interface NamedZone {
  name: string;
  key: string;
  /** What the key may do, as a statement of the zone. */
  updates: string;
}

const BENCH: NamedZone = { name: ZONE, key: "bench", updates: "allow-update { key bench; };" };

/** Starts named in a temporary folder and waits until it runs. */
export async function startNamed(zone: NamedZone = BENCH): Promise<Named> {
  const folder = await temporaryFolder();
  try {
    const port = await freePort();
    const key = folder.file("key");
    await Bun.write(key, (await run([which("tsig-keygen")!, zone.key])).stdout);
    await Bun.write(folder.file("zone"), zoneText(zone.name));
    await Bun.write(folder.file("named.conf"), configuration(folder.path, port, zone));
    const command = [which("named")!, "-f", "-c", folder.file("named.conf")];
    const named = await startProgram(command, /^running$/m);
    return {
      port,
      file: folder.file,
      nsupdate: (script) => [which("nsupdate")!, "-k", key, script],
      async [Symbol.asyncDispose]() {
        await named[Symbol.asyncDispose]();
        await folder[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}

/** The beginning of a script for nsupdate, with server and zone, so that nsupdate looks up neither. */
export function scriptHead(port: number): string {
  return `server 127.0.0.1 ${port}\nzone ${ZONE}\n`;
}

/** One update that changes the address of a host, as a dynamic DNS client sends it. */
export function update(host: string, address: string): string {
  const name = `${host}.${ZONE}`;
  return `update delete ${name} A\nupdate add ${name} 300 A ${address}\nsend\n`;
}

function which(program: string): string | null {
  return Bun.which(program, { PATH: PATH_WITH_SBIN });
}

function zoneText(zone: string): string {
  return `$TTL 300
@ SOA ns.${zone} hostmaster.${zone} 1 3600 600 86400 300
@ NS ns.${zone}
ns A 127.0.0.1
`;
}

/** Turns off what costs time here, such as a line of the log per update. */
function configuration(folder: string, port: number, { name, updates }: NamedZone): string {
  return `include "${folder}/key";
options {
  directory "${folder}";
  listen-on port ${port} { 127.0.0.1; };
  listen-on-v6 { none; };
  pid-file none;
  session-keyfile none;
  recursion no;
  dnssec-validation no;
  notify no;
};
controls { };
logging {
  channel messages { stderr; severity info; };
  category default { messages; };
  category update { null; };
  category update-security { null; };
};
zone "${name}" { type primary; file "${folder}/zone"; ${updates} };
`;
}
