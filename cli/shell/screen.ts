import { writeSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { width as cellsOf } from '../../publisher/screens/columns.ts';
import { visible } from '../../runtime/safe-text.ts';

/** Lines that are redrawn in place, below what was printed before. */
interface LiveScreen {
  /** Cells per line, and lines that a frame may have, for the current window size. */
  readonly columns: number;
  readonly rows: number;
  /** Replaces the last frame. Lines must fit `columns`, otherwise the terminal wraps them. */
  draw(lines: readonly string[]): void;
  /** Removes the last frame, before printing lines that stay; then draw again. */
  clear(): void;
  /** Leaves the last frame on the screen and shows the cursor again. Idempotent. */
  close(): void;
}

const HIDE = '\u001b[?25l';
const SHOW = '\u001b[?25h';
/** Shows a whole frame at once, on terminals that support synchronized output (mode 2026). Others ignore it. */
const BEGIN = '\u001b[?2026h';
const END = '\u001b[?2026l';
const TO_END_OF_LINE = '\u001b[K';
const BELOW = '\u001b[J';
/** A colour of ours, or a control character, which could move the cursor away from where the next frame expects it. */
const COLOUR_OR_CONTROL = /(\u001b\[[0-9;]*m)|\p{Cc}/gu;
const onOneLine = (line: string): string =>
  line.replace(COLOUR_OR_CONTROL, (found: string, colour?: string) => colour ?? visible(found));

/**
 * Draws without flicker: a frame overwrites the one before, line by line, and nothing is written if nothing changed.
 * Meanwhile the cursor is hidden. It comes back however the process ends or stops, except by SIGKILL.
 */
export function openLiveScreen(stream: NodeJS.WriteStream & { readonly fd: number }): LiveScreen {
  let drawn: readonly string[] = [];
  let drawnFor = 0;
  const columns = () => stream.columns || 80;

  /** Back to the first cell of the last frame. If the window became narrower, its lines take more rows. */
  function up(): string {
    const lines = drawn.reduce((sum, line) => {
      const cells = Math.min(drawnFor, cellsOf(stripVTControlCharacters(line)));
      return sum + Math.max(1, Math.ceil(cells / columns()));
    }, 0);
    return lines === 0 ? '\r' : `\u001b[${lines}A\r`;
  }

  const closing = keepCursor(stream, () => {
    drawn = [];
  });
  return {
    get columns() {
      return columns();
    },
    get rows() {
      // The last row of the window belongs to the cursor.
      return Math.max(4, (stream.rows || 24) - 1);
    },
    draw(given) {
      const lines = given.map(onOneLine);
      const same = lines.length === drawn.length && lines.every((line, at) => line === drawn[at]);
      if (same && drawnFor === columns()) return;
      const body = lines.map((line) => `${line}${TO_END_OF_LINE}\n`).join('');
      stream.write(`${BEGIN}${up()}${body}${BELOW}${END}`);
      drawn = lines;
      drawnFor = columns();
    },
    clear() {
      if (drawn.length > 0) stream.write(`${up()}${BELOW}`);
      drawn = [];
    },
    close: closing,
  };
}

/**
 * Hides the cursor until the returned function is called, the process ends, or it is stopped (Ctrl-Z).
 * @param again called after a stop, when the last frame is somewhere else: the next frame starts from scratch.
 */
function keepCursor(stream: { readonly fd: number }, again: () => void): () => void {
  // Synchronous: nothing asynchronous is written while a process exits. A terminal that is gone needs no cursor.
  const write = (text: string) => {
    try {
      writeSync(stream.fd, text);
    } catch {}
  };
  const show = () => write(SHOW);
  const die = (signal: NodeJS.Signals) => {
    close();
    process.kill(process.pid, signal);
  };
  const pause = () => {
    show();
    process.kill(process.pid, 'SIGSTOP');
  };
  const resume = () => {
    again();
    write(HIDE);
  };
  const listeners = [
    ['exit', show],
    ['SIGTERM', die],
    ['SIGHUP', die],
    ['SIGTSTP', pause],
    ['SIGCONT', resume],
  ] as const;
  let open = true;
  function close(): void {
    if (!open) return;
    open = false;
    for (const [event, listener] of listeners) process.removeListener(event, listener);
    show();
  }
  for (const [event, listener] of listeners) process.on(event, listener);
  write(HIDE);
  return close;
}
