/**
 * A larger receive buffer for a UDP socket: the default of Linux, 208 KiB, holds some 250 small
 * datagrams, and overflows while the server does something else for a few milliseconds.
 */
import { getOption, setOption, type SocketOption } from "./setsockopt.ts";

/** Holds some 1,200 small datagrams. With more, a ping would only wait longer under a flood. */
export const WANTED_BYTES = 1 << 20;

/**
 * Asks the system for {@link WANTED_BYTES}.
 * @param fd the file descriptor of the socket
 * @returns the size of the buffer now, in bytes (Linux: at most `net.core.rmem_max`), or undefined
 *   where the system cannot be asked
 */
export function raiseReceiveBuffer(fd: number): number | undefined {
  const option = SO_RCVBUF[process.platform];
  if (option === undefined) return undefined;
  setOption(fd, option, new Int32Array([WANTED_BYTES]));
  const bytes = getOption(fd, option);
  // Linux doubles what is asked for, to count its own bookkeeping in (socket(7)).
  return bytes === undefined || process.platform !== "linux" ? bytes : bytes / 2;
}

const SO_RCVBUF: Partial<Record<NodeJS.Platform, SocketOption>> = {
  linux: { level: 1, name: 8 },
  darwin: { level: 0xffff, name: 0x1002 },
};
