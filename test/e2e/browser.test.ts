/**
 * The page of `[http]` in a real Chromium. Skipped where there is none; `bun run check:browser` fails
 * there.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdir, readFile } from "node:fs/promises";

import { type Browser, CHROMIUM, openBrowser, type Tab, WITHOUT_CHROMIUM } from "../browser.ts";
import { eventually, PATIENCE, TEST_MS } from "../waiting.ts";
import { dynip } from "./dynip.ts";
import { newWeb, passwordOf } from "./web.ts";

setDefaultTimeout(TEST_MS);

const mustRun = process.env["DYNIP_CHECK_BROWSER"] === "1";

test.skipIf(!mustRun)("a Chromium is there (Debian: chromium)", () => {
  expect(CHROMIUM).toBeDefined();
});

const LONG_NAME = "n".repeat(128);
const LONG_PLAIN_NAME = "W".repeat(256);
const HTML_NAME = "<img/src=x/onerror=alert(1)>";
const LONG_ADDRESS = "2001:db8:4f2a:1c00:a1b2:c3d4:e5f6:789a";

describe.skipIf(!CHROMIUM)(`the page in a browser${WITHOUT_CHROMIUM}`, () => {
  const opened = new AsyncDisposableStack();
  let web: Awaited<ReturnType<typeof newWeb>>;
  let browser: Browser;
  /** With the name and the password of a reader. */
  let url: string;

  beforeAll(async () => {
    web = opened.use(await newWeb({ log: JSON.stringify(HOSTS) }));
    url = web.url.replace("//", `//phone:${passwordOf("phone")}@`);
    browser = opened.use(await openBrowser(BROWSER_MS));
  });

  afterAll(() => opened.disposeAsync());

  /** Opens the page in a tab of its own. */
  async function openPage({
    width = 360,
    scheme = "light",
    until = "load" as "load" | "networkIdle",
  } = {}): Promise<Tab> {
    const tab = await browser.newTab();
    await show(tab, width, scheme);
    await tab.open(url, until);
    return tab;
  }

  test("it shows every host, silent ones first, with what is known of them", async () => {
    await using tab = await openPage();
    const rows = await tab.evaluate<string[]>(
      "[...document.querySelectorAll('main li')].map((row) => row.innerText.replace(/\\s+/g, ' '))",
    );
    const lasting = rows.map((row) =>
      row
        .replace(/ since .*? UTC/g, "")
        .replace(/seen \d+ \w+ ago(?= proven| plain)/g, "seen just now"),
    );
    expect(lasting).toEqual([
      "attic-pi 198.51.100.9 silent for 3 days proven by ping there for 19 days",
      `${LONG_PLAIN_NAME} 192.0.2.7 silent for 5 days plain: can be forged there for 5 days`,
      `${HTML_NAME} 192.0.2.6 seen just now plain: can be forged there for 40 hours`,
      `nas 203.0.113.52 seen just now proven by ping there for 26 hours ${LONG_ADDRESS} seen just now proven by ping there for 26 hours`,
      `${LONG_NAME} 192.0.2.9 seen just now proven by ping there for 2 days`,
      "router 192.0.2.200 seen 5 hours ago claimed by dyndns2 there for 5 hours",
    ]);
    expect(await tab.evaluate<string>("document.title")).toBe("2 silent of 6 - dynip");
  });

  test("a name is text: it makes no element", async () => {
    await using tab = await openPage();
    expect(await tab.evaluate<number>("document.querySelectorAll('img, script').length")).toBe(0);
  });

  test("it says nothing on the console, breaks no policy and asks for itself alone", async () => {
    await using tab = await openPage({ until: "networkIdle" });
    expect(complaints(tab)).toEqual([]);
    expect(requests(tab)).toEqual([`${web.url}/`]);
  });

  test("a blocked picture and a word on the console are both seen, so the test above can fail", async () => {
    await using tab = await openPage();
    await tab.evaluate(
      "void document.body.append(Object.assign(new Image(), { src: '/picture' }))",
    );
    await tab.happened("a broken policy", ({ method }) => method === "Audits.issueAdded");
    expect(complaints(tab).join("\n")).toContain("img-src");
    await tab.evaluate("void console.log('a word')");
    await tab.happened("a word", ({ method }) => method === "Runtime.consoleAPICalled");
    expect(complaints(tab).at(-1)).toContain("a word");
  });

  test("a screen reader is told landmarks, headings, and lists with their lengths", async () => {
    await using tab = await openPage();
    const nodes = await tree(tab);
    const named = (role: string) =>
      nodes.filter((node) => node.role === role).map(({ name }) => name);
    expect(nodes[0]).toMatchObject({ role: "RootWebArea", name: "2 silent of 6 - dynip" });
    for (const landmark of ["banner", "main", "contentinfo"]) {
      expect(named(landmark)).toHaveLength(1);
    }
    expect(named("region")).toEqual(["Silent 2", "Reporting 4"]);
    expect(named("list")).toHaveLength(2);
    expect(named("listitem")).toHaveLength(6);
    expect(named("heading")).toEqual([
      "6 hosts, 2 silent",
      "Silent 2",
      "attic-pi",
      LONG_PLAIN_NAME,
      "Reporting 4",
      HTML_NAME,
      "nas",
      LONG_NAME,
      "router",
    ]);
    expect(named("StaticText").join(" ")).toContain("silent for 3 days");
  });

  test.each([320, 360, 768, 1280])("at %d pixels nothing scrolls sideways", async (width) => {
    await using tab = await openPage({ width });
    const script = "[document.documentElement.scrollWidth, innerWidth]";
    const [content, window] = await tab.evaluate<[number, number]>(script);
    expect(window).toBe(width);
    expect(content).toBeLessThanOrEqual(width);
    const wider = await tab.evaluate<string[]>(
      `[...document.querySelectorAll('body *')].filter((it) => it.getBoundingClientRect().right > ${width}).map((it) => it.outerHTML)`,
    );
    expect(wider).toEqual([]);
  });

  test.each([360, 1280])("at %d pixels an address is at least 48 pixels high", async (width) => {
    await using tab = await openPage({ width });
    const heights = await tab.evaluate<number[]>(
      "[...document.querySelectorAll('code')].map((it) => it.getBoundingClientRect().height)",
    );
    expect(Math.min(...heights)).toBeGreaterThanOrEqual(48);
  });

  test("at 360 pixels an IPv6 address of full length stands in one line", async () => {
    await using tab = await openPage();
    const lines = await tab.evaluate<number>(`(() => {
      const range = document.createRange();
      range.selectNodeContents(${elementOf(LONG_ADDRESS)});
      return range.getClientRects().length;
    })()`);
    expect(lines).toBe(1);
  });

  test.each([
    ["203.0.113.52", 360],
    [LONG_ADDRESS, 360],
    [LONG_ADDRESS, 1280],
  ])("a click selects %s whole, at %d pixels", async (address, width) => {
    await using tab = await openPage({ width });
    const { x, y } = await placeOf(tab, address);
    const click = { x, y, button: "left", clickCount: 1 };
    await tab.call("Input.dispatchMouseEvent", { type: "mousePressed", ...click });
    await tab.call("Input.dispatchMouseEvent", { type: "mouseReleased", ...click });
    expect(await tab.evaluate<string>("getSelection().toString()")).toBe(address);
  });

  test("a tap selects an address whole", async () => {
    await using tab = await openPage();
    await tab.call("Emulation.setTouchEmulationEnabled", { enabled: true });
    const place = await placeOf(tab, "203.0.113.52");
    await tab.call("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [place] });
    await tab.call("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
    const selected = () => tab.evaluate<string>("getSelection().toString()");
    await eventually("a selection", async () => (await selected()) !== "");
    expect(await selected()).toBe("203.0.113.52");
  });

  test("it is no blank picture, and dark where the phone is dark", async () => {
    await using blank = await browser.newTab();
    await show(blank, 360, "light");
    expect((await look(blank, blank)).colours).toBe(1);
    await using lightTab = await openPage();
    const light = await look(blank, lightTab);
    await using darkTab = await openPage({ scheme: "dark" });
    const dark = await look(blank, darkTab);
    expect(light.colours).toBeGreaterThan(100);
    expect(dark.colours).toBeGreaterThan(100);
    expect(light.brightness).toBeGreaterThan(0.6);
    expect(dark.brightness).toBeLessThan(0.4);
  });

  // The last one, since nas moves.
  test("it refreshes itself within a minute, and shows the address that is new by then", async () => {
    await using tab = await openPage();
    expect(await dynip(["ping", web.config])).toMatchObject({ exitCode: 0 });
    await eventually("the new address", async () =>
      (await (await web.get("/", "phone")).text()).includes("127.0.0.1"),
    );
    // The minute passes at once for the page; then it needs a little more time for its load.
    const from = tab.events.length;
    for (const [budget, event] of [
      [61_000, "Page.frameNavigated"],
      [1_000, "Page.loadEventFired"],
    ] as const) {
      await tab.call("Emulation.setVirtualTimePolicy", { policy: "advance", budget });
      await tab.happened(event, ({ method }) => method === event, from);
    }
    expect(await tab.evaluate<boolean>(`${elementOf("127.0.0.1")} !== undefined`)).toBe(true);
    expect(requests(tab)).toEqual([`${web.url}/`, `${web.url}/`]);
    expect(complaints(tab)).toEqual([]);
  });

  test.skipIf(process.platform !== "linux")("a browser leaves no process behind", async () => {
    const other = await openBrowser(BROWSER_MS);
    expect(await processesOf(other)).not.toEqual([]);
    await other[Symbol.asyncDispose]();
    await eventually("its end", async () => (await processesOf(other)).length === 0);
  });
});

