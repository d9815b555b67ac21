/**
 * Starts a server whose log is on a small disk: a tmpfs in a mount namespace, which ends with the
 * server. Needs Linux and root.
 */
import { type RunningProcess, startProcess } from "../processes.ts";
import { BINARY } from "../e2e/dynip.ts";

/** Why such a server cannot be started here; undefined where it can. */
export function whyNoNamespace(): string | undefined {
  if (process.platform !== "linux") return "needs Linux";
  if (process.getuid!() !== 0) return "needs root, for a mount namespace";
  if (Bun.which("unshare") === null) return "needs unshare";
  const { success } = Bun.spawnSync(["unshare", "-m", "true"]);
  return success ? undefined : "this container allows no mount namespace";
}

export interface SmallDisk extends RunningProcess {
  /** The path by which this process reaches a path of the server's namespace. */
  inside(path: string): string;
}

/** The lines of [server] for a server whose log is in the folder `disk` beside its configuration. */
export const ON_SMALL_DISK = 'server_ip = "127.0.0.1"\nclient_log_path = "disk/dynip.json"';

/**
 * Starts a server with a disk of `size`, as mount(8) writes it, at `folder`. The disk begins with a copy
 * of the folder `from`.
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
  const server = startProcess(["unshare", "-m", "sh", "-c", script, "sh", ...parameters], {
    deadline: 60_000,
  });
  return { ...server, inside: (path) => `/proc/${server.pid}/root${path}` };
}
