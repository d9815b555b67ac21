import { describe, expect, test } from "bun:test";

import { GroupCommit } from "../../src/store/group-commit.ts";
import { newHostTable } from "../host-table.ts";
import type { Host } from "../../src/host.ts";

const HOST: Host = { ipv4: { address: "192.0.2.1", since: 0, lastSeen: 0 } };

/** Commits to a disk, which takes as long as it is told, by a clock that stands still meanwhile. */
function newCommits() {
  const hosts = newHostTable();
  const batches: string[][] = [];
  const texts: string[] = [];
  const firsts: string[] = [];
  const disk = { isWell: true, milliseconds: 0, duringWrite: () => {} };
  const clock = { now: 0 };
  const news: boolean[] = [];
  const waits: number[] = [];
  let end = (): void => {};
  const commits = new GroupCommit({
    hosts,
    async write(lines) {
      texts.push([...lines].join(""));
      batches.push(texts.at(-1)!.match(/(?<=^")[^"]+/gm) ?? []);
      clock.now += disk.milliseconds;
      disk.duringWrite();
      return disk.isWell;
    },
    committed(isNews, ofFirsts) {
      news.push(isNews);
      firsts.push(...ofFirsts.map(([name]) => name));
    },
    now: () => clock.now,
    gather: (milliseconds, signal) =>
      new Promise((resolve, reject) => {
        waits.push(milliseconds);
        end = () => resolve(undefined);
        signal.addEventListener("abort", () => reject(new Error("aborted")));
      }),
  });
  /** What plain pings from the recorded address do. */
  const ping = (...names: string[]): void => {
    for (const name of names) {
      hosts.set(name, HOST);
      commits.note(name);
    }
  };
  /** What other pings do: the record is in `hosts` when it is durable. */
  const commit = (name: string, host: Host): Promise<boolean> =>
    new Promise((resolve) =>
      commits.commit(name, host, (isDurable) => {
        if (isDurable) hosts.set(name, host);
        resolve(isDurable);
      }),
    );
  return {
    hosts,
    clock,
    disk,
    batches,
    texts,
    firsts,
    news,
    waits,
    commits,
    ping,
    commit,
    endWait: () => end(),
  };
}

const MANY = Array.from({ length: 64 }, (_, index) => `host-${index}`);
const turn = () => Bun.sleep(0);

test("a few changes are committed at once, those of one turn of the loop together", async () => {
  const { batches, waits, ping } = newCommits();
  ping("nas", "pi", "nas");
  await turn();
  ping("nas");
  await turn();
  expect(batches).toEqual([["nas", "pi"], ["nas"]]);
  expect(waits).toEqual([]);
});

test("after many, what nobody waits for is gathered for a tenth of a second", async () => {
  const { batches, waits, ping, endWait } = newCommits();
  ping(...MANY);
  await turn();
  ping("nas");
  await turn();
  ping("pi", "nas");
  await turn();
  expect(batches).toEqual([MANY]);
  expect(waits).toEqual([100]);
  endWait();
  await turn();
  expect(batches).toEqual([MANY, ["nas", "pi"]]);
});

test("what somebody waits for ends the gathering, and so does the end", async () => {
  const { batches, commits, news, ping } = newCommits();
  ping(...MANY);
  await turn();
  ping("nas");
  await turn();
  const isDurable = new Promise((resolve) => commits.commit("signed", HOST, resolve));
  expect(await isDurable).toBe(true);
  expect(batches).toEqual([MANY, ["nas", "signed"]]);
  expect(news).toEqual([false, true]);

  ping(...MANY);
  await turn();
  ping("pi");
  await commits.settled();
  expect(batches.at(-1)).toEqual(["pi"]);
});

describe("while a ping waits for a batch, others come and wait for the next:", () => {
  /** Commits `a` in a batch that takes so long, `b` meanwhile, and `a again` when `a` is durable. */
  function commitThree(milliseconds: number) {
    const made = newCommits();
    const { disk, commit } = made;
    disk.milliseconds = milliseconds;
    const all = [commit("a", HOST).then(() => commit("a again", HOST))];
    disk.duringWrite = () => {
      disk.duringWrite = () => {};
      all.push(commit("b", HOST));
    };
    return { ...made, all };
  }

  test("on a slow disk that is a moment later, and has what comes again", async () => {
    const { batches, waits, all, endWait } = commitThree(50);
    await turn();
    expect(batches).toEqual([["a"]]);
    expect(waits).toEqual([10]);
    endWait();
    await turn();
    await Promise.all(all);
    expect(batches).toEqual([["a"], ["b", "a again"]]);
  });

  test("on a fast disk it is at once", async () => {
    const { waits, all } = commitThree(9);
    await Promise.all(all);
    expect(waits).toEqual([]);
  });
});

test("a ping alone waits for nothing, however slow the disk", async () => {
  const { clock, disk, batches, waits, commit } = newCommits();
  disk.milliseconds = 50;
  for (const name of ["a", "b", "a"]) {
    await commit(name, HOST);
    await turn();
    clock.now += 10;
  }
  expect(batches).toEqual([["a"], ["b"], ["a"]]);
  expect(waits).toEqual([]);
});

