/** Whether an executable is for the system that its name says, without starting it. */
import { describeElf } from "./elf.ts";
import { describeMachO } from "./mach-o.ts";
import { describePe } from "./pe.ts";
import type { Target } from "./targets.ts";

/** What each target's executable must say of itself. */
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

/** The format, the machine and what else of the system an executable says that it is for. */
export function describeExecutable(bytes: Uint8Array): string {
  try {
    return (
      describeElf(bytes) ?? describePe(bytes) ?? describeMachO(bytes) ?? "of no format that we know"
    );
  } catch (error) {
    if (error instanceof RangeError) return "cut short";
    throw error;
  }
}

/**
 * Demands that an executable is for this target.
 * @throws Error that says what it is instead
 */
export function expectTarget(bytes: Uint8Array, target: Target): void {
  const found = describeExecutable(bytes);
  if (found !== EXPECTED[target]) {
    throw new Error(`The executable for ${target} is ${found}, must be ${EXPECTED[target]}`);
  }
}