const BROWSER_MS = 120_000 * PATIENCE;

/** The time so many milliseconds ago, as the client log has it. */
const ago = (milliseconds: number): string => new Date(Date.now() - milliseconds).toISOString();

const HOUR = 3_600_000;

const sighting = (address: string, seen: number, stay: number) => ({
  address,
  since: ago(stay),
  last_seen: ago(seen),
});

const HOSTS = {
  nas: {
    ipv4: sighting("203.0.113.52", 0, 26.5 * HOUR),
    ipv6: sighting(LONG_ADDRESS, 0, 26.5 * HOUR),
    counter: "0000000000000001",
  },
  "attic-pi": {
    ipv4: sighting("198.51.100.9", 73 * HOUR, 19.5 * 24 * HOUR),
    counter: "0000000000000001",
  },
  router: {
    ipv4: { ...sighting("192.0.2.200", 5.5 * HOUR, 5.5 * HOUR), claimed: true },
    counter: "0000000000000000",
  },
  [LONG_NAME]: {
    ipv4: sighting("192.0.2.9", 0, 50 * HOUR),
    counter: "0000000000000001",
  },
  [LONG_PLAIN_NAME]: { ipv4: sighting("192.0.2.7", 125 * HOUR, 125 * HOUR) },
  [HTML_NAME]: { ipv4: sighting("192.0.2.6", 0, 40.5 * HOUR) },
};

