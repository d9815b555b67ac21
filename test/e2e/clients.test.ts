/**
 * Programs that report an address by dyndns2 as routers do, against the compiled server: straight by
 * HTTP, and by HTTPS through Caddy and nginx with the texts of `.github/ROUTERS.md`. What is not
 * installed is skipped; `bun run check:clients` fails there.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";

import type { RunningProcess } from "../processes.ts";
import { eventually, TEST_MS, WAIT_MS } from "../waiting.ts";
import { newDdclient, type Settings } from "./clients/ddclient.ts";
import { newInadyn } from "./clients/inadyn.ts";
import { CLIENT, type Lab, newLab, type Outage, partAfter, PATH, type Way } from "./clients/lab.ts";
import { whyNoNetwork } from "./network.ts";

setDefaultTimeout(TEST_MS);

const whyNoLab = whyNoNetwork();

/** Why something cannot run here; undefined where it can. The programs have their Debian packages' names. */
function whyNot(...programs: readonly string[]): string | undefined {
  const missing = programs.filter((name) => !Bun.which(name, { PATH }));
  if (missing.length > 0) return `needs ${missing.join(", ")} (Debian: the packages of that name)`;
  return whyNoLab;
}

const skipped = (why: string | undefined) => (why === undefined ? "" : ` (skipped: ${why})`);
const mustRun = process.env["DYNIP_CHECK_CLIENTS"] === "1";

test.skipIf(!mustRun)("all that these tests need is there", () => {
  const all = ["ddclient", "inadyn", "caddy", "nginx", "curl", "wget", "openssl"];
  expect(whyNot(...all)).toBeUndefined();
});

const WAYS: readonly [way: Way, why: string | undefined][] = [
  ["HTTP", whyNot("curl")],
  ["Caddy", whyNot("curl", "caddy", "openssl")],
  ["nginx", whyNot("curl", "nginx", "openssl")],
];

/** What makes a report fail: its settings, or what happens to the server. */
type Cause = Settings | ((lab: Lab) => Promise<Outage>);

const WRONG_PASSWORD = { password: "A".repeat(22) };
const FOREIGN = { hostname: "nas" };
const noDisk = (lab: Lab) => lab.takeDisk();
const noServer = (lab: Lab) => lab.stopServer();

/** An address that no test reported before. */
let addresses = 0;
const newAddress = (): string => `198.51.100.${++addresses}`;

