import { constants, deflateRawSync } from 'node:zlib';
import { once } from '../../runtime/once.ts';
import { jsonLine } from '../../runtime/safe-text.ts';

/** One event of a stream, made once for all who get it. */
export interface Frame {
  readonly plain: Buffer;
  /** Compressed on its own, for a gzip stream that begins with GZIP_HEAD. */
  packed(): Buffer;
}

/** Begins a gzip stream whose parts are compressed one by one: no client costs a compressor. */
export const GZIP_HEAD = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);

/** @param id absent: the event does not move the place from which a client resumes. */
export function frameOf(event: string, data: unknown, id: string | null = null): Frame {
  const plain = Buffer.from(`${id === null ? '' : `id: ${id}\n`}event: ${event}\ndata: ${jsonLine(data)}\n\n`);
  return { plain, packed: once(() => deflateRawSync(plain, { finishFlush: constants.Z_SYNC_FLUSH })) };
}
