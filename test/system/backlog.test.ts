import { expect, test } from "bun:test";

import { Backlog } from "../../src/system/backlog.ts";

const MORE_THAN_FIT = 1100;

function newBacklog() {
  const handled: string[] = [];
  const clock = { now: 0 };
  const backlog = new Backlog(
    (datagram, address, port, peer) => {
      handled.push(`${Buffer.from(datagram).toString()} ${address} ${port} ${peer}`);
    },
    () => clock.now,
  );
  const bytes = Buffer.alloc(4);
  return {
    backlog,
    clock,
    handled,
    /**
     * Hands over a datagram whose bytes are used again for the next one, as those of a socket are.
     * @returns whether it is held
     */
    receive(index: number): boolean {
      if (!backlog.isHolding) return false;
      bytes.write(String(index).padStart(4, "0"));
      backlog.hold(bytes, "192.0.2.1", index, "own");
      return true;
    },
  };
}

const text = (index: number): string => `${String(index).padStart(4, "0")} 192.0.2.1 ${index} own`;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("holds nothing before it begins", () => {
  const { handled, receive } = newBacklog();
  expect(receive(0)).toBe(false);
  expect(handled).toEqual([]);
});

test("handles what it held, in order, when the loop has turned, and holds nothing then", async () => {
  const { backlog, handled, receive } = newBacklog();
  for (let round = 0; round < 2; round++) {
    handled.length = 0;
    expect(backlog.begin()).toBe(true);
    for (let index = 0; index < 500; index++) expect(receive(index)).toBe(true);
    expect(handled).toEqual([]);
    await turn();
    expect(handled).toEqual(Array.from({ length: 500 }, (_, index) => text(index)));
    expect(receive(500)).toBe(false);
  }
});

test("handles all when it is full, and begins again a second later", async () => {
  const { backlog, clock, handled, receive } = newBacklog();
  expect(backlog.begin()).toBe(true);
  const held = Array.from({ length: MORE_THAN_FIT }, (_, index) => receive(index)).filter(Boolean);
  expect(held.length).toBeLessThan(MORE_THAN_FIT);
  expect(handled).toEqual(held.map((_, index) => text(index)));
  clock.now = 999;
  expect(backlog.begin()).toBe(false);
  clock.now = 1000;
  expect(backlog.begin()).toBe(true);
  expect(receive(1)).toBe(true);
  await turn();
  expect(handled.slice(held.length)).toEqual([text(1)]);
});

test("handles nothing once it is closed", async () => {
  const { backlog, handled, receive } = newBacklog();
  backlog.begin();
  receive(1);
  backlog.close();
  await turn();
  expect(handled).toEqual([]);
});
