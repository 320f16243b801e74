import { writeSync } from 'node:fs';

/**
 * Writes log lines to a descriptor. Guarantee: `write` never throws, and delays its caller by about a second at most. A
 * line that cannot be written (a full disk, a closed pipe, a reader that does not read) is dropped and counted. Before
 * the next line that can be written, a line says how many were lost and why. A line of which only a part was written
 * ends there, and the next one starts on a new line.
 */
export interface LogLines {
  write(line: string): void;
  /** Counts a line that could not even be formatted. */
  lose(error: unknown): void;
}

export type WriteSome = (descriptor: number, bytes: Buffer, offset: number) => number;

/** @param noteOf the line that reports so many lost lines, without a line break. */
export function logLinesTo(
  descriptor: number,
  noteOf: (lost: number, code: string) => string,
  writeSome: WriteSome = writeSync,
): LogLines {
  let lost = 0;
  let code = '';
  let torn = false;

  function lose(error: unknown): void {
    lost++;
    code = codeOf(error);
  }

  function put(text: string): void {
    const bytes = Buffer.from(text);
    // While lines are being lost, do not wait again.
    let patience = lost > 0 ? 0 : MAX_TRIES;
    for (let at = 0; at < bytes.length; ) {
      try {
        const written = writeSome(descriptor, bytes, at);
        if (written <= 0) throw new Error('nothing was written');
        at += written;
        torn = at < bytes.length;
      } catch (error) {
        const passes = codeOf(error) === 'EAGAIN' || codeOf(error) === 'EINTR';
        if (!passes || patience-- <= 0) throw error;
        pause();
      }
    }
  }

  return {
    lose,
    write(line) {
      try {
        if (torn) put('\n');
        if (lost > 0) put(`${noteOf(lost, code)}\n`);
        lost = 0;
        put(line);
      } catch (error) {
        lose(error);
      }
    },
  };
}

const MAX_TRIES = 50;
const TRY_AGAIN_MS = 20;
const nothing = new Int32Array(new SharedArrayBuffer(4));

/** A pipe with a slow reader may be full for a moment. A log call is synchronous, so this is the only way to wait. */
function pause(): void {
  Atomics.wait(nothing, 0, 0, TRY_AGAIN_MS);
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : String((error as Error | null)?.message ?? error);
}
