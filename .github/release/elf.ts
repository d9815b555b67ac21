/** Reads the header of an ELF executable, as elf(5) describes it. */

/**
 * The processor and the dynamic loader of a little-endian 64-bit ELF executable.
 * @returns for example `ELF x64, /lib64/ld-linux-x86-64.so.2`; undefined for any other file
 * @throws RangeError when the file is truncated
 */
export function describeElf(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0) !== MAGIC || view.getUint16(4) !== CLASS_64_LITTLE_ENDIAN) return undefined;
  const machine = view.getUint16(18, true);
  return `ELF ${MACHINES[machine] ?? machine}, ${interpreter(bytes, view) ?? "static"}`;
}

const MAGIC = 0x7f454c46; // "\x7fELF"
const CLASS_64_LITTLE_ENDIAN = 0x0201;
const MACHINES: Readonly<Record<number, string>> = { 62: "x64", 183: "arm64" };
const PT_INTERP = 3;

function interpreter(bytes: Uint8Array, view: DataView): string | undefined {
  const table = Number(view.getBigUint64(32, true));
  const size = view.getUint16(54, true);
  const count = view.getUint16(56, true);
  for (let header = table; header < table + size * count; header += size) {
    if (view.getUint32(header, true) !== PT_INTERP) continue;
    const start = Number(view.getBigUint64(header + 8, true));
    const length = Number(view.getBigUint64(header + 32, true));
    return new TextDecoder().decode(bytes.subarray(start, start + length - 1)); // ends with a NUL
  }
  return undefined;
}
