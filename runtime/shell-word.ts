/** One word for a shell, quoted if necessary. */
export const shellWord = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : shellQuoted(text));

/** One word for a shell, always quoted. */
export const shellQuoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
