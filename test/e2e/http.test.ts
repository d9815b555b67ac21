/** `[http]`: what is at which path, for whom, and what a router is answered. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";

import { runProcess } from "../processes.ts";
import { temporaryFolder } from "../temporary.ts";
import { eventually, TEST_MS } from "../waiting.ts";
import { dynip, HAS_SIGNALS, newSetup, newSignedSetup, serve } from "./dynip.ts";
import { basic, newWeb, parseResponse, passwordOf, request } from "./web.ts";
import { digits, microseconds, openPeer } from "./wire.ts";

setDefaultTimeout(TEST_MS);

const onUnix = test.skipIf(!HAS_SIGNALS);
const T1 = "2026-11-20T08:00:00.000Z";
const T2 = "2026-11-22T13:01:02.123Z";
const four = { address: "203.0.113.7", since: T1, last_seen: T2 };
const six = { address: "2001:db8::7", since: T1, last_seen: T2 };
const LOG = JSON.stringify({
  nas: { ipv4: four, ipv6: six, counter: digits(1) },
  six: { ipv6: six, counter: digits(1) },
  "Kris-PC/<b>&\"'": { ipv4: four },
});

describe("[http]", () => {
  test("that is not there binds nothing, and is in no message", async () => {
    await using setup = await newSignedSetup();
    await using server = await serve([setup.config]);
    const other = createServer().listen(setup.port, "127.0.0.1");
    await once(other, "listening"); // rejects if the port is in use
    other.close();
    const { stderr } = await server.stop();
    expect(stderr).not.toContain("HTTP");
    expect(stderr).not.toContain("TCP");
  });

  test("listens where it says, and counts requests", async () => {
    await using web = await newWeb();
    await web.get("/");
    await web.get("/", "phone");
    expect(web.server.stderr()).toContain(
      ` listening on TCP port ${web.webPort}, 127.0.0.1, for HTTP\n`,
    );
    const { exitCode, stderr } = await web.server.stop();
    if (!HAS_SIGNALS) return;
    expect(exitCode).toBe(0);
    expect(stderr).not.toContain("warning");
    expect(stderr).toEndWith(
      "0 pings accepted, 0 challenged, 0 datagrams dropped, 2 HTTP requests\n",
    );
  });

  test("has the port 28630 and the address 127.0.0.1 where the file gives none", async () => {
    await using folder = await temporaryFolder();
    const init = await dynip(["init"], { cwd: folder.path });
    expect(init.exitCode).toBe(0);
    const text = await readFile(folder.file("dynip.toml"), "utf8");
    expect(text).toContain("\n# [http]\n");
    expect(text).toContain('\n# ip = "127.0.0.1"\n');
    expect(text).toContain("\n# port = 28630\n");
  });

  test.each(["0.0.0.0", "::"])(
    "at %s is warned of: passwords can be read on the way",
    async (ip) => {
      await using web = await newWeb({ http: `ip = "${ip}"` });
      expect(web.server.stderr()).toContain(
        `warning: passwords can be read on their way to ${ip}: it has HTTP without encryption\n`,
      );
      expect((await web.get("/", "phone")).status).toBe(200);
    },
  );

  test("without a secret is an error of the configuration", async () => {
    await using setup = await newSetup({ server: "[http]" });
    const { exitCode, stderr } = await dynip(["serve", setup.config]);
    expect(exitCode).toBe(3);
    expect(stderr).toContain(
      `error: Cannot read config "${setup.config}": [http] needs a secret, which makes the passwords, and there is none\n`,
    );
    expect(await Bun.file(setup.logPath).exists()).toBe(false);
  });

  test("whose port is in use, or whose address is another machine's, is exit code 8", async () => {
    await using setup = await newSignedSetup();
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as { port: number };
    const config = await readFile(setup.config, "utf8");
    const failing = async (lines: string) => {
      await writeFile(setup.config, `${config}[http]\n${lines}\n`);
      const { exitCode, stderr } = await dynip(["serve", setup.config]);
      expect(exitCode).toBe(8);
      return stderr.replace(/^.*?error: /s, "").replaceAll(/^\S+Z /gm, "");
    };
    expect(await failing(`port = ${port}`)).toBe(
      `Cannot listen on TCP port ${port}, 127.0.0.1: the port is in use\n` +
        "hint: stop the program that uses it, or change port in [http]\n",
    );
    expect(await failing('ip = "192.0.2.1"')).toBe(
      "Cannot listen on TCP port 28630, 192.0.2.1: this machine does not have that address\n" +
        'hint: change ip in [http]; "::" listens on every interface\n',
    );
    other.close();
    expect(await Bun.file(setup.logPath).exists()).toBe(false);
  });

  test("whose port another dynip server has, is exit code 8", async () => {
    await using web = await newWeb();
    await using setup = await newSignedSetup();
    await appendFile(setup.config, `[http]\nport = ${web.webPort}\n`);
    const { exitCode, stderr } = await dynip(["serve", setup.config]);
    expect(exitCode).toBe(8);
    expect(stderr).toContain(
      `Cannot listen on TCP port ${web.webPort}, 127.0.0.1: the port is in use\n`,
    );
  });
});

describe("the password", () => {
  test("is demanded of every path and method, and nothing is told without it", async () => {
    await using web = await newWeb({ log: LOG });
    for (const path of ["/", "/hosts", "/hosts/nas", "/hosts/unknown", "/nothing", "/nic/update"]) {
      for (const method of ["GET", "POST", "HEAD", "DELETE", "OPTIONS"]) {
        const response = await web.get(path, undefined, { method });
        expect([path, method, response.status]).toEqual([path, method, 401]);
        expect(response.headers.get("www-authenticate")).toBe('Basic realm="dynip"');
        if (method !== "HEAD") {
          const isUpdate = path === "/nic/update";
          const words = "The name of a machine and its HTTP password are needed.\n";
          expect(await response.text()).toBe(isUpdate ? "badauth" : words);
        }
      }
    }
    expect(web.server.stderr()).not.toContain("wrong name or password"); // no login was tried
  });

  test("that is wrong is one line in the log, with the address, and never what was entered", async () => {
    await using web = await newWeb({ log: LOG });
    const wrong = [
      basic("nas", "x"),
      basic("nas", passwordOf("pi")),
      basic("nas", passwordOf("nas", 2)),
      basic(passwordOf("nas"), "nas"),
      basic("", passwordOf("nas")),
      basic("nas").slice(0, -5),
      `Bearer ${passwordOf("nas")}`,
      "Basic",
    ];
    for (const header of wrong) {
      const response = await web.get("/hosts/nas", undefined, {
        headers: { Authorization: header },
      });
      expect(response.status).toBe(401);
    }
    await web.server.said("wrong name or password for nas by HTTP from 127.0.0.1\n");
    const { stderr } = await web.server.stop("SIGKILL");
    expect(stderr).not.toContain(passwordOf("nas").slice(0, 6));
    expect(stderr.toLowerCase()).not.toContain(passwordOf("nas").slice(0, 6).toLowerCase());
    expect(stderr.match(/wrong name or password/g)!.length).toBeLessThan(wrong.length);
  });

  test("is another one when the generation is raised", async () => {
    await using web = await newWeb({ log: LOG, http: "[server.generations]\nnas = 2" });
    expect((await web.get("/hosts/nas", "nas")).status).toBe(401);
    const headers = { Authorization: basic("nas", passwordOf("nas", 2)) };
    expect((await web.get("/hosts/nas", undefined, { headers })).status).toBe(200);
  });

  test("is what init writes into the file of a name, with the URL", async () => {
    await using web = await newWeb();
    const path = web.file("home.toml");
    const args = ["--name", "home", "--from", web.config, "--server", "dyn.example.com", path];
    expect((await dynip(["init", ...args])).exitCode).toBe(0);
    expect(await readFile(path, "utf8")).toEndWith(
      "\n#   URL       https://dyn.example.com/nic/update\n" +
        `#   user      home\n#   password  ${passwordOf("home")}\n`,
    );
  });

  test("works in capitals of the name, too, as ping lower-cases it", async () => {
    await using web = await newWeb({ log: LOG });
    const headers = { Authorization: basic("NAS", passwordOf("nas")) };
    expect((await web.get("/hosts/nas", undefined, { headers })).status).toBe(200);
  });
});

test("every answer has the headers that keep a browser from doing anything with it", async () => {
  await using web = await newWeb({ log: LOG });
  const paths = ["/", "/hosts", "/hosts/nas", "/hosts/x", "/x", "/nic/update?myip=203.0.113.7"];
  for (const [path, user] of [...paths.map((one) => [one, "phone"] as const), ["/", undefined]]) {
    const { headers } = await web.get(path!, user);
    expect(headers.get("content-security-policy")).toMatch(
      /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; frame-ancestors 'none'; base-uri 'none'; form-action 'none'$/,
    );
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("access-control-allow-origin")).toBeNull();
    expect(headers.get("server")).toBeNull();
  }
});

describe("the page", () => {
  test("shows every host to a reader, and to others themselves", async () => {
    await using web = await newWeb({ log: LOG });
    const response = await web.get("/", "phone");
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    const all = await response.text();
    for (const text of ["nas", "203.0.113.7", "2001:db8::7", "Kris-PC/"])
      expect(all).toContain(text);
    const own = await (await web.get("/", "six")).text();
    expect(own).toContain("2001:db8::7");
    expect(own).not.toContain("203.0.113.7");
    expect(own).not.toContain("Kris-PC");
    const none = await (await web.get("/", "nobody")).text();
    expect(none).not.toContain("2001:db8::7");
  });

  test("shows a name that is HTML as text", async () => {
    await using web = await newWeb({ log: LOG });
    const page = await (await web.get("/", "phone")).text();
    expect(page).toContain("Kris-PC/");
    expect(page).not.toContain("<b>&");
    expect(page).not.toContain("Kris-PC/<b>");
  });

  test("shows what a router has just reported, a second later at the latest", async () => {
    await using web = await newWeb();
    await web.get("/", "phone");
    await web.get("/nic/update?myip=203.0.113.99", "home");
    await eventually("the address on the page", async () =>
      (await (await web.get("/", "phone")).text()).includes("203.0.113.99"),
    );
  });
});

describe("/hosts", () => {
  test("is the client log as it is on disk, for readers alone", async () => {
    await using web = await newWeb({ log: LOG });
    await web.get("/nic/update?myip=203.0.113.99", "home");
    await eventually("the snapshot", () => web.isInLog("home"));
    const response = await web.get("/hosts", "phone");
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.text()).toBe(await readFile(web.logPath, "utf8"));
    const refused = await web.get("/hosts", "nas");
    expect([refused.status, await refused.text()]).toEqual([404, "not found\n"]);
    const head = await web.get("/hosts", "phone", { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
  });
});

describe("/hosts/NAME", () => {
  test("is one address as text, with the time of the last ping", async () => {
    await using web = await newWeb({ log: LOG });
    const response = await web.get("/hosts/nas", "phone");
    expect([response.status, await response.text()]).toEqual([200, "203.0.113.7\n"]);
    expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(response.headers.get("last-modified")).toBe("Sun, 22 Nov 2026 13:01:02 GMT");
  });

  test.each([
    ["/hosts/nas?family=ipv4", "phone", 200, "203.0.113.7\n"],
    ["/hosts/nas?family=ipv6", "phone", 200, "2001:db8::7\n"],
    ["/hosts/six?family=ipv6", "six", 200, "2001:db8::7\n"],
    ["/hosts/Kris-PC%2F%3Cb%3E%26%22'", "phone", 200, "203.0.113.7\n"],
    ["/hosts/six", "phone", 404, "not found\n"],
    ["/hosts/nas", "nas", 200, "203.0.113.7\n"],
    ["/hosts/nas", "six", 404, "not found\n"],
    ["/hosts/unknown", "six", 404, "not found\n"],
    ["/hosts/unknown", "phone", 404, "not found\n"],
    ["/hosts/", "phone", 404, "not found\n"],
    ["/hosts/%ff", "phone", 404, "not found\n"],
    ["/hosts/nas/x", "phone", 404, "not found\n"],
    ["/hosts/__proto__", "phone", 404, "not found\n"],
    ["/hosts/nas?family=ipv5", "phone", 400, "family is ipv4 or ipv6\n"],
    ["/hosts/unknown?family=", "six", 400, "family is ipv4 or ipv6\n"],
  ])("%s for %s: %d", async (path, user, status, body) => {
    await using web = await newWeb({ log: LOG });
    const response = await web.get(path, user);
    expect([response.status, await response.text()]).toEqual([status, body]);
  });

  test("tells a name that is forbidden and one that is unknown the same, header by header", async () => {
    await using web = await newWeb({ log: LOG });
    const [one, two] = await Promise.all([
      web.get("/hosts/nas", "six"),
      web.get("/hosts/unknown", "six"),
    ]);
    const shown = (response: Response) =>
      [...response.headers].filter(([name]) => name !== "date").map(String);
    expect(shown(one)).toEqual(shown(two));
  });
});

test.each([
  ["GET", "/hosts.json", 404],
  ["GET", "/nic/update/", 404],
  ["GET", "/NIC/UPDATE", 404],
  ["GET", "/hosts//nas", 404],
  ["GET", "/favicon.ico", 404],
  ["POST", "/", 405],
  ["PUT", "/hosts", 405],
  ["DELETE", "/hosts/nas", 405],
  ["HEAD", "/nic/update?myip=203.0.113.8", 405],
  ["PUT", "/nic/update?myip=203.0.113.8", 405],
])("%s %s is %d", async (method, path, status) => {
  await using web = await newWeb({ log: LOG });
  const response = await web.get(path, "phone", { method });
  expect(response.status).toBe(status);
  if (status === 405) {
    const allowed = path.startsWith("/nic/update") ? "GET, POST" : "GET, HEAD";
    expect(response.headers.get("allow")).toBe(allowed);
  }
});

describe("/nic/update", () => {
  test.each([
    ["/nic/update?hostname=nas&myip=203.0.113.8", 200, "good 203.0.113.8"],
    ["/nic/update?hostname=nas&myip=203.0.113.7", 200, "nochg 203.0.113.7"],
    ["/nic/update?hostname=nas&myip=203.0.113.7,2001:db8::7", 200, "nochg 203.0.113.7,2001:db8::7"],
    ["/nic/update?hostname=nas&myip=203.0.113.7,2001:db8::8", 200, "good 203.0.113.7,2001:db8::8"],
    ["/nic/update?hostname=nas&myip=&myipv6=2001:db8::8", 200, "good 2001:db8::8"],
    ["/nic/update?hostname=&myip=203.0.113.8", 200, "good 203.0.113.8"],
    ["/nic/update?myip=203.0.113.8", 200, "good 203.0.113.8"],
    [
      "/nic/update?hostname=nas,nas.example.com&myip=203.0.113.8",
      200,
      "good 203.0.113.8\ngood 203.0.113.8",
    ],
    ["/nic/update?hostname=pi&myip=203.0.113.8", 404, "nohost"],
    ["/nic/update?hostname=pi,nas&myip=203.0.113.8", 404, "nohost\ngood 203.0.113.8"],
    ["/nic/update?hostname=nas&myip=192.168.1.1", 503, "911"],
    ["/nic/update", 503, "911"],
  ])("%s is %d", async (path, status, body) => {
    await using web = await newWeb({ log: LOG });
    const response = await web.get(path, "nas");
    expect([response.status, await response.text()]).toEqual([status, body]);
    expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    if (status === 503)
      await web.server.said("nas reported no address of the internet, from 127.0.0.1");
  });

  test("takes a form in the body of a POST, and no other body", async () => {
    await using web = await newWeb();
    const post = async (body: string, type: string) => {
      const headers = { "Content-Type": type };
      const response = await web.get("/nic/update", "nas", { method: "POST", body, headers });
      return [response.status, await response.text()];
    };
    const form = "application/x-www-form-urlencoded";
    expect(await post("hostname=nas&myip=203.0.113.8", form)).toEqual([200, "good 203.0.113.8"]);
    const utf8 = await post("myip=203.0.113.9", `${form}; charset=utf-8`);
    expect(utf8).toEqual([200, "good 203.0.113.9"]);
    expect(await post("myip=203.0.113.9", "text/plain")).toEqual([503, "911"]);
    expect(await post("", form)).toEqual([503, "911"]);
    expect((await post("x".repeat(1025), form))[0]).toBe(413);
  });

  test.each<Record<string, string>>([
    { Origin: "https://evil.example" },
    { Origin: "null" },
    { "Sec-Fetch-Site": "cross-site" },
    { "Sec-Fetch-Site": "same-origin" },
    { "Accept-Language": "en-US,en;q=0.9" },
  ])("refuses a browser's request for another page: %j", async (headers) => {
    await using web = await newWeb();
    const response = await web.get("/nic/update?myip=203.0.113.8", "nas", { headers });
    expect(response.status).toBe(403);
    expect((await web.get("/hosts/nas", "nas")).status).toBe(404);
    const typed = { headers: { "Sec-Fetch-Site": "none" } };
    const answer = await web.get("/nic/update?myip=203.0.113.8", "nas", typed);
    expect(await answer.text()).toBe("good 203.0.113.8");
  });

  test("takes the address from the proxy on this machine, its last hop alone", async () => {
    await using web = await newWeb();
    const headers = { "X-Forwarded-For": "192.0.2.66, 203.0.113.8" };
    const answer = await web.get("/nic/update", "nas", { headers });
    expect(await answer.text()).toBe("good 203.0.113.8");
    await web.get("/", undefined, { headers: { ...headers, Authorization: basic("nas", "x") } });
    await web.server.said("wrong name or password for nas by HTTP from 203.0.113.8\n");
  });

  test("says in the log what it records, and that the router says so", async () => {
    await using web = await newWeb();
    await web.get("/nic/update?myip=203.0.113.8", "home");
    await web.get("/nic/update?myip=203.0.113.9,2001:db8::9", "home");
    await web.server.said("new host home at 203.0.113.8, as its router says\n");
    await web.server.said("home moved from 203.0.113.8 to 203.0.113.9, as its router says\n");
    await web.server.said("home is at 2001:db8::9, too, as its router says\n");
  });

  onUnix("is durable before it is answered, also across kill -9, and stays claimed", async () => {
    await using web = await newWeb();
    const answer = await web.get("/nic/update?myip=203.0.113.8", "home");
    web.server.kill("SIGKILL");
    expect(await answer.text()).toBe("good 203.0.113.8");
    await web.server.exited;
    await using again = await serve([web.config]);
    const address = await web.get("/hosts/home", "phone");
    expect(await address.text()).toBe("203.0.113.8\n");
    await again.stop();
    const log = await readFile(web.logPath, "utf8");
    expect(log).toContain('"claimed":true},"counter":"0000000000000000"}');
  });

  onUnix("a ping from the claimed address is challenged, and proves it", async () => {
    await using web = await newWeb({ args: ["-v"] });
    const headers = { "X-Forwarded-For": "127.0.0.1" };
    await web.get("/nic/update?myip=203.0.113.8", "nas", { headers });
    await using peer = await openPeer(web.port);
    expect((await peer.exchange("nas")).type).toBe("A");
    // A claim of an address that is not proven does not let a ping in without a challenge.
    await web.get("/nic/update?myip=203.0.113.8", "nas");
    const ping = await peer.ask({ name: "nas", counter: digits(microseconds() + 1) });
    expect(ping.type).toBe("C");
    expect((await peer.exchange("nas")).type).toBe("A");
    await web.server.stop();
    expect(await readFile(web.logPath, "utf8")).not.toContain("claimed");
  });

  test("--find finds what a router reported", async () => {
    await using web = await newWeb();
    await web.get("/nic/update?myip=203.0.113.8", "home");
    const found = await dynip(["ping", "--find", "home", web.config]);
    expect(found).toEqual({ exitCode: 0, stdout: "203.0.113.8\n", stderr: "" });
  });
});

describe("the requests of routers, as recorded", () => {
  const from = "203.0.113.8";
  const auth = { Authorization: basic("home") };
  test.each([
    [
      "FRITZ!Box, both families",
      request("GET /nic/update?hostname=home&myip=203.0.113.8,2001:db8::8 HTTP/1.0", {
        Host: "dyn.example.com",
        ...auth,
        "User-Agent": "Fritz!Box DDNS/1.0.1",
      }),
      "good 203.0.113.8,2001:db8::8",
    ],
    [
      "FRITZ!Box, without an IPv6 address",
      request("GET /nic/update?hostname=home&myip=203.0.113.8, HTTP/1.0", {
        Host: "dyn.example.com",
        ...auth,
      }),
      "good 203.0.113.8",
    ],
    [
      "FRITZ!Box, without a Host",
      request("GET /nic/update?myip=203.0.113.8&myipv6=<ip6addr> HTTP/1.0", auth),
      "good 203.0.113.8",
    ],
    [
      "UniFi, whose hostname is empty",
      request("GET /nic/update?hostname=&myip=203.0.113.8 HTTP/1.0", {
        Host: "dyn.example.com",
        ...auth,
        "User-Agent": "inadyn/2.9.1 https://github.com/troglobit/inadyn/issues",
      }),
      "good 203.0.113.8",
    ],
    [
      "inadyn",
      request("GET /nic/update?hostname=home&myip=203.0.113.8 HTTP/1.0", {
        Host: "127.0.0.1",
        ...auth,
        "User-Agent": "inadyn/2.10.0 https://github.com/troglobit/inadyn/issues",
      }),
      "good 203.0.113.8",
    ],
    [
      "ddclient 3.10",
      request("GET /nic/update?system=dyndns&hostname=home,home.lan&myip=203.0.113.8 HTTP/1.1", {
        Host: "127.0.0.1:28630",
        ...auth,
        "User-Agent": "ddclient/3.10.0",
        Connection: "close",
      }),
      "good 203.0.113.8\ngood 203.0.113.8",
    ],
    [
      "OPNsense",
      request("GET /nic/update?hostname=home&myip=203.0.113.8&wildcard=NOCHG HTTP/1.1", {
        Host: "dyn.example.com",
        ...auth,
        Accept: "*/*",
        "User-Agent": "python-requests/2.31.0",
      }),
      "good 203.0.113.8",
    ],
    [
      "pfSense",
      request("GET /nic/update?hostname=home&myip=203.0.113.8 HTTP/1.1", {
        Host: "dyn.example.com",
        ...auth,
        "User-Agent": "phpDynDNS/0.7",
        Accept: "*/*",
      }),
      "good 203.0.113.8",
    ],
    [
      "OpenWrt",
      request("GET /nic/update?hostname=home&myip=203.0.113.8 HTTP/1.1", {
        Host: "dyn.example.com:28630",
        "User-Agent": "uclient-fetch",
        ...auth,
        Connection: "close",
      }),
      "good 203.0.113.8",
    ],
  ])("%s", async (_who, bytes, expected) => {
    await using web = await newWeb();
    const { status, body } = parseResponse((await web.send(bytes)).text);
    expect({ status, body }).toEqual({ status: 200, body: expected });
    // Once more: the answer of a known address.
    const again = parseResponse((await web.send(bytes)).text);
    expect(again.body).toBe(expected.replaceAll("good", "nochg"));
    await eventually("the snapshot", () => web.isInLog("home"));
    const { home } = await web.readLog();
    expect(home?.ipv4?.address).toBe(from);
  });
});