/** The element with an address, as an expression. */
const elementOf = (address: string): string =>
  `[...document.querySelectorAll('code')].find((it) => it.textContent === '${address}')`;

/** Scrolls to an address, and returns a place in it. */
async function placeOf(tab: Tab, address: string): Promise<{ x: number; y: number }> {
  return await tab.evaluate(`(() => {
    ${elementOf(address)}.scrollIntoView({ block: 'center' });
    const { left, top, height } = ${elementOf(address)}.getBoundingClientRect();
    return { x: left + 30, y: top + height / 2 };
  })()`);
}

/** Gives a tab the window of a phone or a desk, with a preference for light or dark. */
async function show(tab: Tab, width: number, scheme: string): Promise<void> {
  const window = { width, height: 800, deviceScaleFactor: 1, mobile: width < 600 };
  await tab.call("Emulation.setDeviceMetricsOverride", window);
  const features = [{ name: "prefers-color-scheme", value: scheme }];
  await tab.call("Emulation.setEmulatedMedia", { features });
}

/** What the browser had to say of a page: messages, errors, broken policies. */
function complaints({ events }: Tab): string[] {
  return events
    .filter(({ method }) =>
      /^(Log\.entryAdded|Runtime\.(consoleAPICalled|exceptionThrown)|Audits\.issueAdded)$/.test(
        method,
      ),
    )
    .map((event) => JSON.stringify(event));
}

/** Every URL that was asked for, without name and password. */
function requests({ events }: Tab): string[] {
  return events
    .filter(({ method }) => method === "Network.requestWillBeSent")
    .map(({ params }) => (params["request"] as { url: string }).url.replace(/\/\/.*@/, "//"));
}

interface Node {
  nodeId: string;
  ignored: boolean;
  role?: { value: string };
  name?: { value: string };
  childIds?: string[];
}

/** What a screen reader is told, in the order of the page. */
async function tree(tab: Tab): Promise<{ role: string; name: string }[]> {
  const { nodes } = await tab.call<{ nodes: Node[] }>("Accessibility.getFullAXTree");
  const byId = new Map(nodes.map((node) => [node.nodeId, node]));
  const read = (node: Node): { role: string; name: string }[] => {
    const own = { role: node.role?.value ?? "", name: node.name?.value ?? "" };
    const below = (node.childIds ?? []).flatMap((id) => byId.get(id) ?? []);
    return [...(node.ignored ? [] : [own]), ...below.flatMap(read)];
  };
  return read(nodes[0]!);
}

/** Looks at a screenshot of a tab: a blank tab decodes it, which no policy forbids. */
async function look(blank: Tab, tab: Tab): Promise<{ colours: number; brightness: number }> {
  const png = (await tab.screenshot()).toBase64();
  return await blank.evaluate(`(async () => {
    const bytes = Uint8Array.fromBase64("${png}");
    const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, image.width, image.height);
    const pixels = new Uint32Array(data.buffer);
    let sum = 0;
    for (let at = 0; at < data.length; at += 4) sum += data[at] + data[at + 1] + data[at + 2];
    return { colours: new Set(pixels).size, brightness: sum / pixels.length / 765 };
  })()`);
}

/** The processes whose command line has a browser's profile. */
async function processesOf({ profile }: Browser): Promise<string[]> {
  const ids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    ids.map((id) => readFile(`/proc/${id}/cmdline`, "utf8").catch(() => "")),
  );
  return ids.filter((_, index) => lines[index]!.includes(profile));
}
