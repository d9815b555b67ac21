/** The keys of a server's clients: derived from the secret, the last used ones kept. Pure. */
import { deriveKey } from "./message.ts";

/** How many keys are kept: a few hundred kilobytes, whatever names attackers make up. */
const MAX_KEPT = 4096;

/**
 * Makes the function that gives each name its key.
 * @param secret 32 bytes
 * @param generations the names with revoked keys, and the generation of each name's key now
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
    if (kept.size >= MAX_KEPT) kept.clear(); // deriving the honest names' keys again costs little
    kept.set(name, key);
    return key;
  };
}
