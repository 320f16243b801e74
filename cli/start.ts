import { config } from 'zod/v4/core';
import { program } from './program.ts';
import { sayFailure } from './shell/terminal.ts';

// zod would write and compile code for each schema at its first use: most of ours are used once in a process.
config({ jitless: true });

program(process.argv.slice(2)).then(
  (exitCode) => {
    process.exitCode = exitCode;
  },
  (error: unknown) => {
    process.exitCode = sayFailure(error, process.argv.includes('--json'));
  },
);
