import { systemClock } from '../../runtime/clock.ts';
import { run as runProgram } from '../../runtime/process.ts';
import type { VersionOutput } from '../../schemas/json-output.ts';
import type { Call } from '../command-table.ts';
import { builtFrom } from '../packaging-files.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { say, sayJson } from '../shell/terminal.ts';
import { version } from '../version.ts';

/** `gitfleet version`: one line for people and scripts; with `--json`, what a bug report needs. Contacts no server. */
export async function run({ options }: Call): Promise<number> {
  if (options['json'] !== true) say(version);
  else {
    const said: VersionOutput = { version, node: process.versions.node, git: await gitHere(), commit: builtFrom() };
    sayJson(said);
  }
  return EXIT.converged;
}

/** The version of the git that would run; null: none can be run. */
async function gitHere(): Promise<string | null> {
  const env = { PATH: process.env['PATH'] ?? '' };
  const bounds = { timeoutMs: 5_000, maxBytes: 4_096, keep: 'tail' } as const;
  const { stdout } = await runProgram(['git', 'version'], { env, clock: systemClock, ...bounds });
  return /\d+(\.\d+)+/.exec(stdout.toString('utf8'))?.[0] ?? null;
}
