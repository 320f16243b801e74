import stringWidth from 'string-width';

/** What a piece of a screen means. The command decides whether it becomes a colour. */
export type Tone = 'good' | 'bad' | 'busy' | 'faint' | 'strong';
export type Theme = (tone: Tone, text: string) => string;

/** No colour: for anything but a terminal, or on request. */
export const plain: Theme = (_tone, text) => text;

/** The properties of the output that every screen is made for. */
export interface Screen {
  /** Cells per line; Infinity if there is no window. Tables are cut to this width. */
  readonly columns: number;
  /** Whether longer lines wrap, for output that stays. Lines that are redrawn in place are cut. */
  readonly wraps: boolean;
  /** Ms since the epoch. */
  readonly now: number;
  readonly paint: Theme;
}

/** Text for terminal cells. A character may take two cells or none. */
export interface Cell {
  readonly text: string;
  readonly tone?: Tone;
}

export function width(text: string): number {
  return /^[ -~]*$/.test(text) ? text.length : stringWidth(text);
}

/** At most `cells` cells; a text that does not fit ends with `…`. */
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

/** One line of a screen. If it must not wrap, it is cut before it is painted. */
export function line({ columns, wraps, paint }: Screen, text: string, tone?: Tone): string {
  const shown = wraps ? text : cut(text, columns);
  return tone ? paint(tone, shown) : shown;
}

/** The maximum width of a column: one long name must not push the rest of its line off the screen. */
const WIDEST = 32;

/** Lines with aligned columns, two spaces apart. The last column takes the rest of the line. */
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
