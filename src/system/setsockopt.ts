/**
 * setsockopt(2) and getsockopt(2) for Bun's sockets: Bun has no call for the options that dynip needs.
 * They work on Linux and macOS, where `bun:ffi` finds the C library. Elsewhere every call fails, and
 * its caller does without.
 */
import { dlopen, FFIType, ptr } from "bun:ffi";

/** An option, as the headers of the system number it. */
export interface SocketOption {
  readonly level: number;
  readonly name: number;
}

/**
 * Sets an option.
 * @param fd a file descriptor, see {@link fdOf}
 * @returns whether the system took it
 */
export function setOption(fd: number, option: SocketOption, value: NodeJS.TypedArray): boolean {
  const { level, name } = option;
  return library()?.setsockopt(fd, level, name, ptr(value), value.byteLength) === 0;
}

/**
 * An option that is a number.
 * @returns undefined where the system cannot be asked
 */
export function getOption(fd: number, { level, name }: SocketOption): number | undefined {
  const value = new Int32Array(1);
  const length = new Uint32Array([value.byteLength]);
  const failed = library()?.getsockopt(fd, level, name, ptr(value), ptr(length));
  return failed === 0 ? value[0] : undefined;
}

/** Where bytes are in memory, for a value that holds a pointer. They must be held as long as it is. */
export function addressOf(bytes: Uint8Array): bigint {
  return BigInt(ptr(bytes));
}

/** The file descriptor of one of Bun's sockets, which Bun does not document; -1 where there is none. */
export function fdOf(socket: object): number {
  return (socket as { fd?: number }).fd ?? -1;
}

/** Loads the C library at the first call: a program that sets no option does not need it. */
function library(): Library | undefined {
  loaded ??= load();
  return loaded === "missing" ? undefined : loaded;
}

type Library = ReturnType<typeof open>["symbols"];

let loaded: Library | "missing" | undefined;

function load(): Library | "missing" {
  const path = C_LIBRARIES[process.platform];
  if (path === undefined) return "missing";
  try {
    return open(path).symbols;
  } catch {
    return "missing";
  }
}

/** The loader of musl takes `libc.so.6` for its own C library. */
const C_LIBRARIES: Partial<Record<NodeJS.Platform, string>> = {
  linux: "libc.so.6",
  darwin: "libSystem.B.dylib",
};

function open(path: string) {
  return dlopen(path, {
    setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: FFIType.i32 },
    getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: FFIType.i32 },
  });
}
