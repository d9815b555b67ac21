/**
 * The ways into DNS of `.github/NOTICES.md`, with a real dnsmasq and a real BIND on loopback. They are
 * skipped where one is missing; `bun run check:dns` fails there. CoreDNS is in no distribution that we test on: its
 * reading of a hosts file is written here from its plugin `hosts`.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { appendFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { canonicalAddress } from "../../src/protocol/address.ts";
import { PATH_WITH_SBIN } from "../bench/machine.ts";
import { missingBind, startNamed } from "../bench/named.ts";
import { cleanEnvironment, outputOf, runProcess, startProcess } from "../processes.ts";
import { freePort, type TemporaryFolder, temporaryFolder } from "../temporary.ts";
import { eventually, TEST_MS, WAIT_MS } from "../waiting.ts";
import { newSignedSetup, serve } from "./dynip.ts";
import { openPeer } from "./wire.ts";

setDefaultTimeout(TEST_MS);

const NOTICES = await Bun.file(join(import.meta.dir, "..", "..", ".github", "NOTICES.md")).text();
const DOMAIN = "dyn.example.com";
const mustRun = process.env["DYNIP_CHECK_DNS"] === "1";

const program = (name: string) => Bun.which(name, { PATH: PATH_WITH_SBIN });
const missingOf = (names: readonly string[]) => {
  const missing = names.filter((name) => !program(name));
  return missing.length > 0 ? `there is no ${missing.join(", ")}` : undefined;
};
const noDnsmasq = missingOf(["dnsmasq", "dig"]);
const noBind = missingBind() ?? missingOf(["dig"]);
const skipped = (why: string | undefined) => (why === undefined ? "" : ` (skipped: ${why})`);

/** The block of NOTICES.md that begins with this line. */
function blockOf(first: string): string {
  const block = NOTICES.split("```").find((part) => part.replace(/^\w*\n/, "").startsWith(first));
  if (block === undefined) throw new Error(`NOTICES.md has no block that begins with ${first}`);
  return block.replace(/^\w*\n/, "");
}

test.skipIf(!mustRun)("dnsmasq, named, nsupdate and dig are there", () => {
  expect([noDnsmasq, noBind]).toEqual([undefined, undefined]);
});

/** What a DNS server on a port of loopback says of a name. */
async function dig(port: number, name: string, type = "A"): Promise<string> {
  const options = ["+norecurse", "+tries=1", "+timeout=2", "-p", `${port}`, "@127.0.0.1"];
  return (await runProcess([program("dig")!, ...options, name, type])).stdout;
}

/** The addresses of a name there, sorted. */
async function addressesOf(port: number, name: string, type = "A"): Promise<string[]> {
  const answer = await dig(port, name, type);
  return [...answer.matchAll(/^\S+\s+\d+\s+IN\s+A{1,4}\s+(\S+)$/gm)]
    .filter(([line]) => line.startsWith(name))
    .map(([, address]) => address!)
    .sort();
}

/** A host that was there long ago, so that its removal from the log is taken over at once. */
const OLD = {
  ipv4: {
    address: "192.0.2.1",
    since: "2026-01-01T00:00:00.000Z",
    last_seen: "2026-01-02T00:00:00.000Z",
  },
  counter: "0000000000000005",
};

const OLD_LINE = `192.0.2.1 old.${DOMAIN}`;

/** A server that knows `old` and keeps a hosts file in a folder of its own. */
async function newLab() {
  const setup = await newSignedSetup({
    server: `hosts_path = "hosts.d/hosts"\nhosts_domain = "${DOMAIN}"`,
  });
  const folder = setup.file("hosts.d");
  await mkdir(folder);
  await writeFile(setup.logPath, JSON.stringify({ old: OLD }));
  const server = await serve([setup.config]);
  return {
    setup,
    server,
    folder,
    path: join(folder, "hosts"),
    async ping(name: string, address: string): Promise<void> {
      await using peer = await openPeer(server.port, address);
      expect((await peer.exchange(name)).type).toBe("A");
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await setup[Symbol.asyncDispose]();
    },
  };
}

/** Waits until the hosts file has exactly these lines, but for its comment. */
async function hostsAre(path: string, ...lines: string[]): Promise<void> {
  await eventually(`a hosts file with ${lines.join(", ")}`, async () => {
    const text = await readFile(path, "utf8").catch(() => "");
    return text.split("\n").slice(1, -1).join("\n") === lines.join("\n") && text !== "";
  });
}

// macOS has no 127.0.0.2 until it is configured.
const onLinux = test.skipIf(process.platform !== "linux");

