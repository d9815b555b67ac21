/** Checks by its header which system an executable is for. */
import { describeElf } from "./elf.ts";
import { describeMachO } from "./mach-o.ts";
import { describePe } from "./pe.ts";
import type { Target } from "./targets.ts";

/** The description of each target's executable, as `describeExecutable` gives it. */
export const EXPECTED: Readonly<Record<Target, string>> = {
  "linux-x64": "ELF x64, /lib64/ld-linux-x86-64.so.2",
  "linux-arm64": "ELF arm64, /lib/ld-linux-aarch64.so.1",
  "linux-x64-musl": "ELF x64, /lib/ld-musl-x86_64.so.1",
  "linux-arm64-musl": "ELF arm64, /lib/ld-musl-aarch64.so.1",
  "darwin-x64": "Mach-O x64",
  "darwin-arm64": "Mach-O arm64",
  "windows-x64": "PE x64, console",
  "windows-arm64": "PE arm64, console",
};

/** An executable's format and processor, and its loader (ELF) or its subsystem (PE). */
export function describeExecutable(bytes: Uint8Array): string {
  try {
    return (
      describeElf(bytes) ?? describePe(bytes) ?? describeMachO(bytes) ?? "of an unknown format"
    );
  } catch (error) {
    if (error instanceof RangeError) return "truncated";
    throw error;
  }
}

/**
 * Checks that an executable is for a target.
 * @throws Error with its description when it is for another one
 */
export function expectTarget(bytes: Uint8Array, target: Target): void {
  const found = describeExecutable(bytes);
  if (found !== EXPECTED[target]) {
    throw new Error(`The executable for ${target} is ${found}, must be ${EXPECTED[target]}`);
  }
}
