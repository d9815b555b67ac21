/** The hosts file with a disk and a clock that the test controls. */
import { describe, expect, test } from "bun:test";

import type { Change, Host } from "../../src/host.ts";
import { HOSTS_FILE_HEAD, HostsFile } from "../../src/server/hosts-file.ts";
import { recordedLog } from "../recorded-log.ts";
import { eventually } from "../waiting.ts";
import { HostMap } from "../world.ts";

const signed = (ipv4?: string, ipv6?: string): Host => ({
  ...(ipv4 && { ipv4: { address: ipv4, since: 0, lastSeen: 0 } }),
  ...(ipv6 && { ipv6: { address: ipv6, since: 0, lastSeen: 0 } }),
  counter: 1,
});
const { counter: _, ...plain } = signed("192.0.2.66");

/** A hosts file of these hosts on a disk that keeps each version. */
function newHostsFile(known: Readonly<Record<string, Host>> = {}, domain = "example.com") {
  const hosts = new HostMap(Object.entries(known));
  const log = recordedLog();
  const versions: string[] = [];
  const pauses: { milliseconds: number; end: () => void }[] = [];
  const disk: { content: string | undefined; error: Error | undefined } = {
    content: undefined,
    error: undefined,
  };
  const file = new HostsFile({
    hosts,
    domain,
    path: "/srv/hosts",
    read: async () => (disk.content === undefined ? undefined : Buffer.from(disk.content)),
    async replace(chunks) {
      await Bun.sleep(0);
      if (disk.error) throw disk.error;
      disk.content = [...chunks].join("");
      versions.push(disk.content.replace(HOSTS_FILE_HEAD, ""));
    },
    log,
    reasonOf: (error) => (error as Error).message,
    now: () => 0,
    sleep: (milliseconds, signal) =>
      new Promise<void>((resolve) => {
        pauses.push({ milliseconds, end: resolve });
        if (signal.aborted) resolve();
        signal.addEventListener("abort", () => resolve());
      }),
  });
  return {
    file,
    hosts,
    log,
    versions,
    pauses,
    disk,
    /** A ping: the host is in the hosts, and the file is told. */
    ping(name: string, now: Host, family: Change["family"] = "ipv4"): void {
      const before = hosts.get(name);
      hosts.set(name, now);
      const how = now.counter === undefined ? "plain" : "proven";
      file.changed({ name, family, before, now, time: 0, how });
    },
    /** Waits for the pause behind the write of this number, and ends it. */
    async pass(number: number): Promise<void> {
      await eventually(`pause ${number}`, () => pauses.length === number);
      pauses.at(-1)!.end();
    },
  };
}

test("it has a line for each address of each signed host whose name is a DNS name, sorted", async () => {
  const it = newHostsFile({
    zoo: signed("192.0.2.3"),
    nas: signed("192.0.2.1", "2001:db8::1"),
    "nas.attic": signed(undefined, "2001:db8::2"),
    plain,
    under_score: signed("192.0.2.4"),
    [`${"a".repeat(64)}`]: signed("192.0.2.5"),
  });
  it.file.begin();
  await it.pass(1);
  expect(it.disk.content).toBe(`${HOSTS_FILE_HEAD}192.0.2.1 nas.example.com
2001:db8::1 nas.example.com
2001:db8::2 nas.attic.example.com
192.0.2.3 zoo.example.com
`);
  expect(it.log.lines.filter((line) => line.startsWith("warn"))).toEqual([
    'warn: under_score is not in hosts file "/srv/hosts": it is no DNS name',
  ]);
  await it.file.close();
});

test("it is not written at the start if it is what is known, and is if it is not", async () => {
  const it = newHostsFile({ nas: signed("192.0.2.1") });
  it.disk.content = `${HOSTS_FILE_HEAD}192.0.2.1 nas.example.com\n`;
  it.file.begin();
  await it.pass(1);
  expect(it.versions).toEqual([]);
  await it.file.close();

  for (const old of [
    "",
    `${HOSTS_FILE_HEAD}192.0.2.1 nas.example.com\n192.0.2.2 pi.example.com\n`,
  ]) {
    const other = newHostsFile({ nas: signed("192.0.2.1") });
    other.disk.content = old;
    other.file.begin();
    await other.pass(1);
    expect(other.versions).toEqual(["192.0.2.1 nas.example.com\n"]);
    await other.file.close();
  }
});

