/**
 * Cuts the byte stream of one socket into whole frames (length, then that many bytes). A frame is handed on only when
 * it is whole, so that a reply cut in the middle dies with its socket; a length that no server sends is an error at
 * once and not a wait for bytes that never come. One cutter per socket.
 */
export function frameCutter(onFrame: (frame: Buffer) => void, maxBytes = MAX_BYTES): (chunk: Buffer) => void {
  let chunks: Buffer[] = [];
  let have = 0;
  let need = 4;

  return (chunk) => {
    let rest = chunk;
    if (have > 0) {
      chunks.push(chunk);
      have += chunk.length;
      if (have < need) return; // Large replies arrive in many pieces: joined once, not once per piece.
      rest = Buffer.concat(chunks, have);
      chunks = [];
    }
    for (need = 4; rest.length >= 4; need = 4) {
      const length = rest.readInt32BE(0);
      if (length < 0 || length > maxBytes) throw new Error(`a frame of ${length} bytes`);
      need = 4 + length;
      if (rest.length < need) break;
      const frame = rest.length === need ? rest : rest.subarray(0, need);
      rest = rest.subarray(need);
      onFrame(frame);
    }
    have = rest.length;
    if (have > 0) chunks.push(rest);
  };
}

/** Far above a server's own limit for a node (1 MB), since a list of children has none. */
const MAX_BYTES = 64 * 1024 * 1024;
