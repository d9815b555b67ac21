/** The executable is for the target that it says it is for. */
import { expect, setDefaultTimeout, test } from "bun:test";

import { signatureProblem } from "../../.github/release/code-signature.ts";
import { expectTarget } from "../../.github/release/executable.ts";
import { isTarget } from "../../.github/release/targets.ts";
import { TEST_MS } from "../waiting.ts";
import { BINARY, dynip } from "./dynip.ts";

setDefaultTimeout(TEST_MS);

const bytes = await Bun.file(BINARY).bytes();
const isScript = bytes[0] === "#".charCodeAt(0);

test.skipIf(isScript)(
  "the target of --version is the file's (skipped where DYNIP_BINARY is a script that starts one)",
  async () => {
    const { stdout } = await dynip(["--version"]);
    const target = /, (\S+)\)\n$/.exec(stdout)?.[1] ?? stdout;
    if (!isTarget(target)) throw new Error(`there is no target "${target}"`);
    expectTarget(bytes, target);
    if (target.startsWith("darwin-")) expect(signatureProblem(bytes)).toBeUndefined();
  },
);
