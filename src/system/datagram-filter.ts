/**
 * Filters in the kernel that drop datagrams before they use up the receive buffer and the time of the
 * server: classic BPF, attached with SO_ATTACH_FILTER (Linux: socket(7), and
 * Documentation/networking/filter.rst). A socket with a filter keeps what is in its receive buffer.
 */
import { addressOf, setOption, type SocketOption } from "./setsockopt.ts";

/** How datagrams that are wanted begin, and how long they are. */
export interface DatagramShape {
  /** ASCII. */
  readonly start: string;
  /** At least the length of `start`. */
  readonly minBytes: number;
  readonly maxBytes: number;
}

/** A filter as the kernel takes it; made once, used for many sockets. */
export interface DatagramFilter {
  /** A `struct sock_fprog`: the number of instructions, and where they are. */
  readonly program: BigUint64Array;
  /** `struct sock_filter`, 8 bytes each. Held, since `program` has its address alone. */
  readonly instructions: Uint8Array;
}

/**
 * A filter that lets datagrams of these shapes through, over IPv4 and IPv6 alike.
 * @param shapes none: it drops every datagram
 */
export function makeFilter(shapes: readonly DatagramShape[]): DatagramFilter {
  const instructions = encode([...shapes.flatMap(accept), [RETURN, 0, 0, NOTHING]]);
  const program = BigUint64Array.of(BigInt(instructions.length / 8), addressOf(instructions));
  return { program, instructions };
}

/**
 * Puts a filter on a socket, in place of the one it has.
 * @param fd the file descriptor of the socket
 * @param filter undefined: none, every datagram is let through
 * @returns whether the system did it; Linux alone can
 */
export function setFilter(fd: number, filter: DatagramFilter | undefined): boolean {
  if (process.platform !== "linux") return false;
  if (filter) return setOption(fd, SO_ATTACH_FILTER, filter.program);
  // QEMU's user mode attaches filters and takes none off.
  const isOff = setOption(fd, SO_DETACH_FILTER, new Int32Array(1));
  return isOff || setOption(fd, SO_ATTACH_FILTER, EVERYTHING.program);
}

const SO_ATTACH_FILTER: SocketOption = { level: 1, name: 26 };
const SO_DETACH_FILTER: SocketOption = { level: 1, name: 27 };

/** Code; how many instructions to skip if it is true, and if it is false; a number. */
type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, k: number];

/** From linux/filter.h. A load takes big-endian bytes from an offset into the accumulator. */
const LOAD: Readonly<Record<number, number>> = { 4: 0x20, 2: 0x28, 1: 0x30 };
const LOAD_LENGTH = 0x80;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_GREATER = 0x25;
const JUMP_IF_AT_LEAST = 0x35;
const RETURN = 0x06;

/** How much of a datagram is let through. */
const ALL = 0xffff_ffff;
const NOTHING = 0;

/** What a filter of a UDP socket sees begins with the UDP header, which the length includes. */
const HEADER_BYTES = 8;

/** Lets datagrams of one shape through; others go on to the instruction behind these. */
function accept({ start, minBytes, maxBytes }: DatagramShape): Instruction[] {
  const tests: Instruction[] = [];
  for (let at = 0; at < start.length;) {
    const size = [4, 2, 1].find((size) => at + size <= start.length)!;
    const bytes = Buffer.from(start.slice(at, at + size), "latin1");
    tests.push([LOAD[size]!, 0, 0, HEADER_BYTES + at]);
    tests.push([JUMP_IF_EQUAL, 0, 1, bytes.readUIntBE(0, size)]);
    at += size;
  }
  // The length comes first: a load behind the end of a datagram would drop it.
  const instructions: Instruction[] = [
    [LOAD_LENGTH, 0, 0, 0],
    [JUMP_IF_AT_LEAST, 0, 1, HEADER_BYTES + minBytes],
    [JUMP_IF_GREATER, 1, 0, HEADER_BYTES + maxBytes],
    ...tests,
    [RETURN, 0, 0, ALL],
  ];
  // A skip of 1 stands for: to the end. Lengths are known only now.
  return instructions.map(([code, ifTrue, ifFalse, k], at) => {
    const toEnd = instructions.length - 1 - at;
    return [code, ifTrue * toEnd, ifFalse * toEnd, k];
  });
}

/** A filter that lets every datagram through. */
export const EVERYTHING: DatagramFilter = makeFilter([
  { start: "", minBytes: 0, maxBytes: 65_535 },
]);

function encode(instructions: readonly Instruction[]): Uint8Array {
  const bytes = Buffer.alloc(instructions.length * 8);
  for (const [at, [code, ifTrue, ifFalse, k]] of instructions.entries()) {
    bytes.writeUInt16LE(code, at * 8);
    bytes.writeUInt8(ifTrue, at * 8 + 2);
    bytes.writeUInt8(ifFalse, at * 8 + 3);
    bytes.writeUInt32LE(k, at * 8 + 4);
  }
  return bytes;
}
