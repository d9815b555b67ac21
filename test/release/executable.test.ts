/** The checks that a build makes of executables that this machine cannot start. */
import { describe, expect, test } from "bun:test";

import { signatureProblem } from "../../.github/release/code-signature.ts";
import { EXPECTED, describeExecutable, expectTarget } from "../../.github/release/executable.ts";
import { type Target, TARGETS } from "../../.github/release/targets.ts";
import { smallest } from "./executables.ts";

const PAGE_BYTES = 4096;

test.each([...TARGETS])(
  "an executable for %s is recognised, and is for no other target",
  (target) => {
    const bytes = smallest(target);
    expect(describeExecutable(bytes)).toBe(EXPECTED[target]);
    for (const other of TARGETS) {
      if (other === target) expectTarget(bytes, other);
      else expect(() => expectTarget(bytes, other)).toThrow(`must be ${EXPECTED[other]}`);
    }
  },
);

test("a truncated executable is recognised", () => {
  for (const target of TARGETS) {
    const bytes = smallest(target);
    for (const length of [0, 1, 3, 4, 15]) {
      expect(describeExecutable(bytes.subarray(0, length))).not.toBe(EXPECTED[target]);
    }
    const half = bytes.subarray(0, bytes.length / 2);
    // A Mach-O header does not have the length of the file, but the signature does.
    if (target.startsWith("darwin-")) expect(signatureProblem(half)).toBeDefined();
  }
  expect(describeExecutable(smallest("linux-x64").subarray(0, 100))).toBe("truncated");
  expect(describeExecutable(smallest("windows-x64").subarray(0, 100))).toBe("truncated");
});

test("a file of another format is recognised", () => {
  expect(describeExecutable(Buffer.from("#!/bin/sh\n".repeat(100)))).toBe("of an unknown format");
});

describe.each<Target>(["darwin-arm64", "darwin-x64"])("the code signature of %s", (target) => {
  const limit = target === "darwin-arm64" ? 0x40a0 : 0x10a0; // where the signature begins

  test("is valid as the linker made it", () => {
    expect(signatureProblem(smallest(target))).toBeUndefined();
  });

  test("is not valid when one byte of a page is changed, the first or the last", () => {
    const pages = Math.ceil(limit / PAGE_BYTES);
    for (let page = 0; page < pages; page++) {
      const last = Math.min((page + 1) * PAGE_BYTES, limit) - 1;
      // Not the first byte of the file: without its header there is no signature to find.
      for (const offset of [page === 0 ? PAGE_BYTES / 2 : page * PAGE_BYTES, last]) {
        const bytes = smallest(target);
        bytes[offset]! ^= 1;
        expect(signatureProblem(bytes)).toBe(
          `page ${page} of ${pages} differs from the signed one`,
        );
      }
    }
  });

  test("is not valid when a byte is appended or cut off", () => {
    const problem = "its signature does not end where the file ends";
    const bytes = smallest(target);
    expect(signatureProblem(Buffer.concat([bytes, Buffer.alloc(1)]))).toBe(problem);
    expect(signatureProblem(bytes.subarray(0, -1))).toBe(problem);
  });

  test("must cover all bytes before it, with SHA-256", () => {
    const directory = limit + 24; // after the SuperBlob's header and its index of one blob
    const changed = (offset: number, value: number): Buffer => {
      const bytes = smallest(target);
      bytes.writeUInt32BE(value, directory + offset);
      return bytes;
    };
    const slots = Math.ceil(limit / PAGE_BYTES);
    expect(signatureProblem(changed(32, limit - 1))).toBe(
      `its signature covers ${limit - 1} bytes of ${limit}`,
    );
    expect(signatureProblem(changed(28, slots - 1))).toBe(
      `its signature has ${slots - 1} pages of ${slots}`,
    );
    expect(signatureProblem(changed(36, 0x14010000 + 12))).toBe(
      "its signature has no CodeDirectory of SHA-256 hashes",
    );
  });
});

test("an executable without a signature is recognised", () => {
  const bytes = smallest("darwin-arm64");
  const command = bytes.indexOf(Buffer.from([0x1d, 0, 0, 0, 16, 0, 0, 0]));
  bytes[command] = 0x1e;
  expect(signatureProblem(bytes)).toBe("it is not signed");
});
