/**
 * A larger receive buffer for a UDP socket: the system's usual 208 KiB hold some 250 small datagrams,
 * which a moment of other work lets overflow. Bun has no call for it, so it is setsockopt(2) itself.
 */
import { dlopen, FFIType, ptr } from "bun:ffi";

/** Holds some 1,200 small datagrams. More would only make a flood's victims wait longer. */
export const WANTED_BYTES = 1 << 20;

/**
 * Asks the system for {@link WANTED_BYTES}.
 * @param fd the socket's file descriptor
 * @returns the bytes that there are now (Linux: `net.core.rmem_max` is the limit), or undefined
 *   where the system cannot be asked
 */
export function raiseReceiveBuffer(fd: number): number | undefined {
  const system = SYSTEMS[process.platform];
  if (system === undefined) return undefined;
  for (const library of system.libraries) {
    try {
      const { symbols, close } = dlopen(library, {
        setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: FFIType.i32 },
        getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: FFIType.i32 },
      });
      const value = new Int32Array([WANTED_BYTES]);
      const length = new Uint32Array([value.byteLength]);
      symbols.setsockopt(fd, system.level, system.option, ptr(value), value.byteLength);
      const failed = symbols.getsockopt(fd, system.level, system.option, ptr(value), ptr(length));
      close();
      // Linux counts its own bookkeeping in: it doubles what is asked for (socket(7)).
      return failed ? undefined : value[0]! / system.factor;
    } catch {
      // No such library here: musl's has another name than glibc's.
    }
  }
  return undefined;
}

/** SOL_SOCKET and SO_RCVBUF, which every system numbers for itself. */
const SYSTEMS: Partial<
  Record<
    NodeJS.Platform,
    { libraries: readonly string[]; level: number; option: number; factor: number }
  >
> = {
  linux: {
    libraries: ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`],
    level: 1,
    option: 8,
    factor: 2,
  },
  darwin: { libraries: ["libSystem.B.dylib"], level: 0xffff, option: 0x1002, factor: 1 },
};
