/**
 * A server whose log lies on a small disk of its own: a tmpfs in a mount namespace that ends with
 * the server. Linux, and root, alone.
 */
import { BINARY } from "../e2e/dynip.ts";

/** Why there can be no such server here; undefined where there can. */
export function whyNoNamespace(): string | undefined {
  if (process.platform !== "linux") return "needs Linux";
  if (process.getuid!() !== 0) return "needs root, for a mount namespace";
  if (Bun.which("unshare") === null) return "needs unshare";
  const { success } = Bun.spawnSync(["unshare", "-m", "true"]);
  return success ? undefined : "this container allows no mount namespace";
}

export interface SmallDisk {
  readonly pid: number;
  /** A path of the server's, as seen from here. */
  inside(path: string): string;
  stderr(): string;
  /** Resolves when it listens, or has ended. */
  started(): Promise<void>;
  readonly exited: Promise<number>;
  stop(signal: NodeJS.Signals): Promise<number>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts a server with a disk of `size` mounted at `folder`, which begins with a copy of what is in
 * the folder `from`.
 */
export function serveOnSmallDisk(
  config: string,
  folder: string,
  { size, from, isReadOnly = false }: { size: string; from: string; isReadOnly?: boolean },
): SmallDisk {
  const script = `set -e
mount -t tmpfs -o "size=$1,mode=700" dynip-test "$2"
cp -a "$3/." "$2"
if [ "$4" = true ]; then mount -o remount,ro "$2"; fi
exec "$5" serve "$6"`;
  const parameters = [size, folder, from, String(isReadOnly), BINARY, config];
  const child = Bun.spawn(["unshare", "-m", "sh", "-c", script, "sh", ...parameters], {
    stdio: ["ignore", "ignore", "pipe"],
    timeout: 60_000,
    killSignal: "SIGKILL",
  });
  let stderr = "";
  let hasEnded = false;
  void (async () => {
    const decoder = new TextDecoder();
    for await (const bytes of child.stderr) stderr += decoder.decode(bytes, { stream: true });
    hasEnded = true;
  })();
  return {
    pid: child.pid,
    inside: (path) => `/proc/${child.pid}/root${path}`,
    stderr: () => stderr,
    async started() {
      const deadline = performance.now() + 5000;
      while (!stderr.includes("listening on") && !hasEnded) {
        if (performance.now() > deadline) throw new Error(`does not start: ${stderr}`);
        await Bun.sleep(2);
      }
    },
    exited: child.exited,
    async stop(signal) {
      child.kill(signal);
      return await child.exited;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
