import { mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const ENTRY = join(import.meta.dirname, 'agent-entry.mjs');

/** The file that startLife runs. */
export const BUNDLED_ENTRY = join(ROOT, 'node_modules', '.cache', 'gitfleet', 'agent-entry.mjs');

/**
 * agent-entry.mjs and the modules of the build that it needs, as one file: the kill tests start an agent hundreds of
 * times, and most of each start was spent on finding three hundred files.
 */
export async function bundleEntry(): Promise<void> {
  const sources = [ENTRY, join(ROOT, 'dist', '.built')].map((file) => statSync(file).mtimeMs);
  const made = statSync(BUNDLED_ENTRY, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (sources.every((time) => time < made)) return;
  const { build } = await import('rolldown'); // Callers that only need the name need not load it.
  const aside = `${BUNDLED_ENTRY}.${process.pid}`;
  mkdirSync(dirname(aside), { recursive: true });
  await build({
    cwd: ROOT,
    input: ENTRY,
    platform: 'node',
    plugins: [placesOfModules],
    // As in scripts/make-script.mjs: the entry that Node finds loads its files in a way that no bundler follows.
    resolve: { alias: { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' } },
    output: { format: 'esm', codeSplitting: false, file: aside },
    logLevel: 'silent',
  });
  renameSync(aside, BUNDLED_ENTRY);
}

/** Lets each module find its neighbours where the build put it. */
const placesOfModules = {
  name: 'places of modules',
  transform: (code: string, id: string) =>
    id.startsWith(join(ROOT, 'dist')) && code.includes('import.meta.url')
      ? code.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(id).href))
      : null,
};
