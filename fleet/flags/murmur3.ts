/**
 * MurmurHash3, 32 bits, x86 variant, seed 0, over the bytes of a text in UTF-8 (Austin Appleby, public domain; the
 * published test vectors are in test/fleet/flags/murmur3.test.ts). It spreads keys over the variants of a flag as flagd
 * does, so that each program of a fleet gives one key the same variant, whatever its language. No protection against
 * chosen keys: it is not for secrets.
 *
 * @returns an unsigned integer of 32 bits.
 */
export function murmur3(text: string): number {
  const bytes = Buffer.from(text, 'utf8');
  const blocks = bytes.length >>> 2;
  let hash = 0;
  for (let at = 0; at < blocks; at++) {
    hash ^= mixed(bytes.readInt32LE(at * 4));
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let at = bytes.length - 1; at >= blocks * 4; at--) tail = (tail << 8) | (bytes[at] as number);
  if (bytes.length % 4 !== 0) hash ^= mixed(tail);
  return final(hash ^ bytes.length);
}

function mixed(block: number): number {
  const first = Math.imul(block, 0xcc9e2d51);
  return Math.imul((first << 15) | (first >>> 17), 0x1b873593);
}

function final(hash: number): number {
  let mixing = hash;
  mixing = Math.imul(mixing ^ (mixing >>> 16), 0x85ebca6b);
  mixing = Math.imul(mixing ^ (mixing >>> 13), 0xc2b2ae35);
  return (mixing ^ (mixing >>> 16)) >>> 0;
}
