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
