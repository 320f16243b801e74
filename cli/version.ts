import { readFileSync } from 'node:fs';

/** This gitfleet's version, from its package.json. Next to program.ts, because the bundled script looks from there. */
export const version: string = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;
