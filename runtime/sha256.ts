/**
 * SHA-256 of bytes, as 64 lower-case hex digits. Implemented here because loading node:crypto takes longer than all the
 * hashing of a publish (docs/speed.md). Not for secrets, and not for large data: one record takes well under 1 ms.
 */
export function sha256(data: Uint8Array): string {
  const state = Uint32Array.from(FIRST);
  const words = padded(data);
  const schedule = new Uint32Array(64);
  for (let at = 0; at < words.length; at += 16) compress(state, words.subarray(at, at + 16), schedule);
  return Array.from(state, (word) => word.toString(16).padStart(8, '0')).join('');
}

const PRIMES = firstPrimes(64);
const fraction = (root: number): number => Math.floor((root - Math.floor(root)) * 2 ** 32);
const FIRST = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
const ROUND = Uint32Array.from(PRIMES, (prime) => fraction(Math.cbrt(prime)));

function firstPrimes(count: number): number[] {
  const primes: number[] = [];
  for (let each = 2; primes.length < count; each += 1) if (primes.every((prime) => each % prime)) primes.push(each);
  return primes;
}

/** The data, a one bit, zeros, and the length in bits, as big-endian words in blocks of sixteen. */
function padded(data: Uint8Array): Uint32Array {
  const words = new Uint32Array(((data.length + 8) >> 6) * 16 + 16);
  const put = (at: number, byte: number) => {
    words[at >> 2] = (words[at >> 2] as number) | (byte << (24 - (at & 3) * 8));
  };
  for (const [at, byte] of data.entries()) put(at, byte);
  put(data.length, 0x80);
  words[words.length - 2] = Math.floor((data.length * 8) / 2 ** 32);
  words[words.length - 1] = data.length * 8;
  return words;
}

const turned = (word: number, by: number): number => (word >>> by) | (word << (32 - by));

function compress(state: Uint32Array, block: Uint32Array, schedule: Uint32Array): void {
  const w = (at: number) => schedule[at] as number;
  schedule.set(block);
  for (let at = 16; at < 64; at += 1) {
    const [early, late] = [w(at - 15), w(at - 2)];
    const small0 = turned(early, 7) ^ turned(early, 18) ^ (early >>> 3);
    const small1 = turned(late, 17) ^ turned(late, 19) ^ (late >>> 10);
    schedule[at] = w(at - 16) + small0 + w(at - 7) + small1;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let at = 0; at < 64; at += 1) {
    const big1 = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25);
    const first = (h + big1 + ((e & f) ^ (~e & g)) + (ROUND[at] as number) + w(at)) | 0;
    const big0 = turned(a, 2) ^ turned(a, 13) ^ turned(a, 22);
    const second = (big0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
  }
  for (const [at, word] of [a, b, c, d, e, f, g, h].entries()) state[at] = (state[at] as number) + word;
}
