/**
 * The few roff requests that a manual page needs (man(7)). Text goes through `text`, so nothing in it is taken for a
 * request or an escape.
 */
export const section = (heading: string): string => `.SH ${inQuotes(heading.toUpperCase())}`;
export const subsection = (heading: string): string => `.SS ${inQuotes(heading)}`;

/** A paragraph: its lines are filled. */
export const paragraph = (words: string): string[] => ['.PP', prose(words)];

/** A tag, and the text beside or below it. */
export const tagged = (tag: string, words: string): string[] => ['.TP', tag, prose(words)];

/** Text in which `what is typed` is bold. */
export const prose = (words: string): string => text(words).replace(/`([^`]+)`/g, '\\fB$1\\fR');

/** Unfilled lines, as a person would type them. */
export const verbatim = (lines: readonly string[]): string[] => [
  '.PP',
  '.RS 4',
  '.nf',
  ...lines.map(text),
  '.fi',
  '.RE',
];

export const bold = (words: string): string => `\\fB${text(words)}\\fR`;
export const italic = (words: string): string => `\\fI${text(words)}\\fR`;

/**
 * A line that begins with a dot or an apostrophe would be a request, and a bare hyphen would be printed as another
 * character.
 */
export const text = (words: string): string =>
  words
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/gm, '\\&');

/** The argument of a macro, which a quote would end. */
export const inQuotes = (words: string): string => `"${text(words).replaceAll('"', '\\(dq')}"`;