describe.skipIf(noDnsmasq !== undefined)(`dnsmasq${skipped(noDnsmasq)}`, () => {
  /** Runs with the configuration of NOTICES.md, and reads the hosts files of a folder. */
  async function startDnsmasq(folder: string, place: TemporaryFolder) {
    const port = await freePort();
    const config = blockOf("no-hosts\n")
      .replace("/etc/dynip-hosts.d", folder)
      .replace("eth0", "lo");
    await writeFile(
      place.file("dnsmasq.conf"),
      `${config}port=${port}
listen-address=127.0.0.1
bind-interfaces
no-resolv
pid-file=
log-facility=-
user=
`,
    );
    const command = [program("dnsmasq")!, "-k", "-C", place.file("dnsmasq.conf")];
    const dnsmasq = startProcess(command, { deadline: TEST_MS });
    try {
      await dnsmasq.said("cleared cache", WAIT_MS);
    } catch (error) {
      await dnsmasq[Symbol.asyncDispose]();
      throw error;
    }
    return { ...dnsmasq, port };
  }

  onLinux("answers with the new address, and no longer with a name that was removed", async () => {
    await using place = await temporaryFolder();
    await using lab = await newLab();
    await lab.ping("nas", "127.0.0.1");
    await using dnsmasq = await startDnsmasq(lab.folder, place);
    const answers = (name: string, ...addresses: string[]) =>
      eventually(`${name} at ${addresses}`, async () =>
        Bun.deepEquals(await addressesOf(dnsmasq.port, `${name}.${DOMAIN}`), addresses),
      );
    await answers("nas", "127.0.0.1");
    const answer = await dig(dnsmasq.port, `nas.${DOMAIN}`);
    expect(answer).toMatch(/^;; flags: qr aa;/m);
    expect(answer).toMatch(/^nas\.dyn\.example\.com\.\s+60\s/m);

    await lab.ping("nas", "127.0.0.2");
    const moved = performance.now();
    await answers("nas", "127.0.0.2");
    if (mustRun) {
      const milliseconds = Math.round(performance.now() - moved);
      process.stderr.write(`from acknowledgement to answer: ${milliseconds} ms\n`);
    }
    await lab.ping("attic.pi", "127.0.0.3");
    await answers("attic.pi", "127.0.0.3");

    await answers("old", "192.0.2.1");
    const { old: _, ...others } = await lab.setup.readLog();
    await writeFile(lab.setup.logPath, JSON.stringify({ ...others, renamed: OLD }));
    await lab.server.said("forgot old: ");
    await answers("renamed", "192.0.2.1");
    await answers("old");
    expect(await dig(dnsmasq.port, `old.${DOMAIN}`)).toContain("status: NXDOMAIN");
    await answers("attic.pi", "127.0.0.3");

    // What it read beside the file itself: it says so of any other file that appears there.
    await writeFile(join(lab.folder, "other"), "127.0.0.9 other.dyn.example.com\n");
    await answers("other", "127.0.0.9");
    const read = [...dnsmasq.stderr().matchAll(/hosts\.d\/(\S+?)(?: |,|$)/gm)].map(
      ([, name]) => name,
    );
    expect([...new Set(read)].sort()).toEqual(["hosts", "other"]);
  });

  onLinux("reads the copy that the unit of root's makes", async () => {
    await using place = await temporaryFolder();
    await using lab = await newLab();
    await mkdir(place.file("copies"));
    await using dnsmasq = await startDnsmasq(place.file("copies"), place);
    const copy = [...NOTICES.matchAll(/^ExecStart=(.*)$/gm)]
      .map(([, command]) => command!)
      .join(" && ")
      .replaceAll("/var/lib/dynip/hosts", `'${lab.path}'`)
      .replaceAll("/etc/dynip-hosts.d", `'${place.file("copies")}'`);
    for (const address of ["127.0.0.1", "127.0.0.2"]) {
      await lab.ping("nas", address);
      await hostsAre(lab.path, `${address} nas.${DOMAIN}`, OLD_LINE);
      await outputOf(["sh", "-c", copy]);
      await eventually(`nas at ${address}`, async () =>
        Bun.deepEquals(await addressesOf(dnsmasq.port, `nas.${DOMAIN}`), [address]),
      );
    }
  });
});

