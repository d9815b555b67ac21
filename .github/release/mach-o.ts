/** Reads the header of a macOS executable, as Apple's `mach-o/loader.h` describes it. */

/**
 * The processor of a 64-bit Mach-O executable.
 * @returns for example `Mach-O arm64`; undefined for any other file
 * @throws RangeError when the file is truncated
 */
export function describeMachO(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== MH_MAGIC_64 || view.getUint32(12, true) !== MH_EXECUTE) {
    return undefined;
  }
  const machine = view.getUint32(4, true);
  return `Mach-O ${MACHINES[machine] ?? machine}`;
}

/** The first byte of the code signature and the byte after its last, from LC_CODE_SIGNATURE. */
export function signatureSpan(bytes: Uint8Array): { start: number; end: number } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(16, true);
  let command = HEADER_BYTES;
  for (let index = 0; index < count; index++) {
    if (view.getUint32(command, true) === LC_CODE_SIGNATURE) {
      const start = view.getUint32(command + 8, true);
      return { start, end: start + view.getUint32(command + 12, true) };
    }
    command += view.getUint32(command + 4, true);
  }
  return undefined;
}

const MH_MAGIC_64 = 0xfeedfacf;
const MH_EXECUTE = 2;
const HEADER_BYTES = 32;
const LC_CODE_SIGNATURE = 0x1d;
const MACHINES: Readonly<Record<number, string>> = { 0x01000007: "x64", 0x0100000c: "arm64" };
