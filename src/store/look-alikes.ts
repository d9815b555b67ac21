/**
 * Finds the plain names that a signed name replaces: `Kris-PC`, which DynIP 0.1e recorded, beside the
 * signed `kris-pc`. No ping can change such a plain name any more, see registry.ts. Pure.
 */
import { NameMap } from "../name-map.ts";
import { foldName } from "../protocol/name.ts";
import type { Host, HostStore } from "../host.ts";

/** The plain names that look like a signed name, by that name. */
export class LookAlikes {
  readonly #hosts: HostStore;
  readonly #plain: NameMap<string[]>;

  /** @param hosts the known hosts */
  constructor(hosts: HostStore) {
    this.#hosts = hosts;
    this.#plain = new NameMap((name) => hosts.hashOf(name));
  }

  /**
   * Learns of a host that is new, or signed for the first time, and that `hosts` has already.
   * @returns the plain names that are to be forgotten now, and the signed name that replaces them
   */
  add(name: string, { counter }: Host): { plain: readonly string[]; signed: string } | undefined {
    if (counter !== undefined) {
      const plain = this.#plain.get(name)?.filter((alike) => this.#isSigned(alike) === false);
      if (plain === undefined) return undefined;
      this.#plain.delete(name);
      return { plain, signed: name };
    }
    const signed = foldName(name);
    if (signed === undefined || signed === name) return undefined;
    if (this.#isSigned(signed)) return { plain: [name], signed };
    const others = this.#plain.get(signed) ?? [];
    if (!others.includes(name)) this.#plain.set(signed, [...others, name]);
    return undefined;
  }

  #isSigned(name: string): boolean | undefined {
    const host = this.#hosts.get(name);
    return host && host.counter !== undefined;
  }
}
