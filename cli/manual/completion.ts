import type { Command } from 'commander';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { stdout, usage } from '../shell/terminal.ts';
import { bashCompletion } from './bash.ts';
import { type Described, describe } from './describe.ts';
import { fishCompletion } from './fish.ts';
import { zshCompletion } from './zsh.ts';

const SHELLS: Readonly<Record<string, (root: Described) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** `gitfleet completion SHELL`: prints the completion for that shell, made from the command table. */
export async function completion(root: Command, { words }: Call): Promise<number> {
  const [shell = ''] = words;
  const make = Object.hasOwn(SHELLS, shell) ? SHELLS[shell] : undefined;
  if (!make) throw usage(`${JSON.stringify(shell.slice(0, 60))} is no shell that can be completed`, SUPPORTED);
  stdout().write(make(describe(root)));
  return EXIT.converged;
}

const SUPPORTED = `name one of ${Object.keys(SHELLS).join(', ')}; gitfleet completion --help shows where its output goes`;

/** The files of the packages: one per shell, with the name that the shell looks for. */
export const completionFiles = (root: Described): Readonly<Record<string, string>> => ({
  gitfleet: bashCompletion(root),
  _gitfleet: zshCompletion(root),
  'gitfleet.fish': fishCompletion(root),
});
