import { readFileSync } from 'node:fs';

/** This gitfleet's version, as its package.json says. Next to program.ts, since the one script of all looks from there. */
export const version: string = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;