describe("programs", () => {
  const curl = Bun.which("curl");
  const whyNoCurl = curl === null ? " (skipped: there is no curl)" : "";
  const UPDATE = "/nic/update?hostname=home&myip=203.0.113.8";
  const user = `home:${passwordOf("home")}`;
  test.skipIf(curl === null).each<[string, string[]]>([
    ["-u", ["-u", user]],
    ["-u --anyauth, which asks first without a password", ["--anyauth", "-u", user]],
    ["-u --basic --http1.0", ["--basic", "--http1.0", "-u", user]],
    [
      "--http2-prior-knowledge is not spoken, --http2 is upgraded to nothing",
      ["--http2", "-u", user],
    ],
    ["a POST of the parameters", ["-u", user, "-G", "-d", "x=1"]],
    ["--compressed and -L", ["--compressed", "-L", "-u", user]],
  ])(`curl %s${whyNoCurl}`, async (_way, args) => {
    await using web = await newWeb();
    const command = [curl!, "-sS", "--fail", "--noproxy", "*", ...args, web.url + UPDATE];
    const result = await runProcess(command);
    expect(result).toEqual({ exitCode: 0, stdout: "good 203.0.113.8", stderr: "" });
    expect(web.server.stderr()).not.toContain("wrong name or password");
  });

  test.skipIf(curl === null)(`curl with a wrong password fails${whyNoCurl}`, async () => {
    await using web = await newWeb();
    const { exitCode, stdout } = await runProcess([
      ...[curl!, "-sS", "--fail", "--noproxy", "*", "-u", "home:wrong", web.url + UPDATE],
    ]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 22, stdout: "" });
  });

  const wget = Bun.which("wget");
  const whyNoWget = wget === null ? " (skipped: there is no wget)" : "";
  test.skipIf(wget === null).each<[string, (url: string) => string[]]>([
    [
      "with the password in the URL, as OpenWrt has it",
      (url) => [url.replace("http://", `http://${user}@`)],
    ],
    ["--user", (url) => ["--user=home", `--password=${passwordOf("home")}`, url]],
    [
      "--auth-no-challenge",
      (url) => ["--auth-no-challenge", "--user=home", `--password=${passwordOf("home")}`, url],
    ],
  ])(`wget %s${whyNoWget}`, async (_way, args) => {
    await using web = await newWeb();
    const command = [wget!, "--no-proxy", "-q", "-t", "1", "-O", "-", ...args(web.url + UPDATE)];
    const result = await runProcess(command);
    expect(result).toEqual({ exitCode: 0, stdout: "good 203.0.113.8", stderr: "" });
    expect(web.server.stderr()).not.toContain("wrong name or password");
  });
});
