/** The README's pictures of the page: made-up hosts at a made-up time, on a phone, light and dark. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { crc32 } from "node:zlib";

import type { Sighting } from "../../src/host.ts";
import { type PageRow, renderPage } from "../../src/server/page.ts";
import { type Browser, openBrowser } from "../browser.ts";
import { temporaryFolder } from "../temporary.ts";

const GITHUB = join(import.meta.dir, "..", "..", ".github");

/** The pictures' files, by the colours of the phone. */
export const PAGE_PICTURES = {
  light: join(GITHUB, "page-phone.png"),
  dark: join(GITHUB, "page-phone-dark.png"),
} as const;

/** The page that the pictures show. */
export function picturedPage(): string {
  return renderPage({ rows: ROWS, total: ROWS.length, viewer: "phone", isReader: true, now: NOW });
}

/** Draws both pictures; only where there is a browser. */
export async function drawPage(): Promise<void> {
  await using folder = await temporaryFolder();
  const file = folder.file("page.html");
  await Bun.write(file, picturedPage());
  await using browser = await openBrowser(60_000);
  for (const [scheme, picture] of Object.entries(PAGE_PICTURES)) {
    const png = await photograph(browser, pathToFileURL(file).href, scheme);
    await Bun.write(picture, withText(png, digestOf(picturedPage())));
  }
}

/** What a picture says of the page that it shows: the text of {@link withText}; "" without one. */
export function digestIn(png: Uint8Array): string {
  return /tEXtComment\0([0-9a-f]{64})/.exec(Buffer.from(png).toString("latin1"))?.[1] ?? "";
}

/** The SHA-256 of a page, in hexadecimal. */
export function digestOf(page: string): string {
  return new Bun.CryptoHasher("sha256").update(page).digest("hex");
}

/** A phone's window, at two pixels of the picture for one of the page. */
async function photograph(browser: Browser, url: string, scheme: string): Promise<Uint8Array> {
  await using tab = await browser.newTab();
  const phone = { width: 360, height: 800, deviceScaleFactor: 2, mobile: true };
  await tab.call("Emulation.setDeviceMetricsOverride", phone);
  const features = [{ name: "prefers-color-scheme", value: scheme }];
  await tab.call("Emulation.setEmulatedMedia", { features });
  await tab.open(url);
  return await tab.screenshot();
}

/** Adds a tEXt chunk behind the header of a PNG (PNG, 11.3.3.2; the header ends at byte 33). */
function withText(png: Uint8Array, text: string): Buffer {
  const body = Buffer.from(`tEXtComment\0${text}`, "latin1");
  const chunk = Buffer.alloc(body.length + 8);
  chunk.writeUInt32BE(body.length - 4); // its type does not count
  body.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(body), body.length + 4);
  return Buffer.concat([png.subarray(0, 33), chunk, png.subarray(33)]);
}

const NOW = Date.parse("2026-11-24T20:16:05.000Z");
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const at = (address: string, seenAgo: number, stay: number): Sighting => ({
  address,
  since: NOW - stay,
  lastSeen: NOW - seenAgo,
});

const ROWS: readonly PageRow[] = [
  {
    name: "attic-pi",
    isSilent: true,
    moves: [],
    host: { counter: 1, ipv4: at("198.51.100.9", 3 * DAY + HOUR, 19 * DAY) },
  },
  {
    name: "nas",
    isSilent: false,
    moves: [
      {
        time: NOW - 26 * HOUR,
        name: "nas",
        family: "ipv4",
        address: "203.0.113.52",
        previous: "198.51.100.77",
        how: "proven",
      },
    ],
    host: {
      counter: 1,
      ipv4: at("203.0.113.52", 4 * MINUTE, 26 * HOUR),
      ipv6: at("2001:db8:4f2a:1c00:a1b2:c3d4:e5f6:789a", 4 * MINUTE, 26 * HOUR),
    },
  },
  {
    name: "printer",
    isSilent: false,
    moves: [],
    host: { ipv4: at("203.0.113.52", 3 * MINUTE, 26 * HOUR) },
  },
  {
    name: "router",
    isSilent: false,
    moves: [],
    host: { counter: 0, ipv4: { ...at("192.0.2.200", 5 * HOUR, 5 * HOUR), claimed: true } },
  },
];
