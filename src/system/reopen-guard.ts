/**
 * Guards a socket where the kernel has no filters for it (macOS, Windows): it is closed for some
 * milliseconds, and bound again. Another program can take the port meanwhile; that is said at once,
 * and the port is tried again until it is free.
 */
import { reasonOf } from "./errors.ts";
import { type Guard, PAUSE_MS, type Pressure } from "./flood.ts";
import type { Log } from "./log.ts";

const RETRY_MS = 100;

export interface ReopenParts {
  port: number;
  /** Closes the socket. */
  close: () => void;
  /** Binds it again, where it was. */
  open: () => Promise<void>;
  log: Pick<Log, "error" | "log">;
}

export class ReopenGuard implements Guard {
  readonly #parts: ReopenParts;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: ReopenParts) {
    this.#parts = parts;
  }

  onPressure(pressure: Pressure): void {
    if (pressure !== "starving" || this.#timer !== undefined) return;
    this.#parts.close();
    this.#timer = setTimeout(() => this.#reopen(false), PAUSE_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  async #reopen(isRetry: boolean): Promise<void> {
    const { port, open, log } = this.#parts;
    try {
      await open();
    } catch (error) {
      if (!isRetry) {
        log.error(
          `Cannot listen on UDP port ${port} any more: ${reasonOf(error)}; no ping is received`,
          "a flood closed the port for a moment, and another program took it; it is tried again until it is free",
        );
      }
      this.#timer = setTimeout(() => this.#reopen(true), RETRY_MS);
      return;
    }
    this.#timer = undefined;
    if (isRetry) log.log(`listening on UDP port ${port} again`);
  }
}
