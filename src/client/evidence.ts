/** What is known of the pings or questions to one server while they are under way, for messages. */
import { familyOf, isAddress } from "../protocol/address.ts";
import { errorCode, reasonOf } from "../system/errors.ts";

/** What happens to pings and questions. */
export type ClientEvent =
  /** The server's host name has these addresses. */
  | { readonly kind: "resolved"; readonly addresses: readonly string[] }
  /** The host name cannot be resolved; it is tried again while there is time. */
  | { readonly kind: "unresolved"; readonly error: Error }
  /** The system took a datagram. */
  | { readonly kind: "sent"; readonly address: string }
  /** The system took no datagram for that address; it is tried again while there is time. */
  | { readonly kind: "unsent"; readonly address: string; readonly error: Error }
  /** What an ICMP message says of that address. Anyone can forge one (RFC 5927). */
  | { readonly kind: "icmp"; readonly address: string; readonly error: Error }
  /** A datagram that is no reply signed with the ping's key. Anyone can forge one. */
  | { readonly kind: "unsigned"; readonly address: string; readonly bytes: number }
  | { readonly kind: "challenged"; readonly address: string }
  | { readonly kind: "acknowledged"; readonly address: string }
  /** An answer to a question. */
  | { readonly kind: "answered"; readonly address: string };

export type Observe = (event: ClientEvent) => void;

/** Why a server acknowledged nothing, as far as that is known. */
export type Silence = "nothing" | "refused" | "unreachable" | "unsigned" | "challenges";

/** Collects events. */
export class Evidence {
  readonly #host: string;
  readonly #port: number;
  #isResolved: boolean;
  /** By address: the last event of each kind. */
  readonly #last = new Map<string, Map<ClientEvent["kind"], ClientEvent>>();

  constructor(host: string, port: number) {
    this.#host = host;
    this.#port = port;
    this.#isResolved = isAddress(host);
  }

  add(event: ClientEvent): void {
    if (event.kind === "resolved") this.#isResolved = true;
    if (!("address" in event)) return;
    let kinds = this.#last.get(event.address);
    if (!kinds) this.#last.set(event.address, (kinds = new Map()));
    kinds.set(event.kind, event);
  }

  /** What the pings wait for: `no answer yet from vps.example.com (203.0.113.7), port 28630`. */
  waitingFor(): string {
    if (!this.#isResolved) return `"${this.#host}" cannot be resolved yet`;
    const done = this.#addresses("acknowledged").map(familyOf);
    const isPending = (address: string): boolean => !done.includes(familyOf(address));
    const sent = this.#addresses("sent").filter(isPending);
    const clauses = this.#events("unsent").flatMap(({ address, error }) =>
      isPending(address) && !sent.includes(address)
        ? [`${address} cannot be reached yet: ${reasonOf(error)}`]
        : [],
    );
    if (sent.length > 0 || clauses.length === 0) {
      const known = sent.filter((address) => address !== this.#host);
      const addresses = known.length > 0 ? ` (${known.join(" and ")})` : "";
      clauses.unshift(`no answer yet from ${this.#host}${addresses}, port ${this.#port}`);
    }
    return clauses.join("; ");
  }

  /**
   * Why there was no acknowledgement. Says of what can be forged who said it, and not that it is so.
   * @param families the families of the ping
   */
  silence(families: readonly string[]): { kind: Silence; words: string } {
    const isOurs = ({ address }: { address: string }): boolean =>
      families.includes(familyOf(address));
    const unsigned = this.#events("unsigned").filter(isOurs);
    const challenged = this.#events("challenged").filter(isOurs);
    const icmp = this.#events("icmp").filter(isOurs);
    const refused = icmp.filter(({ error }) => errorCode(error) === "ECONNREFUSED");
    if (challenged.length > 0) {
      return {
        kind: "challenges",
        words: `${list(challenged)} answered with a challenge and acknowledged nothing`,
      };
    }
    if (unsigned.length > 0) {
      return {
        kind: "unsigned",
        words: `datagrams came back from ${list(unsigned)} that are not signed with this key`,
      };
    }
    if (refused.length > 0) {
      const words = `no answer, and ${list(refused)} says that nothing listens on UDP port ${this.#port}`;
      return { kind: "refused", words };
    }
    if (icmp.length > 0) {
      const [{ error }] = icmp as [(typeof icmp)[number]];
      const words = `no answer, and the network says of ${list(icmp)}: ${reasonOf(error)}`;
      return { kind: "unreachable", words };
    }
    const sent = this.#events("sent").filter(isOurs);
    const whence = sent.length > 0 ? ` from ${list(sent)}` : "";
    return { kind: "nothing", words: `no answer${whence}, port ${this.#port}` };
  }

  #events<K extends ClientEvent["kind"]>(
    kind: K,
  ): Extract<ClientEvent, { kind: K; address: string }>[] {
    const events = [...this.#last.values()].flatMap((kinds) => kinds.get(kind) ?? []);
    return events as Extract<ClientEvent, { kind: K; address: string }>[];
  }

  #addresses(kind: ClientEvent["kind"]): string[] {
    return [...this.#last].flatMap(([address, kinds]) => (kinds.has(kind) ? [address] : []));
  }
}

/** An event in the words of `--debug`. */
export function describeEvent(event: ClientEvent): string {
  switch (event.kind) {
    case "resolved":
      return `resolved to ${event.addresses.join(", ")}`;
    case "unresolved":
      return `not resolved: ${event.error.message}`;
    case "sent":
      return `sent to ${event.address}`;
    case "unsent":
      return `not sent to ${event.address}: ${reasonOf(event.error)}`;
    case "icmp":
      return `the network says of ${event.address}: ${icmpReason(event.error)}`;
    case "unsigned":
      return `${event.bytes} bytes from ${event.address} that are not signed with this key`;
    case "challenged":
      return `a challenge from ${event.address}`;
    case "acknowledged":
      return `an acknowledgement from ${event.address}`;
    case "answered":
      return `an answer from ${event.address}`;
  }
}

function icmpReason(error: Error): string {
  return errorCode(error) === "ECONNREFUSED" ? "nothing listens on that port" : reasonOf(error);
}

function list(events: readonly { address: string }[]): string {
  return events.map(({ address }) => address).join(" and ");
}
