import { config } from 'zod/v4/core';
import { program } from './program.ts';
import { sayFailure } from './shell/terminal.ts';

// zod would generate and compile code for each schema at its first use. Most of our schemas are used once per process.
config({ jitless: true });

program(process.argv.slice(2)).then(end, (error: unknown) => end(sayFailure(error, process.argv.includes('--json'))));

/**
 * The look-up of a host name cannot be cancelled, and would keep the process alive for as long as its resolver hangs.
 */
function end(exitCode: number): void {
  process.exitCode = exitCode;
  if (process.getActiveResourcesInfo().includes('GetAddrInfoReqWrap')) process.exit();
}
