/** The keys of a server's clients: derived when they are needed, and kept only to be quick. */
import { deriveKey } from "./message.ts";

/** As many keys as are kept: a few hundred kilobytes, whatever names are made up. */
const MAX_KEPT = 4096;

/**
 * Tells each name's key.
 * @param secret 32 bytes
 * @param generations the names whose older keys are revoked, and their generation now
 * @returns the key of a signed name, 32 bytes
 */
export function keyring(
  secret: Uint8Array,
  generations: ReadonlyMap<string, number>,
): (name: string) => Uint8Array {
  const kept = new Map<string, Uint8Array>();
  return (name) => {
    const known = kept.get(name);
    if (known) return known;
    const key = deriveKey(secret, name, generations.get(name) ?? 1);
    if (kept.size >= MAX_KEPT) kept.clear(); // whoever makes up names empties it for a moment
    kept.set(name, key);
    return key;
  };
}
