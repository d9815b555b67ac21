/** Why a server cannot listen, in the same words for UDP and TCP. */
import { cannot, errorCode, EXIT, reasonOf, type UserError } from "../system/errors.ts";

/** What should have been bound, and the keys of the configuration that say so. */
export interface Endpoint {
  protocol: "UDP" | "TCP";
  /** An IP address, or `*` for every interface. */
  address: string;
  port: number;
  /** What to change, for the hint. */
  keys: { address: string; port: string; everywhere: string };
}

/** An error about a port that cannot be bound: exit code 8. */
export function cannotListen(
  { protocol, address, port, keys }: Endpoint,
  error: unknown,
): UserError {
  const where = address === "*" ? "every interface" : address;
  const otherAddress = `change ${keys.address}; "${keys.everywhere}" listens on every interface`;
  const hints: Readonly<Record<string, string>> = {
    EACCES: `ports below 1024 need a privilege; choose a higher ${keys.port}`,
    EADDRINUSE: `stop the program that uses it, or change ${keys.port}`,
    EADDRNOTAVAIL: otherAddress,
    EAFNOSUPPORT: otherAddress,
  };
  return cannot(`listen on ${protocol} port ${port}, ${where}`, undefined, reasonOf(error), {
    exitCode: EXIT.bind,
    cause: error,
    hint: hints[errorCode(error) ?? ""],
  });
}
