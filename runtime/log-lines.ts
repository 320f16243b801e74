import { writeSync } from 'node:fs';

/**
 * Where log lines go: to a descriptor, each line whole. Guarantee: `write` never throws and holds up its caller for no
 * longer than a second. A line that cannot be written (a full disk, a closed pipe, a reader that takes nothing) is dropped
 * and counted; the first line that can be written again comes behind one that says how many were lost and why. A line of
 * which only a part was written ends where it was cut, so that the next one starts a line of its own.
 */
export interface LogLines {
  write(line: string): void;
  /** Also counts a line that never came as far as this. */
  lose(error: unknown): void;
}

export type WriteSome = (descriptor: number, bytes: Buffer, offset: number) => number;

/** @param noteOf the line that says that so many lines were lost, without its end. */
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
    // Who is known to take nothing is not waited for again.
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

/** A pipe whose reader is slow takes nothing for a moment; a log call cannot wait in any other way. */
function pause(): void {
  Atomics.wait(nothing, 0, 0, TRY_AGAIN_MS);
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : String((error as Error | null)?.message ?? error);
}