describe("the hosts file", () => {
  /** The names and their addresses, as CoreDNS reads them: plugin/hosts/hostsfile.go, parse. */
  function readAsCoreDns(text: string): Record<string, string[]> {
    const found: Record<string, string[]> = {};
    for (const line of text.split("\n")) {
      const [address, ...names] = line.split("#", 1)[0]!.trim().split(/\s+/);
      if (address === undefined || names.length === 0) continue;
      if (canonicalAddress(address) === undefined) throw new Error(`no address: ${line}`);
      for (const name of names) (found[name.toLowerCase()] ??= []).push(address);
    }
    return found;
  }

  test("is what CoreDNS reads, has signed hosts alone, and outlives a restart", async () => {
    await using lab = await newLab();
    await lab.ping("nas", "127.0.0.1");
    await lab.ping("under_score", "127.0.0.1");
    await hostsAre(lab.path, `127.0.0.1 nas.${DOMAIN}`, OLD_LINE);
    await lab.server.said('under_score is not in hosts file "');
    expect(readAsCoreDns(await readFile(lab.path, "utf8"))).toEqual({
      [`nas.${DOMAIN}`]: ["127.0.0.1"],
      [`old.${DOMAIN}`]: ["192.0.2.1"],
    });
    expect(await readdir(lab.folder)).toEqual(["hosts"]);
    await lab.server.stop("SIGTERM");
    await using again = await serve([lab.setup.config]);
    await hostsAre(lab.path, `127.0.0.1 nas.${DOMAIN}`, OLD_LINE);
    expect((await again.stop("SIGTERM")).stderr).not.toContain("Cannot write");
  });
});

describe.skipIf(noBind !== undefined)(`BIND${skipped(noBind)}`, () => {
  test("takes the addresses that the script of NOTICES.md sends it, and nothing else", async () => {
    const policy = /^ {2}(update-policy .*)$/m.exec(NOTICES)![1]!;
    await using folder = await temporaryFolder();
    await using named = await startNamed({ name: `${DOMAIN}.`, key: "dynip", updates: policy });
    const script = folder.file("script");
    const text = blockOf("#!/bin/sh\ncase $DYNIP_EVENT:")
      .replace("/etc/dynip/dns.key", `'${named.file("key")}'`)
      .replace("server 127.0.0.1", `server 127.0.0.1 ${named.port}`);
    expect(text.trim().split("\n").length).toBeLessThan(12);
    await writeFile(script, text, { mode: 0o755 });
    const tell = (event: string, name: string, family: string, address: string, how = "proven") =>
      runProcess([script], {
        env: {
          ...cleanEnvironment(),
          PATH: PATH_WITH_SBIN,
          DYNIP_EVENT: event,
          DYNIP_NAME: name,
          DYNIP_FAMILY: family,
          DYNIP_ADDRESS: address,
          DYNIP_PREVIOUS: "",
          DYNIP_HOW: how,
          DYNIP_TIME: "2026-11-22T13:01:02.123Z",
          DYNIP_MESSAGE: "a message",
        },
      });
    const DONE = { exitCode: 0, stdout: "", stderr: "" };
    const a = () => addressesOf(named.port, `nas.${DOMAIN}`);
    const aaaa = () => addressesOf(named.port, `nas.${DOMAIN}`, "AAAA");

    expect(await tell("new", "nas", "ipv4", "203.0.113.7")).toEqual(DONE);
    expect(await a()).toEqual(["203.0.113.7"]);
    expect(await tell("moved", "nas", "ipv4", "198.51.100.9")).toEqual(DONE);
    expect(await tell("new", "nas", "ipv6", "2001:db8::7")).toEqual(DONE);
    expect([await a(), await aaaa()]).toEqual([["198.51.100.9"], ["2001:db8::7"]]);
    for (const event of ["silent", "back", "test"]) {
      expect(await tell(event, "nas", "ipv4", "203.0.113.66")).toEqual(DONE);
    }
    expect(await tell("moved", "nas", "ipv4", "203.0.113.66", "plain")).toEqual(DONE);
    for (const name of ["*", "a b", "x;y", "NAS", "ns\nsend"]) {
      expect(await tell("new", name, "ipv4", "203.0.113.66")).toEqual(DONE);
    }
    expect([await a(), await aaaa()]).toEqual([["198.51.100.9"], ["2001:db8::7"]]);
    expect(await tell("moved", "nas", "ipv4", "203.0.113.9", "claimed")).toEqual(DONE);
    expect(await a()).toEqual(["203.0.113.9"]);

    // The server itself runs it.
    await using setup = await newSignedSetup();
    await appendFile(setup.config, `[notify]\ncommand = [${JSON.stringify(script)}]\n`);
    const env = { PATH: PATH_WITH_SBIN };
    await using server = await serve([setup.config], { env });
    await using peer = await openPeer(server.port);
    expect((await peer.exchange("nas")).type).toBe("A");
    await eventually("nas at 127.0.0.1", async () => Bun.deepEquals(await a(), ["127.0.0.1"]));
  });
});
