/** The keys of a server's clients: derived for each datagram, and kept once a MAC proves it. Pure. */
import { hasMac } from "./message.ts";

/** How many keys are kept. Each takes less than a kilobyte. */
const SLOTS = 8192;

interface Named {
  readonly name: string;
  readonly key: Uint8Array;
}

/**
 * Makes the function that checks the MAC of a signed datagram.
 *
 * It keeps the keys of names whose MAC was right, so that forged datagrams, whatever names they are
 * under, make the server forget no key of an honest client; and the key that it derived last, for a
 * flood under one name. Each name has one slot, by a hash that no attacker can compute: no set of names
 * makes a look-up slow. Two names with one slot take turns in it.
 * @param derive gives each signed name its key, 32 bytes
 * @param hashOf a secret hash of names, 32 bits, such as NameHash.of
 * @returns the key of a name, if the datagram, which was decoded as a signed message, ends in its MAC
 *   by that key; else undefined
 */
export function keyring(
  derive: (name: string) => Uint8Array,
  hashOf: (name: string) => number,
): (name: string, datagram: Uint8Array) => Uint8Array | undefined {
  const kept = new Array<Named | undefined>(SLOTS);
  let last: Named | undefined;
  return (name, datagram) => {
    const slot = hashOf(name) % SLOTS;
    const known = kept[slot];
    if (known?.name === name) return hasMac(datagram, known.key) ? known.key : undefined;
    if (last?.name !== name) last = { name, key: derive(name) };
    if (!hasMac(datagram, last.key)) return undefined;
    kept[slot] = last;
    return last.key;
  };
}