test("what could not be made durable is no news", async () => {
  const { disk, commit, news } = newCommits();
  disk.isWell = false;
  expect(await commit("nas", HOST)).toBe(false);
  await turn();
  expect(news).toEqual([false]);
});

const at = (address: string, since: number, lastSeen: number) => ({ address, since, lastSeen });
const HOME = at("192.0.2.1", 0, 0);
const SIX = at("2001:db8::1", 0, 0);

test.each([
  ["a new host", undefined, { ipv4: HOME }, true],
  ["another address", { ipv4: HOME }, { ipv4: at("192.0.2.2", 9, 9) }, true],
  ["an address of the other family", { ipv4: HOME }, { ipv4: HOME, ipv6: SIX }, true],
  ["a first signature", { ipv4: HOME }, { ipv4: HOME, counter: 1 }, true],
  ["a move there and back", { ipv4: HOME }, { ipv4: at("192.0.2.1", 9, 9) }, true],
  ["a later time", { ipv4: HOME }, { ipv4: at("192.0.2.1", 0, 9) }, false],
  [
    "a later time and counter",
    { ipv4: HOME, ipv6: SIX, counter: 1 },
    { ipv4: at("192.0.2.1", 0, 9), ipv6: SIX, counter: 2 },
    false,
  ],
] as [string, Host | undefined, Host, boolean][])(
  "%s is news or not: %j, then %j",
  async (_what, before, now, isNews) => {
    const { commit, news } = newCommits();
    if (before) await commit("nas", before);
    await commit("nas", now);
    await turn();
    expect(news.at(-1)).toBe(isNews);
  },
);

describe("forgetting", () => {
  const LATER: Host = { ipv4: { address: "192.0.2.1", since: 0, lastSeen: 5 } };

  test("a host takes a line, and then the host is gone; a name that is not there takes none", async () => {
    const { batches, news, commits, ping, hosts } = newCommits();
    ping("nas");
    await commits.settled();
    expect(await commits.forget("nas")).toBe(true);
    expect(hosts.get("nas")).toBeUndefined();
    expect(await commits.forget("nas")).toBe(false);
    await commits.settled();
    expect([batches, news]).toEqual([
      [["nas"], ["nas"]],
      [false, true],
    ]);
  });

  test("comes behind a note of the same batch", async () => {
    const { texts, commits, ping } = newCommits();
    ping("nas");
    expect(await commits.forget("nas")).toBe(true);
    expect(texts).toEqual([expect.stringMatching(/^"nas": \{.*\n"nas": null\n$/)]);
  });

  test("does not begin while a ping of the host waits for the disk", async () => {
    const { commits, commit, hosts } = newCommits();
    await commit("nas", HOST);
    const committed = commit("nas", LATER);
    expect(await commits.forget("nas")).toBe(false);
    expect(await committed).toBe(true);
    expect(hosts.get("nas")).toEqual(LATER);
  });

  test("gives way to a ping of the same batch", async () => {
    const { texts, commits, commit, hosts } = newCommits();
    await commit("nas", HOST);
    const forgotten = commits.forget("nas");
    expect(await commit("nas", LATER)).toBe(true);
    expect(await forgotten).toBe(false);
    expect(hosts.get("nas")).toEqual(LATER);
    expect(texts.join("")).not.toContain("null");
  });

  test("gives way to a ping that comes while it is written, and to a note", async () => {
    const it = newCommits();
    await it.commit("nas", HOST);
    await it.commit("pi", HOST);
    let pinged: Promise<boolean> | undefined;
    it.disk.duringWrite = () => {
      it.disk.duringWrite = () => {};
      pinged = it.commit("nas", LATER);
      it.hosts.set("pi", LATER);
      it.commits.note("pi");
    };
    expect(await Promise.all([it.commits.forget("nas"), it.commits.forget("pi")])).toEqual([
      false,
      false,
    ]);
    expect(await pinged).toBe(true);
    await it.commits.settled();
    expect([...it.hosts]).toEqual([
      ["nas", LATER],
      ["pi", LATER],
    ]);
    // What is replayed last is what they are.
    expect(it.texts.at(-1)).toMatch(/^"pi": \{.*\n"nas": \{/);
  });

  test("is done although the disk refuses: the next snapshot makes it durable", async () => {
    const { disk, news, commits, commit, hosts } = newCommits();
    await commit("nas", HOST);
    disk.isWell = false;
    expect(await commits.forget("nas")).toBe(true);
    expect(hosts.get("nas")).toBeUndefined();
    await commits.settled();
    expect(news).toEqual([true, false]);
  });

  test("tells of hosts that are new or signed for the first time, once", async () => {
    const { firsts, commit, commits } = newCommits();
    await commit("nas", HOST);
    await commit("nas", LATER);
    await commit("nas", { ...LATER, counter: 1 });
    await commit("nas", { ...LATER, counter: 2 });
    await commits.settled();
    expect(firsts).toEqual(["nas", "nas"]);
  });
});