for (const [way, why] of WAYS) {
  describe.skipIf(why !== undefined)(`by ${way}${skipped(why)}`, () => {
    let lab: Lab;
    beforeAll(async () => {
      lab = await newLab(way);
    });
    afterAll(() => lab[Symbol.asyncDispose]());

    const noDdclient = whyNot("ddclient");
    describe.skipIf(noDdclient !== undefined)(`ddclient${skipped(noDdclient)}`, () => {
      test("takes an address that changed, and one that did not, for a success", async () => {
        const address = newAddress();
        for (const said of ["SUCCESS:  updating home: good: IP address", "home: nochg: "]) {
          const ddclient = newDdclient(lab);
          const { exitCode, stdout, stderr } = await ddclient.report(address);
          expect({ exitCode, output: stdout + stderr }).toEqual({
            exitCode: 0,
            output: expect.stringContaining(said),
          });
          expect(await ddclient.cached()).toEqual({ status: "good", address });
          expect(await lab.recorded()).toBe(address);
        }
      });

      test("takes a success for all that it has to do", async () => {
        const ddclient = newDdclient(lab);
        const address = newAddress();
        await ddclient.report(address);
        await using _stopped = await lab.stopServer();
        const { exitCode, stdout } = await ddclient.report(address);
        expect(exitCode).toBe(0);
        expect(stdout).toContain("home: skipped: IP address was already set");
      });

      /** ddclient 3.10 says nothing of a status that is neither 2xx nor 401, and ends with 0. */
      const quietly = { exitCode: 0, said: undefined };
      const refused = { exitCode: 1, said: "FAILED:   updating home: Could not connect to" };
      test.each<[string, Cause, { exitCode: number; said: string | undefined }]>([
        [
          "a wrong password",
          WRONG_PASSWORD,
          { exitCode: 1, said: "FAILED:   updating home: authorization failed" },
        ],
        ["a hostname of another", FOREIGN, quietly],
        ["a disk that refuses", noDisk, quietly],
        ["a server that is stopped", noServer, way === "HTTP" ? refused : quietly],
      ])("takes %s for a failure, and tries again after 5 minutes", async (_, cause, expected) => {
        const address = newAddress();
        const ddclient = newDdclient(lab);
        await using outage = typeof cause === "function" ? await cause(lab) : undefined;
        const settings = typeof cause === "function" ? {} : cause;
        const { exitCode, stdout, stderr } = await ddclient.report(address, settings);
        const said = /^(?:FAILED|SUCCESS):.*/m.exec(stdout + stderr)?.[0];
        expect(exitCode).toBe(expected.exitCode);
        if (expected.said === undefined) expect(said).toBeUndefined();
        else expect(said).toStartWith(expected.said);
        expect(await ddclient.cached()).toEqual({ status: "noconnect", address: undefined });

        await outage?.end();
        expect(await lab.recorded()).not.toBe(address);
        const { hostname } = settings;
        const cured = hostname === undefined ? {} : { hostname };
        const soon = await ddclient.report(address, cured);
        expect(soon.stderr).toContain("Wait at least 5 minutes between update attempts");
        expect(soon.stdout).not.toContain("UPDATE:");
        await ddclient.wait5Minutes();
        const later = await ddclient.report(address, cured);
        expect(later.stdout).toContain("UPDATE:");
        if (hostname !== undefined) return;
        expect(await ddclient.cached()).toEqual({ status: "good", address });
        expect(await lab.recorded()).toBe(address);
      });
    });

    const noInadyn = whyNot("inadyn");
    describe.skipIf(noInadyn !== undefined)(`inadyn${skipped(noInadyn)}`, () => {
      test("takes an address that changed, and one that did not, for a success", async () => {
        const address = newAddress();
        for (const _ of ["changed", "the same"]) {
          const inadyn = newInadyn(lab);
          const { exitCode, stderr } = await inadyn.report(address);
          expect({ exitCode, stderr }).toEqual({
            exitCode: 0,
            stderr: expect.stringContaining("Updating cache for home"),
          });
          expect(await inadyn.cached()).toBe(address);
          expect(await lab.recorded()).toBe(address);
        }
      });

      test.each([
        ["a wrong password", WRONG_PASSWORD, 50, "[401 Unauthorized] badauth"],
        ["a hostname of another", FOREIGN, 48, "[404 Not Found] nohost"],
      ])("gives up for good after %s", async (_, settings, code, said) => {
        const address = newAddress();
        const inadyn = newInadyn(lab);
        const { exitCode, stderr } = await inadyn.report(address, settings);
        expect({ exitCode, stderr }).toEqual({
          exitCode: code,
          stderr: expect.stringContaining(said),
        });
        expect(await inadyn.cached()).toBeUndefined();
        expect(await lab.recorded()).not.toBe(address);
      });

      test.each([
        ["a disk that refuses", noDisk, "[503 Service Unavailable] 911"],
        [
          "a server that is stopped",
          noServer,
          way === "HTTP" ? "Failed connecting to dyn.example.com" : "[502 Bad Gateway]",
        ],
      ])("tries again after %s", async (_, cause, said) => {
        const address = newAddress();
        const inadyn = newInadyn(lab);
        await using outage = await cause(lab);
        await using daemon = await inadyn.start(address);
        await daemon.said(said, WAIT_MS);
        if (said.startsWith("[")) await daemon.said(/Will retry again in \d+ sec/, WAIT_MS);
        expect(daemon.isRunning()).toBeTrue();
        expect(await inadyn.cached()).toBeUndefined();

        await outage.end();
        expect(await lab.recorded()).not.toBe(address);
        await reportNow(daemon);
        expect((await daemon.stop()).exitCode).toBe(0);
        expect(await inadyn.cached()).toBe(address);
        expect(await lab.recorded()).toBe(address);
      });

      /** Has a waiting inadyn report, as the end of its wait does. */
      async function reportNow(daemon: RunningProcess): Promise<void> {
        daemon.kill("SIGUSR1");
        await daemon.said("Updating cache for home", WAIT_MS);
      }
    });

    describe("a request without an address", () => {
      test.each([
        ["ipv4", "-4"],
        ["ipv6", "-6"],
      ] as const)("is recorded at the client's own, %s", async (family, option) => {
        const { stdout } = await lab.run(["curl", "-s", option, "-u", user(), lab.url]);
        expect(stdout).toMatch(new RegExp(`^(?:good|nochg) ${CLIENT[family]}$`));
        expect(await lab.recorded(family)).toBe(CLIENT[family]);
      });

      test.each(["198.51.100.66", "198.51.100.66, 127.0.0.1", "127.0.0.1"])(
        "that says to be passed on for %s, is recorded at the client's own",
        async (forged) => {
          const header = `X-Forwarded-For: ${forged}`;
          const { stdout } = await lab.run(["curl", "-s4", "-H", header, "-u", user(), lab.url]);
          expect(stdout).toMatch(new RegExp(`^(?:good|nochg) ${CLIENT.ipv4}$`));
          expect(await lab.recorded()).toBe(CLIENT.ipv4);
        },
      );

      test("with a wrong password is logged with the client's own address", async () => {
        const command = ["curl", "-sf4", "-H", "X-Forwarded-For: 198.51.100.66"];
        const { exitCode } = await lab.run([...command, "-u", "home:wrong", lab.url]);
        expect(exitCode).toBe(22);
        const line = `wrong name or password for home by HTTP from ${CLIENT.ipv4}\n`;
        // One such line a second is written.
        await eventually(line, async () => {
          await lab.run([...command, "-u", "home:wrong", lab.url]);
          return lab.said().includes(line);
        });
      });
    });

    const user = (): string => `home:${lab.password}`;
    const withUser = (url: string): string => url.replace("://", `://${user()}@`);
    const form = (address: string): string => `hostname=home&myip=${address}`;
    const target = (address: string): string => `${lab.url}?${form(address)}`;

    test.each<[string, (address: string) => string[]]>([
      ["the page's line", (address) => pageLine(address)],
      ["-u", (address) => ["-u", user(), target(address)]],
      ["--anyauth", (address) => ["--anyauth", "-u", user(), target(address)]],
      ["the password in the URL", (address) => [withUser(target(address))]],
      // curl would ask TLS for the protocol http/1.0, which Caddy does not know.
      ["--http1.0", (address) => ["--http1.0", "--no-alpn", "-u", user(), target(address)]],
      ["-X POST", (address) => ["-X", "POST", "-u", user(), target(address)]],
      ["-d", (address) => ["-d", form(address), "-u", user(), lab.url]],
      ["-G -d", (address) => ["-G", "-d", form(address), "-u", user(), lab.url]],
      ["OpenWrt's options", (address) => ["-R", "-sS", openWrtUrl(address)]],
    ])("curl with %s reports", async (_, args) => {
      const address = newAddress();
      const { exitCode, stdout } = await lab.run(["curl", "-sS", ...args(address)]);
      expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: `good ${address}` });
      expect(await lab.recorded()).toBe(address);
    });

    test.each(["FRITZ!Box", "UniFi", "pfSense"])(
      "the page's URL for %s reports",
      async (router) => {
        const address = newAddress();
        const url = new URL(updateUrl(router, address), lab.url).href;
        const { stdout } = await lab.run(["curl", "-sS", "-u", user(), url]);
        expect(stdout).toBe(`good ${address}`);
        expect(await lab.recorded()).toBe(address);
      },
    );

    if (way === "Caddy") {
      test("curl by HTTP/2 reports", async () => {
        const address = newAddress();
        const command = ["curl", "-s", "--http2", "-w", " by HTTP/%{http_version}", "-u", user()];
        const { stdout } = await lab.run([...command, target(address)]);
        expect(stdout).toBe(`good ${address} by HTTP/2`);
        expect(await lab.recorded()).toBe(address);
      });
    }

    const noWget = whyNot("wget");
    describe.skipIf(noWget !== undefined)(`wget${skipped(noWget)}`, () => {
      const login = () => ["--user=home", `--password=${lab.password}`];
      const wget = (args: readonly string[]) =>
        lab.run(["wget", "-q", "-O", "-", `--ca-certificate=${lab.authority}`, ...args]);

      test.each<[string, (address: string) => string[]]>([
        ["--user, which asks without it first", (address) => [...login(), target(address)]],
        ["--auth-no-challenge", (address) => ["--auth-no-challenge", ...login(), target(address)]],
        ["the password in the URL", (address) => [withUser(target(address))]],
        ["--post-data", (address) => [...login(), `--post-data=${form(address)}`, lab.url]],
        ["OpenWrt's options", (address) => ["-nv", "-t", "1", openWrtUrl(address)]],
      ])("with %s reports", async (_, args) => {
        const address = newAddress();
        const before = lab.said();
        const { exitCode, stdout } = await wget(args(address));
        expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: `good ${address}` });
        expect(await lab.recorded()).toBe(address);
        expect(lab.said().slice(before.length)).not.toContain("wrong name or password");
      });

      test("with a wrong password fails", async () => {
        const { exitCode } = await wget(["--user=home", "--password=wrong", target(newAddress())]);
        expect(exitCode).toBe(6);
      });
    });

    /** The arguments of the page's line, with an address. */
    function pageLine(address: string): string[] {
      const url = partAfter("**Anything else**", /^curl -u home:PASSWORD "(.*)"$/m);
      expect(way === "HTTP" ? lab.url : url).toBe(lab.url);
      return ["-u", user(), target(address)];
    }

    /** The path that the page gives a router, with what the router puts in. */
    function updateUrl(router: string, address: string): string {
      return partAfter(`**${router}**`, /(\/nic\/update.*)`/)
        .replace(/<username>|%h/, "home")
        .replace(/<ipaddr>|%i|%IP%/, address)
        .replace("<ip6addr>", "");
    }

    /** The page's URL of OpenWrt, with what OpenWrt puts in. */
    function openWrtUrl(address: string): string {
      const filled = partAfter("**OpenWrt**", /update_url '(.*)'/)
        .replace("[USERNAME]", "home")
        .replace("[PASSWORD]", lab.password)
        .replace("[DOMAIN]", "home")
        .replace("[IP]", address);
      if (way !== "HTTP") return filled;
      return filled.replace("https:", "http:").replace("dyn.example.com", new URL(lab.url).host);
    }
  });
}
