/** What a macOS executable says of itself, as `mach-o/loader.h` lays it out. */

/**
 * The machine that a 64-bit Mach-O executable is for.
 * @returns such as `Mach-O arm64`; undefined for any other file
 * @throws RangeError where it is cut short
 */
export function describeMachO(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== MH_MAGIC_64 || view.getUint32(12, true) !== MH_EXECUTE) {
    return undefined;
  }
  const machine = view.getUint32(4, true);
  return `Mach-O ${MACHINES[machine] ?? machine}`;
}

/** Where an executable's code signature lies: the span that LC_CODE_SIGNATURE gives. */
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
