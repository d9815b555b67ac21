/**
 * Checks the code signature of a macOS executable, on any system. The signature's CodeDirectory has a
 * hash of each page of the executable; macOS kills a process when a page has another hash.
 *
 * A signature is a SuperBlob with an index of blobs, one of which is the CodeDirectory. Its numbers
 * are big-endian (Apple's `kern/cs_blobs.h`). The signer is not checked: dynip's executables are
 * signed ad hoc, without a certificate.
 */
import { createHash } from "node:crypto";

import { signatureSpan } from "./mach-o.ts";

/**
 * Checks that the code signature of a 64-bit Mach-O executable ends where the file ends, covers all
 * bytes before it, and has the hash of each page.
 * @returns the first problem; undefined when the signature is valid
 * @throws RangeError when the file is truncated
 */
export function signatureProblem(bytes: Uint8Array): string | undefined {
  const span = signatureSpan(bytes);
  if (!span) return "it is not signed";
  if (span.end !== bytes.length) return "its signature does not end where the file ends";
  const directory = codeDirectory(bytes.subarray(span.start, span.end));
  if (!directory) return "its signature has no CodeDirectory of SHA-256 hashes";
  const { limit, pageBytes, hashes } = directory;
  if (limit !== span.start) return `its signature covers ${limit} bytes of ${span.start}`;
  const pages = Math.ceil(limit / pageBytes);
  if (hashes.length !== pages) return `its signature has ${hashes.length} pages of ${pages}`;
  for (const [page, signed] of hashes.entries()) {
    const end = Math.min((page + 1) * pageBytes, limit);
    const hash = createHash("sha256")
      .update(bytes.subarray(page * pageBytes, end))
      .digest();
    if (!hash.equals(signed)) return `page ${page} of ${pages} differs from the signed one`;
  }
  return undefined;
}

const SUPER_BLOB = 0xfade0cc0;
const CODE_DIRECTORY = 0xfade0c02;
const SHA256 = 2;
const SHA256_BYTES = 32;

interface CodeDirectory {
  /** The number of bytes covered, from the start of the file. */
  limit: number;
  pageBytes: number;
  /** The SHA-256 of each page. */
  hashes: Uint8Array[];
}

function codeDirectory(signature: Uint8Array): CodeDirectory | undefined {
  const view = new DataView(signature.buffer, signature.byteOffset, signature.byteLength);
  if (view.getUint32(0) !== SUPER_BLOB) return undefined;
  const count = view.getUint32(8);
  for (let index = 0; index < count; index++) {
    const blob = view.getUint32(12 + 8 * index + 4);
    const isSha256 = view.getUint8(blob + 37) === SHA256;
    if (view.getUint32(blob) !== CODE_DIRECTORY || !isSha256) continue;
    const first = blob + view.getUint32(blob + 16);
    const slots = view.getUint32(blob + 28);
    return {
      limit: view.getUint32(blob + 32),
      pageBytes: 2 ** view.getUint8(blob + 39),
      hashes: Array.from({ length: slots }, (_, slot) =>
        signature.subarray(first + slot * SHA256_BYTES, first + (slot + 1) * SHA256_BYTES),
      ),
    };
  }
  return undefined;
}
