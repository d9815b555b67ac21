/**
 * The one place that changes a record: the registry decides, the store makes it durable, readers see
 * it, and listeners are told. The order never varies: a record that a listener is told of is
 * durable, and its ping was answered.
 */
import type { Change, Host } from "../host.ts";
import { familyOf } from "../protocol/address.ts";
import type { PlainRefusal, Registry, SignedOutcome, SignedPing } from "./registry.ts";

/** Told whether a record is durable. */
type Done = (isDurable: boolean) => void;

/** What the recorder uses of a store. */
export interface RecordStore {
  /** Has a record written soon whose time alone moved on, and which is in the hosts already. */
  note(name: string): void;
  /**
   * Makes a record durable.
   * @param done called once, when the record is durable or that failed; it puts the record in the
   *   hosts
   */
  commit(name: string, host: Host, done: (isDurable: boolean) => void): void;
}

/** Told, once for each accepted ping and each claim, whether its record is durable. */
export type Settled = (isDurable: boolean, name: string, address: string) => void;

/** A signed ping is not recorded: its sender is to be challenged. */
export type Challenge = Extract<SignedOutcome, { kind: "challenge" }>;

/**
 * Told of a change. It should return soon: the next datagram waits. A promise that it returns is not
 * waited for.
 */
export type Listener = (change: Change) => void | Promise<void>;

export interface RecorderParts {
  registry: Registry;
  store: RecordStore;
  /** Milliseconds since 1970, UTC. */
  now: () => number;
  /** Takes what a listener throws, or rejects with. */
  onListenerError: (error: unknown) => void;
}

/** Records pings and claims, and tells its listeners. */
export class Recorder {
  readonly #parts: RecorderParts;
  readonly #listeners: Listener[] = [];
  /** What waits for a record to be settled, beside the ping that it was accepted with. */
  readonly #copies = new Map<Host, Done[]>();

  constructor(parts: RecorderParts) {
    this.#parts = parts;
  }

  /**
   * Has a listener told of every change from now on, in the order of the changes, once each, after
   * the change is durable. A ping from the recorded address is a change as well; if it is plain, its
   * time may not be durable yet. A listener that fails is told of the next change all the same.
   */
  subscribe(listener: Listener): void {
    this.#listeners.push(listener);
  }

  /**
   * Records a plain ping, if the registry lets it.
   * @param name as decoded from the datagram
   * @param address the source address of the datagram, canonical
   * @returns why it is refused; undefined when it is accepted, and `settled` is or will be called
   */
  recordPlain(name: string, address: string, settled: Settled): PlainRefusal | "copy" | undefined {
    const { registry, store, now } = this.#parts;
    const time = now();
    const outcome = registry.recordPlain(name, address, time);
    switch (outcome.kind) {
      case "refused":
        return outcome.reason;
      case "seen":
        store.note(name);
        settled(true, name, address);
        this.#tell({ name, address, how: "plain" }, outcome.before, outcome.host, time);
        return undefined;
      case "copy":
        return this.#await(outcome.host, { name, address, how: "plain" }, time, settled)
          ? undefined
          : "copy";
      case "accepted":
        this.#commit({ name, address, how: "plain" }, outcome.host, time, settled);
        return undefined;
    }
  }

  /** When a name was last seen, see {@link Registry.seenOf}. */
  seenOf(name: string, address: string): number {
    return this.#parts.registry.seenOf(name, address);
  }

  /**
   * Records a signed ping, if the registry lets it. A copy of a ping that is being made durable is
   * settled together with it.
   * @returns what to do instead; undefined when it is accepted, and `settled` will be called
   */
  recordSigned(ping: SignedPing, settled: Settled): Challenge | "copy" | undefined {
    const { registry, now } = this.#parts;
    const { name, address } = ping;
    const time = now();
    const outcome = registry.recordSigned(ping, time);
    switch (outcome.kind) {
      case "challenge":
        return outcome;
      case "copy":
        return this.#await(outcome.host, { name, address, how: "proven" }, time, settled)
          ? undefined
          : "copy";
      case "accepted":
        this.#commit({ name, address, how: "proven" }, outcome.host, time, settled);
        return undefined;
    }
  }

  /**
   * Records an address that was claimed for a name, see {@link Registry.recordClaim}; `settled` will be
   * called.
   * @param name a signed name; the claim was authenticated
   * @param address canonical
   * @returns whether the name was elsewhere
   */
  recordClaim(name: string, address: string, settled: Settled): boolean {
    const { registry, now } = this.#parts;
    const time = now();
    const { host, isNews } = registry.recordClaim(name, address, time);
    this.#commit({ name, address, how: "claimed" }, host, time, settled);
    return isNews;
  }

  /**
   * Settles a copy together with the ping that `host` was accepted with.
   * @returns false where as many wait as may
   */
  #await(host: Host, report: Report, time: number, settled: Settled): boolean {
    const waiting = this.#copies.get(host) ?? [];
    if (waiting.length === MAX_COPIES) return false;
    waiting.push((isDurable) => {
      settled(isDurable, report.name, report.address);
      if (isDurable) this.#tell(report, host, host, time);
    });
    this.#copies.set(host, waiting);
    return true;
  }

  #commit(report: Report, host: Host, time: number, settled: Settled): void {
    const { registry, store } = this.#parts;
    const { name, address } = report;
    store.commit(name, host, (isDurable) => {
      const before = registry.settle(name, host, isDurable);
      settled(isDurable, name, address);
      if (isDurable) this.#tell(report, before, host, time);
      const copies = this.#copies.get(host) ?? [];
      this.#copies.delete(host);
      for (const copy of copies) copy(isDurable);
    });
  }

  #tell({ name, address, how }: Report, before: Host | undefined, now: Host, time: number): void {
    if (this.#listeners.length === 0) return;
    const change: Change = { name, family: familyOf(address), before, now, time, how };
    for (const listener of this.#listeners) {
      try {
        listener(change)?.catch(this.#parts.onListenerError);
      } catch (error) {
        this.#parts.onListenerError(error);
      }
    }
  }
}

/** Which address was reported for which name, and how. */
interface Report extends Pick<Change, "name" | "how"> {
  /** Canonical. */
  readonly address: string;
}

/** On a slow disk, one sender must not make the server hold any number of pings. */
const MAX_COPIES = 16;
