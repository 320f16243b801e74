// Writes the packages' files for people at a shell, from the command table: manual pages and completions.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @param modules the modules that tsc made; @param directory gets `man/man1/` and `completions/`. */
export async function makeManual(modules, directory) {
  const { wholeTable } = await import(join(modules, 'cli/program.js'));
  const { describe } = await import(join(modules, 'cli/manual/describe.js'));
  const { manualPages } = await import(join(modules, 'cli/manual/pages.js'));
  const { completionFiles } = await import(join(modules, 'cli/manual/completion.js'));
  const { EXIT } = await import(join(modules, 'cli/shell/exit-codes.js'));
  const { version } = await import(join(modules, 'cli/version.js'));
  const root = describe(wholeTable().root);
  put(join(directory, 'man/man1'), manualPages(root, { version, exit: EXIT }));
  put(join(directory, 'completions'), completionFiles(root));
}

function put(directory, files) {
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
}
