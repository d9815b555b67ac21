/** The password of a name for HTTP, derived from its key. Pure. */

/**
 * A name's password: base64url of the first 16 bytes of HMAC-SHA256(K_name, `dynip/1 http`), 22 characters
 * that need no escape in URLs and INI files. Raising the name's generation revokes it, as it does the key.
 * @param key the name's, 32 bytes, see {@link deriveKey} of message.ts
 */
export function httpPassword(key: Uint8Array): string {
  const mac = new Bun.CryptoHasher("sha256", key).update("dynip/1 http").digest();
  return Buffer.from(mac.buffer, mac.byteOffset, PASSWORD_BYTES).toString("base64url");
}

/** Whether a text is the password that this key makes. How long it takes tells nothing of the password. */
export function isHttpPassword(text: string, key: Uint8Array): boolean {
  return crypto.timingSafeEqual(hash(text), hash(httpPassword(key)));
}

const PASSWORD_BYTES = 16;

/** Digests have one length, as timingSafeEqual demands. */
function hash(text: string): Uint8Array {
  return new Bun.CryptoHasher("sha256").update(text).digest();
}
