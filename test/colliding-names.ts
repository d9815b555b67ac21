/**
 * Names that an attacker without any secret of the server's can make, and that collide in a hash of
 * fixed or seeded, but not keyed, form. All are plain names; the first are signed names as well.
 */

/**
 * 2^14 names with the same xxHash32 for nearly every seed. A lane of xxHash32 takes a word as
 * `lane = rotl(lane + word * P2, 13) * P1`. The words X and X' differ by (2 * 2^19 + 10) / P2. That adds
 * 2 + 10 * 2^13 to the rotated sum, unless it carries, which one seed in 4,000 does. Y and Y' take it
 * away again. Each of 4 lanes and 4 pairs of words can have X Y or X' Y'.
 */
export function namesOfOneXxHash32(): string[] {
  return Array.from({ length: 2 ** 14 }, (_, choice) => {
    let name = "";
    for (let pair = 0; pair < 4; pair++) {
      const lanes = [0, 1, 2, 3].map((lane) => (choice >> (pair * 4 + lane)) & 1);
      for (const words of [X, Y]) name += lanes.map((isOther) => words[isOther]).join("");
    }
    return name;
  });
}

const X = ["s_._", "98zw"] as const;
const Y = ["_wz_", "197k"] as const;

/**
 * Names with the same hash in Bun 1.4.5's engine, which is rapidhash without a seed. Its first 8 bytes
 * are one of rapidhash's constants, with which they are XORed: the next 8 are then multiplied by 0.
 */
export function namesOfOneKeyHash(count: number): string[] {
  return Array.from(
    { length: count },
    (_, index) => `£Ô3Ô.¦3K${String(index).padStart(8, "0")}-the-end-of-a-name`,
  );
}
