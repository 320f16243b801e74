#!/usr/bin/env node
import { program } from './program.ts';
import { fail } from './terminal.ts';

// A reader that went away (`gitfleet history | head -1`) is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
process.stderr.on('error', () => {});

try {
  process.exitCode = await program(process.argv.slice(2));
} catch (error) {
  process.exitCode = fail(error, process.argv.includes('--json'));
}
