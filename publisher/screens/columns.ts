import stringWidth from 'string-width';

/** What a piece of a screen means; the entry decides whether that is a colour. */
export type Tone = 'good' | 'bad' | 'busy' | 'faint' | 'strong';
export type Theme = (tone: Tone, text: string) => string;

/** No colour: what is not a terminal, and who asked for none. */
export const plain: Theme = (_tone, text) => text;

/** What every screen is made for. */
export interface Screen {
  /** Cells per line; Infinity where there is no window. Tables are cut to it. */
  readonly columns: number;
  /** Whether a longer line goes on in the next: where lines stay. Where they are drawn again in place, all are cut. */
  readonly wraps: boolean;
  /** Ms since the epoch. */
  readonly now: number;
  readonly paint: Theme;
}

/** Text in cells of a terminal, where a letter may take two of them or none. */
export interface Cell {
  readonly text: string;
  readonly tone?: Tone;
}

export function width(text: string): number {
  return /^[ -~]*$/.test(text) ? text.length : stringWidth(text);
}

/** At most so many cells; what does not fit ends with `…`. */
export function cut(text: string, cells: number): string {
  if (width(text) <= cells) return text;
  let kept = '';
  let taken = 1;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    taken += width(segment);
    if (taken > cells) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** One line of a screen, cut before it is painted where it must not wrap. */
export function line({ columns, wraps, paint }: Screen, text: string, tone?: Tone): string {
  const shown = wraps ? text : cut(text, columns);
  return tone ? paint(tone, shown) : shown;
}

/** One long name must not push the rest of its line off the screen. */
const WIDEST = 32;

/** Lines with aligned columns, two spaces between them; the last column takes what is left of the line. */
export function aligned(rows: readonly (readonly Cell[])[], { columns, paint }: Screen): string[] {
  const widest = columns === Number.POSITIVE_INFINITY ? columns : WIDEST;
  const widths: number[] = [];
  for (const row of rows) {
    for (const [at, { text }] of row.entries()) {
      if (at < row.length - 1) widths[at] = Math.max(widths[at] ?? 0, Math.min(width(text), widest));
    }
  }
  return rows.map((row) => {
    let [line, blank, left] = ['', '', columns];
    for (const [at, { text, tone }] of row.entries()) {
      const room = Math.min(left - blank.length, at < row.length - 1 ? widest : left);
      const shown = room < 1 ? '' : cut(text, room);
      if (shown !== '') {
        line += blank + (tone ? paint(tone, shown) : shown);
        left -= blank.length + width(shown);
        blank = '';
      }
      blank += ' '.repeat(Math.max(0, (widths[at] ?? 0) - width(shown)) + 2);
    }
    return line;
  });
}