test("it is written when an address changes, and for nothing else", async () => {
  const it = newHostsFile({ nas: signed("192.0.2.1"), tv: plain });
  it.file.begin();
  await it.pass(1);
  it.ping("nas", signed("192.0.2.1")); // still there
  it.ping("tv", plain);
  it.ping("radio", plain);
  await Bun.sleep(5);
  expect(it.versions).toHaveLength(1);
  it.ping("nas", signed("192.0.2.9"));
  await it.pass(2);
  it.ping("nas", signed("192.0.2.9", "2001:db8::9"), "ipv6");
  await it.pass(3);
  it.ping("pi", signed("192.0.2.2"));
  await it.pass(4);
  it.ping("tv", signed("192.0.2.66")); // it was plain, at the same address
  await it.pass(5);
  expect(it.versions.slice(1)).toEqual([
    "192.0.2.9 nas.example.com\n",
    "192.0.2.9 nas.example.com\n2001:db8::9 nas.example.com\n",
    "192.0.2.9 nas.example.com\n2001:db8::9 nas.example.com\n192.0.2.2 pi.example.com\n",
    "192.0.2.9 nas.example.com\n2001:db8::9 nas.example.com\n192.0.2.2 pi.example.com\n192.0.2.66 tv.example.com\n",
  ]);
  await it.file.close();
});

test("a host that an edit of the client log removes goes, and one that it adds comes", async () => {
  const it = newHostsFile({ nas: signed("192.0.2.1"), pi: signed("192.0.2.2") });
  it.file.begin();
  await it.pass(1);
  it.hosts.delete("nas");
  it.file.edited({ name: "nas", kind: "removed" });
  it.hosts.set("attic", signed("192.0.2.1"));
  it.file.edited({ name: "attic", kind: "added" });
  it.file.edited({ name: "unknown", kind: "removed" });
  it.hosts.set("tv", plain);
  it.file.edited({ name: "tv", kind: "added" });
  await it.pass(2);
  expect(it.versions[1]).toBe("192.0.2.1 attic.example.com\n192.0.2.2 pi.example.com\n");
  await it.file.close();
});

test("what changes while it is written, or in the pause behind that, is in one more version", async () => {
  const it = newHostsFile();
  it.file.begin();
  for (let host = 0; host < 700; host++) it.ping(`h${host}`, signed("192.0.2.1"));
  await it.pass(1);
  for (let host = 0; host < 700; host++) it.ping(`h${host}`, signed("192.0.2.2"));
  await it.pass(2);
  await Bun.sleep(5);
  expect(it.versions).toHaveLength(2);
  expect(it.versions[1]!.match(/^192\.0\.2\.2 h\d+\.example\.com$/gm)).toHaveLength(700);
  await it.file.close();
});

describe("a disk that refuses", () => {
  test("is said once and tried again with growing pauses, and that it works again is said", async () => {
    const it = newHostsFile({ nas: signed("192.0.2.1") });
    it.disk.error = new Error("no space is left");
    it.file.begin();
    for (let pause = 1; pause <= 9; pause++) await it.pass(pause);
    expect(it.pauses.map(({ milliseconds }) => milliseconds)).toEqual([
      500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000,
    ]);
    expect(it.log.lines).toEqual([
      'error: Cannot write hosts file "/srv/hosts": no space is left',
      "hint: it is tried again until it works, at least once a minute",
    ]);
    it.disk.error = undefined;
    await eventually("a version", () => it.versions.length === 1);
    expect(it.log.lines).toContain('warn: hosts file "/srv/hosts" is written again');
    await it.file.close();
  });

  test("does not keep the server from stopping", async () => {
    const it = newHostsFile({ nas: signed("192.0.2.1") });
    it.disk.error = new Error("no space is left");
    it.file.begin();
    await eventually("a pause", () => it.pauses.length === 1);
    await it.file.close();
    expect(it.versions).toEqual([]);
  });
});

test("a file that dynip did not write is left alone until it is gone", async () => {
  const it = newHostsFile({ nas: signed("192.0.2.1") });
  it.disk.content = "127.0.0.1 localhost\n";
  it.file.begin();
  await it.pass(1);
  await eventually("a second try", () => it.pauses.length === 2);
  expect(it.disk.content).toBe("127.0.0.1 localhost\n");
  expect(it.log.lines[0]).toBe(
    'error: Cannot write hosts file "/srv/hosts": dynip did not write it; move it away, or change hosts_path',
  );
  it.disk.content = undefined;
  await it.pass(2);
  await eventually("a version", () => it.versions.length === 1);
  await it.file.close();
});

test("what changed in the pause is written when the server stops", async () => {
  const it = newHostsFile();
  it.file.begin();
  await eventually("a pause", () => it.pauses.length === 1);
  it.ping("nas", signed("192.0.2.1"));
  await it.file.close();
  expect(it.versions).toEqual(["", "192.0.2.1 nas.example.com\n"]);
});
