import { describe, expect, test } from "bun:test";

import { windowsTask } from "../../src/schedule/windows-task.ts";
import type { State } from "../../src/schedule/scheduler.ts";
import { parseWithPython, PYTHON, WITHOUT_PYTHON } from "../python.ts";

/** An element is its text, or an object of its children. */
const PARSE = `
from xml.etree import ElementTree
NAMESPACE = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
def read(element):
    assert element.tag.startswith(NAMESPACE)
    return {child.tag[len(NAMESPACE):]: read(child) for child in element} or element.text
value = read(ElementTree.fromstring(sys.stdin.buffer.read()))`;

const parseTask = (xml: string | Uint8Array) => parseWithPython(PARSE, xml);

const BINARY = "C:\\Program Files\\Zoë & Ann's\\dynip.exe";
const CONFIG = "C:\\ProgramData\\dynip 🏠\\dynip.toml";
const TEXT = windowsTask.print({ binary: BINARY, config: CONFIG });

describe.skipIf(!PYTHON)(`the task, read by an XML parser${WITHOUT_PYTHON}`, () => {
  test("pings every 5 minutes and at boot, without an end, and spread over half a minute", async () => {
    expect(await parseTask(TEXT)).toMatchObject({
      Triggers: {
        BootTrigger: { Enabled: "true" },
        TimeTrigger: { Repetition: { Interval: "PT5M" }, RandomDelay: "PT30S" },
      },
    });
  });

  test("runs as SYSTEM, on batteries too, one at a time, and is ended when it hangs", async () => {
    expect(await parseTask(TEXT)).toMatchObject({
      Principals: { Principal: { UserId: "S-1-5-18" } },
      Settings: {
        DisallowStartIfOnBatteries: "false",
        StopIfGoingOnBatteries: "false",
        StartWhenAvailable: "true",
        MultipleInstancesPolicy: "IgnoreNew",
        ExecutionTimeLimit: "PT4M",
      },
    });
  });

  test("names the program as it is, and the configuration as one argument", async () => {
    expect(await parseTask(TEXT)).toMatchObject({
      Actions: { Exec: { Command: BINARY, Arguments: `ping "${CONFIG}"` } },
    });
  });

  test("is the same in the encodings that a command prompt and PowerShell write", async () => {
    const expected = await parseTask(TEXT);
    expect(await parseTask(Buffer.from(TEXT, "latin1"))).toEqual(expected);
    expect(await parseTask(Buffer.from(`\ufeff${TEXT}`, "utf16le"))).toEqual(expected);
  });
});

test("it is ASCII, so that no code page changes a character", () => {
  expect(TEXT).toMatch(/^[\n -~]+$/);
});

describe("what schtasks says", () => {
  const { state } = windowsTask.service({ binary: BINARY, config: CONFIG }).check;
  const line = (status: string, when: string, result: string) =>
    `\r\n"PC","\\dynip","11/24/2026 6:00:12 PM","${status}","Interactive/Background","${when}","${result}","N/A"\r\n`;
  test.each<[string, string, State | undefined]>([
    ["it has not run", line("Ready", "11/30/1999 12:00:00 AM", "267011"), { kind: "busy" }],
    ["it runs", line("Running", "11/24/2026 5:55:01 PM", "267009"), { kind: "busy" }],
    [
      "it has ended",
      line("Ready", "11/24/2026 5:55:01 PM", "6"),
      { kind: "ended", exitCode: 6, run: "11/24/2026 5:55:01 PM" },
    ],
    [
      "in German",
      line("Bereit", "24.11.2026 17:55:01", "0"),
      { kind: "ended", exitCode: 0, run: "24.11.2026 17:55:01" },
    ],
    ["nothing", "", undefined],
  ])("%s", (_, text, expected) => {
    expect(state!.read(text)).toEqual(expected!);
  });
});
