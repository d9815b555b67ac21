/** Reads the header of a Windows executable, as Microsoft's "PE Format" describes it. */

/**
 * The processor and the subsystem of a PE32+ executable.
 * @returns for example `PE x64, console`; undefined for any other file
 * @throws RangeError when the file is truncated
 */
export function describePe(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint16(0) !== MZ) return undefined;
  const header = view.getUint32(0x3c, true);
  const optional = header + 24;
  if (view.getUint32(header) !== PE || view.getUint16(optional, true) !== PE32_PLUS)
    return undefined;
  const machine = view.getUint16(header + 4, true);
  const subsystem = view.getUint16(optional + 68, true);
  return `PE ${MACHINES[machine] ?? machine}, ${SUBSYSTEMS[subsystem] ?? subsystem}`;
}

const MZ = 0x4d5a;
const PE = 0x50450000;
const PE32_PLUS = 0x20b;
const MACHINES: Readonly<Record<number, string>> = { 0x8664: "x64", 0xaa64: "arm64" };
const SUBSYSTEMS: Readonly<Record<number, string>> = { 2: "window", 3: "console" };
