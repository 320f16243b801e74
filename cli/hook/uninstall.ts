import { uninstallHook } from '../../hooks/install.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { say, sayJson, usage } from '../shell/terminal.ts';
import { gitOfHooks, hookCommand, namedRepository } from './environment.ts';

/** `gitfleet hook uninstall`: does not contact ZooKeeper, and leaves what is deployed as it is. */
export async function run({ options, words }: Call): Promise<number> {
  const repository = await namedRepository(words[0]);
  const [branch, app] = [options['branch'] ?? null, options['app'] ?? null] as (string | null)[];
  const which = { branch: branch ?? null, app: app ?? null };
  const done = await uninstallHook(gitOfHooks(), repository, which, hookCommand());
  if (done.removed.length === 0 && done.changes.length === 0 && (branch || app)) {
    throw usage(`nothing is installed for ${[branch, app].filter(Boolean).join(' and ')}`, 'see gitfleet hook status');
  }
  if (options['json']) {
    sayJson(done);
    return EXIT.converged;
  }
  for (const hook of done.removed) say(`${hook.branch} no longer deploys to ${hook.app}`);
  for (const change of done.changes) say(`  ${change}`);
  for (const { branch, app } of done.hooks) say(`${branch} still deploys to ${app}`);
  if (done.removed.length === 0 && done.changes.length === 0) say('nothing was installed');
  else say('what is deployed stays deployed, and refs/deployments keeps its commits');
  return EXIT.converged;
}
