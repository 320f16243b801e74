/**
 * Cuts the byte stream of one socket into whole frames (length, then that many bytes). A frame is passed on only when
 * it is complete, so an incomplete reply is lost with its socket. A length that no server sends is an immediate error,
 * not a wait for bytes that never come. One cutter per socket.
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
      if (have < need) return; // Large replies arrive in many pieces: join them once, not once per piece.
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

/** Far above a server's own limit for a node (1 MB), because a list of children has no limit. */
const MAX_BYTES = 64 * 1024 * 1024;
