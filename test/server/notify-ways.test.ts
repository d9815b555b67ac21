/** The two ways of telling, with real programs and a real receiver: how long each may take. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { commandWay } from "../../src/server/notify-command.ts";
import { testNotice } from "../../src/server/notices.ts";
import { urlWay } from "../../src/server/notify-url.ts";
import { temporaryFolder } from "../temporary.ts";
import { eventually, TEST_MS } from "../waiting.ts";

setDefaultTimeout(TEST_MS);

const NOTICE = testNotice(0);
const NEVER = new AbortController().signal;

const run = (script: string, limit = 20_000, signal = NEVER) =>
  commandWay(["/bin/sh", "-c", script], {
    env: process.env,
    platform: process.platform,
    limit,
    reasonOf: (error) => (error as Error).message,
  }).tell([NOTICE], signal);

/** Whether a process is there, and no zombie. */
async function isRunning(pid: number): Promise<boolean> {
  const status = await Bun.file(`/proc/${pid}/stat`)
    .text()
    .catch(() => "");
  return status !== "" && !/\) Z /.test(status);
}

describe.skipIf(process.platform !== "linux")("a command", () => {
  test("that works", async () => {
    expect(await run("cat > /dev/null; echo fine")).toEqual({
      isTold: true,
      answer: "exit code 0: fine",
    });
  });

  test("that does not read its input, and one that closes it", async () => {
    expect(await run("exit 0")).toEqual({ isTold: true, answer: "exit code 0" });
    expect(await run("exec 0<&-; exit 4")).toEqual({ isTold: false, answer: "exit code 4" });
  });

  test("that is ended by a signal", async () => {
    expect(await run("kill -SEGV $$")).toEqual({
      isTold: false,
      answer: "it was ended by SIGSEGV",
    });
  });

  test("that hangs is killed with its children when its time is over", async () => {
    const { isTold, answer } = await run("sleep 985.4 & sleep 985.4 & echo $!; wait", 500);
    const [, pid] = /: (\d+)$/.exec(answer)!;
    expect({ isTold, answer }).toEqual({
      isTold: false,
      answer: `it ran for more than 0.5 seconds and was ended: ${pid}`,
    });
    await eventually("the end of its child", async () => !(await isRunning(Number(pid))));
  });

  test("that ignores every signal is killed, too", async () => {
    const { answer } = await run("trap '' TERM INT HUP; while :; do sleep 0.1; done", 500);
    expect(answer).toBe("it ran for more than 0.5 seconds and was ended");
  });

  test("that leaves a child behind: that is not waited for, and has the rest of the time", async () => {
    const start = performance.now();
    const { isTold, answer } = await run("sleep 984.3 & echo $!", 3000);
    expect(isTold).toBe(true);
    expect(performance.now() - start).toBeLessThan(2500);
    const pid = Number(/: (\d+)$/.exec(answer)![1]);
    expect(await isRunning(pid)).toBe(true);
    await eventually("the end of its child", async () => !(await isRunning(pid)));
    expect(performance.now() - start).toBeGreaterThan(2900);
  });

  test("is killed when the server stops, and what an earlier one left behind, too", async () => {
    const stop = new AbortController();
    const earlier = await run("sleep 983.2 & echo $!", 60_000, stop.signal);
    const pid = Number(/: (\d+)$/.exec(earlier.answer)![1]);
    const telling = run("sleep 983.2", 60_000, stop.signal);
    await Bun.sleep(50);
    stop.abort();
    expect((await telling).isTold).toBe(false);
    await eventually("the end of the child", async () => !(await isRunning(pid)));
  });

  test("the loop does not stand still while one floods its output", async () => {
    const stop = new AbortController();
    const telling = run("yes & yes >&2", 60_000, stop.signal);
    let longest = 0;
    let rounds = 0;
    for (let last = performance.now(), end = last + 1000; last < end; rounds++) {
      await Bun.sleep(1);
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }
    stop.abort();
    await telling;
    expect(rounds).toBeGreaterThan(20);
    expect(longest).toBeLessThan(250);
  });
});

