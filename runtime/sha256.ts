/**
 * SHA-256 of bytes, as 64 lower-case hex digits. Implemented here because loading node:crypto takes longer than all the
 * hashing of a publish (docs/speed.md). Not for secrets, and not for large data: one record takes well under 1 ms. A
 * command runs it once, so V8 never compiles it to fast code: hence plain loops over numbers, and no small functions.
 */
export function sha256(data: Uint8Array): string {
  const state = new Int32Array(FIRST);
  const blocks = padded(data);
  const schedule = new Int32Array(64);
  for (let at = 0; at < blocks.byteLength; at += 64) {
    for (let word = 0; word < 16; word += 1) schedule[word] = blocks.getInt32(at + word * 4);
    compress(state, schedule);
  }
  let text = '';
  for (const word of state) text += (word >>> 0).toString(16).padStart(8, '0');
  return text;
}

/** The data, a one bit, zeros, and the length in bits, in whole blocks of 64 bytes. */
function padded(data: Uint8Array): DataView {
  const bytes = new Uint8Array(((data.length + 8) >> 6) * 64 + 64);
  bytes.set(data);
  bytes[data.length] = 0x80;
  const view = new DataView(bytes.buffer);
  view.setUint32(bytes.length - 8, Math.floor(data.length / 2 ** 29));
  view.setUint32(bytes.length - 4, data.length * 8);
  return view;
}

/** One block: its 16 words begin the schedule, the other 48 follow from them. */
function compress(state: Int32Array, schedule: Int32Array): void {
  for (let at = 16; at < 64; at += 1) {
    const early = schedule[at - 15] as number;
    const late = schedule[at - 2] as number;
    const small0 = ((early >>> 7) | (early << 25)) ^ ((early >>> 18) | (early << 14)) ^ (early >>> 3);
    const small1 = ((late >>> 17) | (late << 15)) ^ ((late >>> 19) | (late << 13)) ^ (late >>> 10);
    schedule[at] = (schedule[at - 16] as number) + small0 + (schedule[at - 7] as number) + small1;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let at = 0; at < 64; at += 1) {
    const big1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const first = h + big1 + ((e & f) ^ (~e & g)) + (ROUND[at] as number) + (schedule[at] as number);
    const big0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const second = big0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  // An Int32Array keeps the lowest 32 bits of each value.
  state.set([a, b, c, d, e, f, g, h].map((word, at) => word + (state[at] as number)));
}

/** The first 32 fraction bits of the square roots of the first 8 primes, and of the cube roots of the first 64. */
const FIRST = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];
const ROUND = [
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
];
