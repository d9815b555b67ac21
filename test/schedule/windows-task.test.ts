import { describe, expect, test } from "bun:test";

import { windowsTask } from "../../src/schedule/windows-task.ts";
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
