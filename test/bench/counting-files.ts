/** The real file system, for a client log, with every write and rename counted. */
import { type Files, realFiles } from "../../src/system/files.ts";

export interface WriteObserver {
  /** `bytes` were written to the file that was opened by this path. */
  onWrite(path: string, bytes: number): void;
  /** A file was renamed to this path. */
  onRename(path: string): void;
}

export class CountingFiles {
  /** For the client log. */
  readonly files: Files;
  #underWay = 0;

  constructor(observer: WriteObserver) {
    this.files = this.#observed(realFiles, (name, args, result) => {
      if (name === "rename") observer.onRename(String(args[1]));
      if (name !== "open") return result;
      const path = String(args[0]);
      return this.#observed(result as object, (operation, [data], written) => {
        const bytes = bytesOf(operation, data, written);
        if (bytes !== undefined) observer.onWrite(path, bytes);
        return written;
      });
    });
  }

  /** Resolves when no operation is under way, and none follows from the last one. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS; quiet++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#underWay > 0) quiet = 0;
    }
  }

  /** Wraps an object: what its functions resolve to passes through `see`. */
  #observed<T extends object>(
    target: T,
    see: (name: string, args: readonly unknown[], result: unknown) => unknown,
  ): T {
    return new Proxy(target, {
      get: (_, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return async (...args: unknown[]) => {
          this.#underWay++;
          try {
            return see(String(name), args, await Reflect.apply(value, target, args));
          } finally {
            this.#underWay--;
          }
        };
      },
    });
  }
}

/** Turns of the event loop without a file operation, after which no code waits for one any more. */
const QUIET_TURNS = 3;

/** The bytes that an operation of an open file has written; undefined if it writes nothing. */
function bytesOf(operation: string, data: unknown, result: unknown): number | undefined {
  switch (operation) {
    case "write":
    case "writev":
      return (result as { bytesWritten: number }).bytesWritten;
    case "appendFile":
    case "writeFile":
      return Buffer.byteLength(data as string | Uint8Array);
    default:
      return undefined;
  }
}
