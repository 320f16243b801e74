#!/usr/bin/env node
import { program } from './program.ts';
import { fail, stdoutFailed } from './terminal.ts';

process.stdout.on('error', stdoutFailed);
process.stderr.on('error', () => {});

try {
  process.exitCode = await program(process.argv.slice(2));
} catch (error) {
  process.exitCode = fail(error, process.argv.includes('--json'));
}