describe.skipIf(process.platform !== "win32")("a command on Windows", () => {
  const tell = (command: string[], limit = 20_000, signal = NEVER) =>
    commandWay(command, {
      env: process.env,
      platform: process.platform,
      limit,
      reasonOf: (error) => (error as Error).message,
    }).tell([NOTICE], signal);

  /** A program that waits for a child, and writes the child's process id to a file. */
  const waiting = (path: string): string[] => [
    process.execPath,
    "-e",
    `const child = Bun.spawn([process.execPath, "-e", "await Bun.sleep(600_000)"]);
     await Bun.write(${JSON.stringify(path)}, String(child.pid));
     await child.exited;`,
  ];

  function isThere(pid: number): boolean {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  }

  test("that works, and one that fails", async () => {
    expect(await tell(["cmd", "/c", "echo fine"])).toEqual({
      isTold: true,
      answer: "exit code 0: fine",
    });
    expect(await tell(["cmd", "/c", "exit 3"])).toEqual({ isTold: false, answer: "exit code 3" });
  });

  test("that hangs is ended with its children when its time is over", async () => {
    await using folder = await temporaryFolder();
    expect(await tell(waiting(folder.file("pid")), 5000)).toEqual({
      isTold: false,
      answer: "it ran for more than 5 seconds and was ended",
    });
    const pid = Number(await Bun.file(folder.file("pid")).text());
    await eventually("the end of its child", () => !isThere(pid));
  });

  test("is ended with its children when the server stops", async () => {
    await using folder = await temporaryFolder();
    const stop = new AbortController();
    const telling = tell(waiting(folder.file("pid")), 60_000, stop.signal);
    await eventually("its child", () => Bun.file(folder.file("pid")).size > 0);
    const pid = Number(await Bun.file(folder.file("pid")).text());
    expect(isThere(pid)).toBe(true);
    stop.abort();
    expect((await telling).isTold).toBe(false);
    await eventually("the end of its child", () => !isThere(pid));
  });
});

describe("a URL", () => {
  test("that does not answer is given up after its time", async () => {
    using server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => new Promise<Response>(() => {}),
    });
    const way = urlWay(`${server.url}`, { userAgent: "test", limit: 200 });
    expect(await way.tell([NOTICE], NEVER)).toEqual({
      isTold: false,
      answer: "no answer within 0.2 seconds",
    });
    await server.stop(true);
  });

  test("that speaks no HTTPS", async () => {
    using server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
    const way = urlWay(`https://127.0.0.1:${server.port}/topic`, {
      userAgent: "test",
      limit: 5000,
    });
    expect(await way.tell([NOTICE], NEVER)).toEqual({
      isTold: false,
      answer: "it does not speak HTTPS",
    });
  });

  test.each([
    ["SSH-2.0-junk\r\n\r\n", "it does not speak HTTP"],
    ["", "it closed the connection"],
    [`HTTP/1.1 500 ${"x".repeat(5000)}\r\nContent-Length: 0\r\n\r\n`, `500 ${"x".repeat(200)}`],
  ])("that answers %j", async (text, answer) => {
    using server = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket) => void (text === "" ? socket.end() : socket.write(text)) },
    });
    const way = urlWay(`http://127.0.0.1:${server.port}/topic`, { userAgent: "test", limit: 5000 });
    expect(await way.tell([NOTICE], NEVER)).toEqual({ isTold: false, answer });
  });

  test("with a name and a password: they are sent, and not shown", async () => {
    let authorization: string | null = null;
    await using server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch(request) {
        authorization = request.headers.get("authorization");
        return new Response(null, { status: 204 });
      },
    });
    const way = urlWay(`http://ann:p%40ss@127.0.0.1:${server.port}/`, { userAgent: "test" });
    expect(way.what).toBe(`POST to 127.0.0.1:${server.port}`);
    expect(await way.tell([NOTICE], NEVER)).toEqual({ isTold: true, answer: "204 No Content" });
    expect(authorization as unknown).toBe(`Basic ${btoa("ann:p@ss")}`);
  });
});
