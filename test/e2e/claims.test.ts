/** What somebody can do who has the HTTP password of a machine, as its router has, and captured pings. */
import { expect, setDefaultTimeout, test } from "bun:test";

import { eventually, TEST_MS } from "../waiting.ts";
import { newWeb } from "./web.ts";
import { digits, NO_COOKIE, openPeer, type Peer } from "./wire.ts";

setDefaultTimeout(TEST_MS);

/** A client whose datagrams take so long to arrive. */
const LATENCY_MS = 50;
/** So many challenges bring a client to give up, see exchange.ts. */
const MAX_CHALLENGES = 3;

test("reports as fast as they go do not keep a ping out", async () => {
  await using web = await newWeb();
  await using peer = await openPeer(web.port);
  let isOver = false;
  let reports = 0;
  const report = async (last: number): Promise<void> => {
    while (!isOver) {
      await (await web.get(`/nic/update?myip=203.0.113.${last}`, "nas")).text();
      reports++;
    }
  };
  const thieves = [1, 2, 3, 4].map(report);
  try {
    await eventually("a flood of reports", () => reports > 200);
    expect(await pingSlowly(peer, "nas")).toBe("A");
  } finally {
    isOver = true;
    await Promise.all(thieves);
  }
});

test("one name's reports take no other name's", async () => {
  await using web = await newWeb();
  const statuses: number[] = [];
  while (statuses.at(-1) !== 503) {
    expect(statuses.length).toBeLessThan(1000);
    statuses.push((await web.get("/nic/update?myip=203.0.113.1", "nas")).status);
  }
  expect(statuses.length).toBe(61);
  expect((await web.get("/nic/update?myip=203.0.113.1", "pi")).status).toBe(200);
});

test("no captured ping moves the record after a claim, accepted or held back, from any address", async () => {
  await using web = await newWeb();
  await using home = await openPeer(web.port);
  await using thief = await openPeer(web.port, "127.0.0.2");
  const { counter } = await home.exchange("nas");
  const later = digits(Number(`0x${counter}`) + 1000);
  const challenge = await home.ask({ name: "nas", cookie: digits(1).repeat(2) });
  const heldBack = { name: "nas", counter: challenge.counter, cookie: challenge.value };
  for (const claimed of ["203.0.113.9", "203.0.113.10"]) {
    expect((await web.get(`/nic/update?myip=${claimed}`, "nas")).status).toBe(200);
    for (const peer of [home, thief]) {
      expect((await peer.ask({ name: "nas", counter })).type).toBe("C");
      expect((await peer.ask({ name: "nas", counter: later })).type).toBe("C");
      expect((await peer.ask(heldBack)).type).toBe("C");
    }
    expect(await (await web.get("/hosts/nas", "nas")).text()).toBe(`${claimed}\n`);
  }
});

test("a claimed address accepts no ping without a challenge, whatever was proven there before", async () => {
  await using web = await newWeb();
  await using peer = await openPeer(web.port);
  const headers = { "X-Forwarded-For": "203.0.113.9" };
  await peer.exchange("nas");
  await web.get("/nic/update", "nas", { headers });
  // This machine's own address can be claimed by no request.
  for (const own of ["127.0.0.1", "::ffff:127.0.0.1", "127.1", "0x7f000001", "::1"]) {
    const answer = await web.get(`/nic/update?myip=${own}`, "nas");
    expect([own, answer.status]).toEqual([own, 503]);
  }
  expect((await peer.ask({ name: "nas", cookie: NO_COOKIE })).type).toBe("C");
});

/** Pings as a client does that is far away; resolves to the type of the last answer. */
async function pingSlowly(peer: Peer, name: string): Promise<string> {
  let answer = await peer.ask({ name });
  for (let challenges = 1; answer.type === "C" && challenges < MAX_CHALLENGES; challenges++) {
    await Bun.sleep(LATENCY_MS);
    answer = await peer.ask({ name, counter: answer.counter, cookie: answer.value });
  }
  return answer.type;
}
